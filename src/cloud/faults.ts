import type { GatewayErrorCode } from "./error-report.ts";

/**
 * What the stand-in shall do wrong from now on. Plain fields, read each time: set them, and unset them again.
 *
 * All of it has been seen from a real cloud, or from the network before it.
 */
export interface CloudFaults {
  /** For each of the next CONNECTs the CONNACK code it is refused with, or `close` for no CONNACK. Used up from the front. */
  refuseConnects: (number | "close")[];
  /** False: publishes are taken but no PUBACK is sent, attaches included. */
  acknowledge: boolean;
  /** How long every PUBACK is kept back. */
  acknowledgeDelayMs: number;
  /** A connection is closed instead of taking this publish, counted from 1 on each connection anew. */
  closeAtPublish: number | undefined;
  /** A connection is closed instead of taking a publish for which this is true. */
  closeOn:
    | ((publish: { readonly topic: string; readonly payload: Buffer; readonly dup: boolean }) => boolean)
    | undefined;
  /** Devices whose next attach gets neither PUBACK nor error. Each is taken out as it is used. */
  swallowAttach: Set<string>;
  /** Devices whose next attach is acknowledged and then taken back with `GATEWAY_ATTACHMENT_ERROR`. */
  revokeAttach: Set<string>;
  /** Error code for the next data of a device instead of a PUBACK, by device. */
  failPublish: Map<string, GatewayErrorCode>;
  /** Answer no SUBSCRIBE. */
  swallowSubscribe: boolean;
}

/** A cloud that does nothing wrong yet. */
export function noFaults(): CloudFaults {
  return {
    refuseConnects: [],
    acknowledge: true,
    acknowledgeDelayMs: 0,
    closeAtPublish: undefined,
    closeOn: undefined,
    swallowAttach: new Set(),
    revokeAttach: new Set(),
    failPublish: new Map(),
    swallowSubscribe: false,
  };
}
