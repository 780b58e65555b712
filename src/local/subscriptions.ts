import { filterMatches } from "./topic-filter.ts";

/** A subscription as granted. `identifier` is MQTT 5's, to be sent along with what is heard through it. */
export interface Granted {
  readonly qos: 0 | 1;
  readonly identifier?: number;
}

/** The filters one connection has subscribed to. */
export class Subscriptions {
  /** Both are made when they are wanted: many a gateway never subscribes. */
  #exact: Map<string, Granted> | undefined;
  #wildcards: Map<string, Granted> | undefined;

  add(filter: string, granted: Granted): void {
    if (isWildcard(filter)) {
      this.#wildcards ??= new Map();
      this.#wildcards.set(filter, granted);
    } else {
      this.#exact ??= new Map();
      this.#exact.set(filter, granted);
    }
  }

  /** Whether there was such a subscription. */
  remove(filter: string): boolean {
    return (isWildcard(filter) ? this.#wildcards : this.#exact)?.delete(filter) ?? false;
  }

  removeWhere(isRemoved: (filter: string) => boolean): void {
    for (const filters of [this.#exact, this.#wildcards]) {
      for (const filter of filters?.keys() ?? []) if (isRemoved(filter)) filters?.delete(filter);
    }
  }

  /** The subscription that the topic is heard through; of several, the first with the highest QoS. */
  find(topic: string): Granted | undefined {
    let best = this.#exact?.get(topic);
    for (const [filter, granted] of this.#wildcards ?? []) {
      if (best?.qos === 1) break;
      if ((best === undefined || granted.qos > best.qos) && filterMatches(filter, topic)) best = granted;
    }
    return best;
  }
}

function isWildcard(filter: string): boolean {
  return filter.includes("+") || filter.includes("#");
}
