import { useState } from "preact/hooks";
import { timeOfDay } from "./format.ts";

export interface Series {
  /** Also the class that gives it its colour and its dashes. */
  readonly name: string;
  readonly points: readonly { readonly atMs: number; readonly value: number }[];
}

const width = 600;
const height = 120;

/**
 * Lines over time. All series have their points at the same times. The drawing is stretched to the room there is, so
 * texts stand beside it; figures are also said in words, for those who can not see or not hover.
 */
export function LineChart(props: { title: string; series: readonly Series[]; format: (value: number) => string }) {
  const { title, series, format } = props;
  const [chosen, setChosen] = useState<number>();
  const times = series[0]?.points.map(({ atMs }) => atMs) ?? [];
  const firstMs = times[0] ?? 0;
  const lastMs = times.at(-1) ?? 0;
  const top = roundUp(Math.max(1, ...series.flatMap(({ points }) => points.map(({ value }) => value))));
  const x = (atMs: number) => (lastMs === firstMs ? 0 : ((atMs - firstMs) / (lastMs - firstMs)) * width);
  const y = (value: number) => height - (value / top) * height;
  const index = chosen === undefined ? times.length - 1 : Math.min(chosen, times.length - 1);
  const point = (event: PointerEvent) => {
    const { left, width: shown } = (event.currentTarget as Element).getBoundingClientRect();
    const atMs = firstMs + ((event.clientX - left) / shown) * (lastMs - firstMs);
    setChosen(nearest(times, atMs));
  };
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <div class="plot">
        <span class="axis top">{format(top)}</span>
        <span class="axis bottom">0</span>
        <svg
          viewBox={`0 0 ${width} ${height}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`${title}: ${series.map((one) => inWords(one, format)).join("; ")}`}
          onPointerMove={point}
          onPointerLeave={() => setChosen(undefined)}
        >
          <path class="grid" d={`M0 0.5H${width}M0 ${height / 2}H${width}M0 ${height - 0.5}H${width}`} />
          {series.map(({ name, points }) => (
            <path
              key={name}
              class={`line ${name}`}
              d={`M${points.map(({ atMs, value }) => `${x(atMs).toFixed(1)} ${y(value).toFixed(1)}`).join("L")}`}
            />
          ))}
          {chosen !== undefined && <path class="cross" d={`M${x(times[index] ?? firstMs).toFixed(1)} 0V${height}`} />}
        </svg>
      </div>
      <div class="axis times">
        <span>{timeOfDay(firstMs)}</span>
        <span>{timeOfDay(lastMs)}</span>
      </div>
      <p class="readout">
        <span class="quiet">{chosen === undefined ? "now" : timeOfDay(times[index] ?? firstMs)}</span>
        {series.map(({ name, points }) => (
          <span key={name}>
            <span class={`swatch ${name}`} aria-hidden="true" /> {name} <b>{format(points[index]?.value ?? 0)}</b>
          </span>
        ))}
      </p>
    </figure>
  );
}

function inWords({ name, points }: Series, format: (value: number) => string): string {
  const values = points.map(({ value }) => value);
  return `${name} now ${format(values.at(-1) ?? 0)}, at most ${format(Math.max(0, ...values))}`;
}

function nearest(times: readonly number[], atMs: number): number {
  let best = 0;
  for (const [index, time] of times.entries()) {
    if (Math.abs(time - atMs) < Math.abs((times[best] ?? 0) - atMs)) best = index;
  }
  return best;
}

/** The next round number. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value) ?? 10) * power;
}
