/**
 * What became of a publish.
 *
 * `unparseable` is no JSON; `misshapen` is JSON, of the wrong shape as a whole; `badValue` is wrong in what stands for one
 * device; a device may be `notAttached`; `tooFast` is over a rate limit while processing, `tooFastToAttach` while attaching;
 * `failed` is what closes without PUBACK on a device's own topics.
 */
export type Outcome =
  | {
      readonly kind: "accepted";
      /** More than one only from a platform older than 4.2.1. */
      readonly pubacks: number;
    }
  | { readonly kind: "ignored"; readonly detail: string }
  | { readonly kind: "notAttached"; readonly code: number; readonly detail: string }
  | { readonly kind: Exclude<Mishap, "notAttached">; readonly detail: string };

/** Kinds of outcomes in which something was wrong. */
export type Mishap =
  | "unparseable"
  | "misshapen"
  | "badValue"
  | "notAttached"
  | "tooFast"
  | "tooFastToAttach"
  | "unknownTopic"
  | "failed";

/** What the client sees of it: PUBACKs of a code, a DISCONNECT of a code (MQTT 5 only), the close. */
export interface Reaction {
  readonly pubacks: number;
  readonly code: number;
  readonly closes: boolean;
  readonly disconnectCode?: number;
}

export const accepted: Outcome = { kind: "accepted", pubacks: 1 };

/**
 * How the platform lets a client know what became of its publish (MqttTransportHandler and AbstractGatewaySessionHandler of
 * ThingsBoard 4.4: `sendResponseForAdaptorErrorOrCloseContext`, `ackOrClose`, `processFailure`).
 *
 * @param acknowledgesInvalid `sendAckOnValidationException` of the device profile.
 */
export function reactionTo(
  outcome: Outcome,
  from: { readonly protocol: 3 | 4 | 5; readonly qos: 0 | 1 | 2; readonly acknowledgesInvalid: boolean },
): Reaction {
  const isFive = from.protocol === 5;
  const isHeard = from.qos > 0;
  const puback = (code: number): Reaction => ({ pubacks: isHeard ? 1 : 0, code: isFive ? code : 0, closes: false });
  const nothing: Reaction = { pubacks: 0, code: 0, closes: false };
  const closing = (first: Reaction, disconnectCode?: number): Reaction =>
    isFive && disconnectCode !== undefined ? { ...first, closes: true, disconnectCode } : { ...first, closes: true };
  switch (outcome.kind) {
    case "accepted":
      return { ...puback(0), pubacks: isHeard ? outcome.pubacks : 0 };
    case "ignored":
      return nothing;
    case "unparseable":
      if (isHeard && (isFive || from.acknowledgesInvalid)) return puback(0x99);
      return closing(nothing, 0x99);
    case "misshapen":
      return closing(puback(0x83), 0x83);
    case "badValue":
      return isFive ? puback(0x99) : closing(nothing);
    case "notAttached":
      return puback(outcome.code);
    case "tooFast":
      return isFive && !isHeard ? nothing : closing(puback(0x97));
    case "tooFastToAttach":
      return closing(nothing, 0x8b);
    case "unknownTopic":
      return puback(0x90);
    case "failed":
      return closing(nothing, 0x83);
  }
}
