import { useMemo } from "preact/hooks";
import type { TraceLine } from "../message/trace.ts";
import { Meanings, RuleName, Unread, Variables } from "./explained.tsx";
import { bytes, timeOfDay } from "./format.ts";
import { TextBlock } from "./text-block.tsx";
import type { TraceEntry } from "./trace-log.ts";

/** A packet that came in, what it means, and below it what went out because of it. Drawn anew only when there is more of it. */
export function TraceEntryView({ entry }: { entry: TraceEntry }) {
  return useMemo(() => draw(entry), [entry]);
}

function draw({ lines }: TraceEntry) {
  const sorted = [...lines].sort(
    (a, b) => Number(a.direction === "out") - Number(b.direction === "out") || a.id - b.id,
  );
  const [first] = sorted;
  if (first === undefined) return null;
  const isUnread = lines.some(({ unread }) => unread !== undefined);
  return (
    <li class={`panel entry ${isUnread ? "bad" : ""}`}>
      <p class="quiet facts">
        <time>{timeOfDay(first.atMs)}</time>
        <span>{first.gateway}</span>
        {first.records !== undefined && <span>record {first.records.join(", ")}</span>}
      </p>
      {sorted.map((line) => (
        <PassedPacket key={line.id} line={line} />
      ))}
    </li>
  );
}

function PassedPacket({ line }: { line: TraceLine }) {
  const { topic, payload, encoding, cut, qos, messages, rule, variables, unread, mappedBy, fates } = line;
  return (
    <div class={`packet ${line.direction}`}>
      <span class="way">{wayOf(line)}</span>
      <div class="carried">
        <div>
          <code class="topic">{topic}</code> <Payload text={payload} />
          {cut === true && <span class="quiet"> … of {bytes(line.bytes)}</span>}
          {encoding === "base64" && <span class="quiet"> (base64)</span>}
        </div>
        <Meanings messages={messages} />
        {unread !== undefined && <Unread unread={unread} />}
        {fates !== undefined && <p class="quiet">{fates.join(", ")}</p>}
        <div class="quiet facts">
          {rule !== undefined && <RuleName rule={rule} />}
          {mappedBy?.map((own) => (
            <RuleName key={`${own.file}:${own.line}`} rule={own} />
          ))}
          <span>QoS {qos}</span>
          <Variables variables={variables} />
        </div>
      </div>
    </div>
  );
}

function wayOf({ side, direction }: TraceLine): string {
  if (side === "local") return direction === "in" ? "gateway ▶" : "▶ gateway";
  return direction === "in" ? "cloud ▶" : "▶ cloud";
}

/** Longer than this it is folded. */
const maxShown = 300;

function Payload({ text }: { text: string }) {
  if (text.length <= maxShown) return <code>{text}</code>;
  return (
    <details>
      <summary>
        <code>{text.slice(0, maxShown)}…</code>
      </summary>
      <TextBlock text={text} label="Payload" />
    </details>
  );
}
