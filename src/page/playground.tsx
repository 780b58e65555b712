import { useEffect, useState } from "preact/hooks";
import type { PlaygroundDialect, PlaygroundRequest } from "../message/playground.ts";
import { MappingEditors, type MappingTexts } from "./mapping-editors.tsx";
import { PlaygroundResult } from "./playground-result.tsx";
import { linkTo } from "./route.ts";
import { useAnswer } from "./use-answer.ts";
import { useTrial } from "./use-trial.ts";
import type { ViewProps } from "./view.ts";

/** Until the mapping files are there; they change only with the program. */
const retryMs = 3_000;
const refreshMs = 600_000;

type Packet = Pick<PlaygroundRequest, "local" | "upstream" | "direction" | "topic" | "payload">;

/** Tries packets and mapping texts, apart from the running bridge. What is typed is in the address, so it can be sent on. */
export function PlaygroundView({ route }: ViewProps) {
  const [everyMs, setEvery] = useState(retryMs);
  const { data, error } = useAnswer<{ readonly dialects: readonly PlaygroundDialect[] }>("playground", everyMs);
  // A machine that is too busy to compile them answers without any.
  const isThere = data !== undefined && data.dialects.length > 0;
  useEffect(() => setEvery(isThere ? refreshMs : retryMs), [isThere]);
  if (!isThere)
    return <p class={error === undefined ? "quiet" : "note bad"}>{error ?? "Fetching the mapping files…"}</p>;
  return <Playground dialects={data.dialects} query={route.query} />;
}

function Playground({ dialects, query }: { dialects: readonly PlaygroundDialect[]; query: URLSearchParams }) {
  const [packet, setPacket] = useState(() => packetIn(query, dialects));
  const [texts, setTexts] = useState<MappingTexts>({});
  const trial = useTrial({ ...packet, mappings: texts });
  const change = (members: Partial<Packet>) => {
    const changed = { ...packet, ...members };
    setPacket(changed);
    history.replaceState(null, "", linkTo("playground", changed));
  };
  const from = dialects.find(({ name }) => name === (packet.direction === "up" ? packet.local : packet.upstream));
  const examples = from?.examples.filter(({ direction }) => direction === packet.direction) ?? [];
  const named = (name: string) => dialects.find((dialect) => dialect.name === name);
  /** With another dialect the packet is another one too: its first example. */
  const turn = (members: Partial<Packet>) => {
    const changed = { ...packet, ...members };
    const source = named(changed.direction === "up" ? changed.local : changed.upstream);
    const example =
      source === from && changed.direction === packet.direction ? undefined : exampleOf(source, changed.direction);
    change({ ...members, ...example });
  };
  return (
    <section aria-labelledby="playground-title" class="playground">
      <div class="heading">
        <h2 id="playground-title">Playground</h2>
        <DialectChoice
          label="Gateway speaks"
          {...{ dialects }}
          value={packet.local}
          onChoose={(local) => turn({ local })}
        />
        <DialectChoice
          label="Cloud speaks"
          {...{ dialects }}
          value={packet.upstream}
          onChoose={(upstream) => turn({ upstream })}
        />
        <fieldset class="choice">
          <legend>Packet from</legend>
          <label>
            <input
              type="radio"
              name="direction"
              checked={packet.direction === "up"}
              onChange={() => turn({ direction: "up" })}
            />{" "}
            the gateway
          </label>
          <label>
            <input
              type="radio"
              name="direction"
              checked={packet.direction === "down"}
              onChange={() => turn({ direction: "down" })}
            />{" "}
            the cloud
          </label>
        </fieldset>
      </div>
      <div class="bench">
        <div class="panel">
          <label class="field">
            <span>Example</span>
            <select
              value={examples.findIndex(({ topic, payload }) => topic === packet.topic && payload === packet.payload)}
              onChange={({ currentTarget }) => {
                const example = examples[Number(currentTarget.value)];
                if (example !== undefined) change({ topic: example.topic, payload: example.payload });
              }}
            >
              <option value={-1}>own packet</option>
              {examples.map(({ describe, topic, payload }, index) => (
                <option key={`${topic} ${payload}`} value={index}>
                  {describe}: {topic} {payload.slice(0, 40)}
                </option>
              ))}
            </select>
          </label>
          <label class="field">
            <span>Topic</span>
            <input
              class="mono"
              spellcheck={false}
              value={packet.topic}
              onInput={({ currentTarget }) => change({ topic: currentTarget.value })}
            />
          </label>
          <label class="field">
            <span>Payload</span>
            <textarea
              class="mono"
              rows={8}
              spellcheck={false}
              value={packet.payload}
              onInput={({ currentTarget }) => change({ payload: currentTarget.value })}
            />
          </label>
        </div>
        <section class="panel" aria-label="Result">
          <PlaygroundResult trial={trial} />
        </section>
      </div>
      <MappingEditors
        local={named(packet.local)}
        upstream={named(packet.upstream)}
        {...{ texts }}
        mistakes={
          trial.answer === undefined ? [] : "mistakes" in trial.answer ? trial.answer.mistakes : trial.answer.warnings
        }
        onChange={setTexts}
      />
    </section>
  );
}

function DialectChoice(props: {
  label: string;
  dialects: readonly PlaygroundDialect[];
  value: string;
  onChoose: (name: string) => void;
}) {
  const { label, dialects, value, onChoose } = props;
  return (
    <label class="inline">
      {label}
      <select value={value} onChange={({ currentTarget }) => onChoose(currentTarget.value)}>
        {dialects.map(({ name, title }) => (
          <option key={name} value={name} title={title}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function packetIn(query: URLSearchParams, dialects: readonly PlaygroundDialect[]): Packet {
  const named = (name: string, fallback: string) =>
    dialects.find((one) => one.name === query.get(name))?.name ?? fallback;
  const local = named("local", "thingsboard");
  const upstream = named("upstream", "clearblade");
  const direction = query.get("direction") === "down" ? "down" : "up";
  const source = dialects.find(({ name }) => name === (direction === "up" ? local : upstream));
  const { topic, payload } = exampleOf(source, direction);
  return {
    local,
    upstream,
    direction,
    topic: query.get("topic") ?? topic,
    payload: query.get("payload") ?? (query.has("topic") ? "" : payload),
  };
}

/** What most packets are, to begin with. */
const usual: readonly string[] = ["telemetry", "command"];

function exampleOf(
  dialect: PlaygroundDialect | undefined,
  direction: Packet["direction"],
): Pick<Packet, "topic" | "payload"> {
  const examples = dialect?.examples.filter((example) => example.direction === direction) ?? [];
  const { topic = "", payload = "" } = examples.find(({ describe }) => usual.includes(describe)) ?? examples[0] ?? {};
  return { topic, payload };
}
