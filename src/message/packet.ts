/** One MQTT PUBLISH as it stands on the wire, in some cloud's dialect. */
export interface Packet {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1 | 2;
}

/** A topic filter and the highest QoS wanted for it. */
export interface Subscription {
  readonly filter: string;
  readonly qos: 0 | 1;
}
