import { useState } from "preact/hooks";
import type { HistoryDocument, HistoryPoint } from "../admin/history.ts";
import { roughly } from "./format.ts";
import { LineChart, type Series } from "./line-chart.tsx";
import { useAnswer } from "./use-answer.ts";

const ranges = [
  { seconds: 300, title: "5 min", everyMs: 2_000 },
  { seconds: 3600, title: "1 hour", everyMs: 10_000 },
] as const;

/** Backlog and throughput over the last minutes or the last hour, as the bridge remembers them since its start. */
export function HistoryCharts() {
  const [range, setRange] = useState<(typeof ranges)[number]>(ranges[0]);
  const { data, error } = useAnswer<HistoryDocument>(`history?seconds=${range.seconds}`, range.everyMs);
  const points = data?.points ?? [];
  return (
    <div class="panel">
      <fieldset class="choice">
        <legend>Over the last</legend>
        {ranges.map((one) => (
          <label key={one.seconds}>
            <input type="radio" name="range" checked={one === range} onChange={() => setRange(one)} /> {one.title}
          </label>
        ))}
      </fieldset>
      {error !== undefined && <p class="note bad">{error}</p>}
      {points.length < 3 ? (
        <p class="quiet">Nothing to draw yet: the bridge remembers from its start on.</p>
      ) : (
        <div class="charts">
          <LineChart title="Throughput, messages per second" series={rates(points)} format={roughly} />
          <LineChart title="Backlog, messages" series={backlog(points)} format={roughly} />
        </div>
      )}
    </div>
  );
}

function rates(points: readonly HistoryPoint[]): readonly Series[] {
  const perSecond = (member: "received" | "delivered") =>
    points.slice(1).map((point, index) => {
      const before = points[index] ?? point;
      const seconds = (point.atMs - before.atMs) / 1000;
      // Less than before: messages in quarantine were counted anew.
      return { atMs: point.atMs, value: seconds <= 0 ? 0 : Math.max(0, (point[member] - before[member]) / seconds) };
    });
  return [
    { name: "received", points: perSecond("received") },
    { name: "delivered", points: perSecond("delivered") },
  ];
}

function backlog(points: readonly HistoryPoint[]): readonly Series[] {
  const of = (member: "pending" | "held" | "quarantined") =>
    points.map((point) => ({ atMs: point.atMs, value: point[member] }));
  return [
    { name: "pending", points: of("pending") },
    { name: "held", points: of("held") },
    { name: "quarantined", points: of("quarantined") },
  ];
}
