/** Something that may be wrong between us and a cloud, in words for whoever has to mend it. */
export interface KnownCause {
  /** What would be wrong, as a clause: "the gateway is blocked in the registry". */
  readonly what: string;
  /** What to do about it, as an order. */
  readonly remedy: string;
  /** Where the vendor, or who else, says that it shows in this way. */
  readonly source: string;
}

/**
 * How far a connection had come: `dial` (name, socket, TLS), `connect` (CONNACK), `subscribe`, `stay` (nothing asked, nothing
 * sent), `limits` (the question what is allowed), `attach` (a device's).
 */
export const stages = ["dial", "connect", "subscribe", "stay", "limits", "attach"] as const;

export type Stage = (typeof stages)[number];

/**
 * What the answers of a cloud may mean. Data of the dialect.
 *
 * Causes have names of the dialect's own choice. Those called `protocol`, `clock`, `audience`, `key`, `ids`, `duplicate`,
 * `certificate` and `credentials` can be tried out, or known from the configuration, and that goes before the order here.
 */
export interface Diagnosis {
  readonly causes: ReadonlyMap<string, KnownCause>;
  /** By stage and by the answer there, the names of causes, likeliest first; `default` is for answers that are not listed. */
  readonly symptoms: ReadonlyMap<Stage, ReadonlyMap<string, readonly string[]>>;
}
