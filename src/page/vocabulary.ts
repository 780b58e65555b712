import type { MessageKind } from "../message/message.ts";

const known: Readonly<Record<MessageKind, true>> = {
  attach: true,
  detach: true,
  telemetry: true,
  state: true,
  attributesRequest: true,
  attributesResponse: true,
  command: true,
  commandResponse: true,
  config: true,
  claim: true,
  call: true,
  callResult: true,
  error: true,
  removed: true,
  renamed: true,
  detached: true,
};

/** Every kind of message, to choose from; one that is missing does not compile. */
export const kinds: readonly string[] = Object.keys(known).sort();
