import type { Flight } from "./flights.ts";
import type { Lane, Waiting } from "./lane.ts";

/** One publish that may be to blame: an attach, a device's document, or a message. */
export interface Suspect {
  readonly lane: Lane;
  readonly purpose: "attach" | "state" | "reply" | "data";
  readonly waiting: Waiting | undefined;
}

/** Whether a connection that ended so may have been closed for what was sent on it. */
export function isBlaming(reason: string): boolean {
  if (reason === "closed" || reason === "reset") return true;
  // MQTT 5, 3.14.2.1: busy, too many messages, quota, an administrator's doing, another server, rate, too long.
  return /^disconnect-(?!(?:137|147|150|151|152|156|157|159|160)$)\d{3}$/.test(reason);
}

/** What may be to blame for the loss of a publish that was under way. */
export function suspectsOf({ lane, purpose, waiting, riders }: Flight): readonly Suspect[] {
  switch (purpose) {
    case "attach":
    case "state":
      return [{ lane, purpose, waiting: undefined }];
    case "reply":
    case "data":
      return [waiting, ...riders].map((one) => ({ lane, purpose, waiting: one }));
    case "detach":
    case "question":
      return []; // the one is true once the connection has ended, the other is not sent again
  }
}

/** What is the same each time that it is sent. */
export function keyOf({ lane, purpose, waiting }: Pick<Flight, "lane" | "purpose" | "waiting">): object {
  return waiting ?? (purpose === "state" ? lane.state : lane) ?? lane;
}
