import type { ExplainedTranslation, SentPacket } from "../message/playground.ts";
import { ReadingInWords, RuleName } from "./explained.tsx";
import { TextBlock } from "./text-block.tsx";
import type { Trial } from "./use-trial.ts";

/** What became of the packet that is tried, and why. */
export function PlaygroundResult({ trial: { answer, error } }: { trial: Trial }) {
  if (error !== undefined) return <p class="note bad">{error}</p>;
  if (answer === undefined) return <p class="quiet">Trying…</p>;
  if ("mistakes" in answer) return <p class="note bad">A mapping text below cannot be compiled.</p>;
  return <Translated result={answer.result} />;
}

function Translated({ result }: { result: ExplainedTranslation }) {
  const { mappedBy, sent, troubles } = result;
  return (
    <>
      <h3>It means</h3>
      <ReadingInWords reading={result} mappedBy={mappedBy} />
      <h3>It becomes</h3>
      {troubles.map(({ text, isFailure }) => (
        <p key={text} class={`note ${isFailure ? "bad" : "warn"}`}>
          {text}
        </p>
      ))}
      {sent.length === 0 && <p class="quiet">Nothing is sent.</p>}
      {sent.map((packet, index) => (
        // By place: two packets may be the same.
        <Sent key={index} packet={packet} />
      ))}
    </>
  );
}

function Sent({ packet: { to, topic, payload, encoding, qos, rule } }: { packet: SentPacket }) {
  return (
    <div class="packet out">
      <span class="way">▶ {to === "local" ? "gateway" : "cloud"}</span>
      <div class="carried">
        <p>
          <code class="topic">{topic}</code>
        </p>
        <TextBlock text={payload} label="Payload" />
        <p class="quiet facts">
          <RuleName rule={rule} />
          <span>QoS {qos}</span>
          {encoding !== undefined && <span>{encoding}</span>}
        </p>
      </div>
    </div>
  );
}
