/** What the stand-in shall do wrong from now on. Plain fields, read each time: set them, and unset them again. */
export interface ThingsBoardFaults {
  /** For each of the next CONNECTs the CONNACK code it is refused with, or `close` for no CONNACK. Used up from the front. */
  refuseConnects: (number | "close")[];
  /** False: publishes are taken but no PUBACK is sent. */
  acknowledge: boolean;
  /** How long every PUBACK is kept back. */
  acknowledgeDelayMs: number;
  /**
   * For each of the next publishes, or the next on a topic, the code of its PUBACK; it is dropped. MQTT 3 sees an ordinary
   * PUBACK. Used up from the front.
   */
  refusePublishes: (number | { readonly topic: string; readonly code: number })[];
  /** A connection is closed instead of taking this publish, counted from 1 on each connection anew. */
  closeAtPublish: number | undefined;
  /** A connection is closed instead of taking a publish for which this is true. */
  closeOn:
    | ((publish: { readonly topic: string; readonly payload: Buffer; readonly dup: boolean }) => boolean)
    | undefined;
  /** Attribute requests are acknowledged and never answered, as when the storage fails. */
  swallowAttributeRequests: boolean;
  /** Answer no SUBSCRIBE. */
  swallowSubscribe: boolean;
}

/** A ThingsBoard that does nothing wrong yet. */
export function noThingsBoardFaults(): ThingsBoardFaults {
  return {
    refuseConnects: [],
    acknowledge: true,
    acknowledgeDelayMs: 0,
    refusePublishes: [],
    closeAtPublish: undefined,
    closeOn: undefined,
    swallowAttributeRequests: false,
    swallowSubscribe: false,
  };
}
