import type { Packet, Subscription } from "../message/packet.ts";

/** Something to send that gets an answer, in the caller's order. */
export type Outgoing =
  | { readonly kind: "publish"; readonly packet: Packet; readonly token: number }
  | { readonly kind: "subscribe"; readonly subscriptions: readonly Subscription[]; readonly token: number }
  | { readonly kind: "unsubscribe"; readonly filters: readonly string[] };

/** What has not been sent yet, first come first served. It holds packets by reference, as many as its caller's window. */
export class Outbox {
  readonly #items: Outgoing[] = [];

  get length(): number {
    return this.#items.length;
  }

  push(item: Outgoing): void {
    this.#items.push(item);
  }

  /** Removes and returns the first `count` items. */
  take(count: number): Outgoing[] {
    return this.#items.splice(0, count);
  }

  [Symbol.iterator](): IterableIterator<Outgoing> {
    return this.#items.values();
  }

  forget(token: number): void {
    const at = this.#items.findIndex((item) => item.kind === "publish" && item.token === token);
    if (at >= 0) this.#items.splice(at, 1);
  }

  /** Empties it and returns the tokens of the publishes that were in it, in order. */
  clear(): number[] {
    return this.#items.splice(0).flatMap((item) => (item.kind === "publish" ? [item.token] : []));
  }
}
