import type { Reading } from "../message/explained.ts";
import type { WaitingMessage } from "../message/repair.ts";
import { ReadingInWords } from "./explained.tsx";
import { plural } from "./format.ts";
import { linkTo } from "./route.ts";
import { TextBlock } from "./text-block.tsx";

/** What `/spool/{gateway}/{seq}/{index}` answers. */
export interface ShownDocument extends WaitingMessage {
  readonly qos: number;
  readonly messages: number;
  readonly payload?: string;
  readonly payload64?: string;
  readonly reading?: Reading;
}

/** A packet as it came, and how the rules read it as they are now. */
export function ShownMessage({ message }: { message: ShownDocument }) {
  const { payload, payload64, messages, dialect, reading, qos } = message;
  const isMasked = payload?.includes("•••") === true;
  return (
    <>
      <p class="quiet">
        As it came, at QoS {qos}
        {messages > 1 && `, with ${plural(messages, "message")} in one packet`}
        {payload64 !== undefined && ", in base64"}
      </p>
      <TextBlock text={payload ?? payload64 ?? ""} label="Payload" />
      {isMasked && (
        <p class="quiet">
          What is secret, or may be, is shown as •••. <code>dragoman spool show --id {message.id}</code> shows the
          packet as it came.
        </p>
      )}
      {payload !== undefined && !isMasked && (
        <p>
          <a href={linkTo("playground", { local: dialect, direction: "up", topic: message.topic, payload })}>
            Try it in the playground
          </a>
        </p>
      )}
      {reading === undefined ? (
        <p class="note warn">It was read by dialect "{dialect}", which is not known any more.</p>
      ) : (
        <>
          <h3 class="minor">As the rules read it now</h3>
          <ReadingInWords reading={reading} />
        </>
      )}
    </>
  );
}
