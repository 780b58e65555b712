import type { Packet, Subscription } from "../message/packet.ts";
import type { UpstreamConnection, UpstreamHandlers } from "../upstream/connection.ts";
import { UpstreamFacts } from "./upstream-facts.ts";

/** Whoever has the connection now. */
export interface UpstreamOwner extends UpstreamHandlers {
  /** The connection was open when it was taken over: nobody has attached or subscribed for this owner. */
  resumed(): void;
}

/**
 * A connection upstream that outlives its owner: a gateway's link is replaced when its rules change, its connection need
 * not be.
 *
 * Owns what the cloud has sent and nobody has answered, so that a new owner hears it as it would after a reconnect, and
 * keeps the tokens of one owner from meaning something to the next.
 */
export class KeptUpstream implements UpstreamHandlers {
  readonly facts: UpstreamFacts;
  /** Until it has been called. */
  #connect: ((handlers: UpstreamHandlers) => UpstreamConnection) | undefined;
  #connection: UpstreamConnection | undefined;
  #owner: UpstreamOwner | undefined;
  /** Tokens below this one are of earlier owners. */
  #base = 0;
  #nextToken = 0;
  /** Given to the owner, and not acknowledged by it; in order. */
  #open: Map<number, Packet> | undefined;
  /** Kept back for the next owner. */
  readonly #waiting: { readonly packet: Packet; readonly inbound: number }[] = [];
  #isHolding = false;

  /** @param facts Of the connection that this one takes the place of. */
  constructor(connect: (handlers: UpstreamHandlers) => UpstreamConnection, facts = new UpstreamFacts()) {
    this.#connect = connect;
    this.facts = facts;
  }

  get state(): UpstreamConnection["state"] {
    return this.#connection?.state ?? "connecting";
  }

  get lastProvenMs(): number | undefined {
    return this.#connection?.lastProvenMs;
  }

  get expiresAtMs(): number | undefined {
    return this.#connection?.expiresAtMs;
  }

  get clockFinding(): string | undefined {
    return this.#connection?.clockFinding;
  }

  /** Whether every publish has been answered, or cannot be any more. */
  get isIdle(): boolean {
    return this.state !== "open" || this.#connection?.outstanding === 0;
  }

  /** From now on `owner` hears of it. The first one has it connect; a later one hears in the next turn what is open. */
  take(owner: UpstreamOwner): void {
    this.#owner = owner;
    this.#base = this.#nextToken;
    this.#isHolding = false;
    if (this.#connect === undefined) {
      queueMicrotask(() => this.#resume(owner));
      return;
    }
    const connect = this.#connect;
    this.#connect = undefined;
    this.#connection = connect(this);
  }

  /** What the cloud says from now on is for the next owner. */
  hold(): void {
    this.#isHolding = true;
  }

  publish(packet: Packet, token: number): void {
    this.#connection?.publish(packet, this.#outward(token));
  }

  subscribe(subscriptions: readonly Subscription[], token: number): void {
    this.#connection?.subscribe(subscriptions, this.#outward(token));
  }

  unsubscribe(filters: readonly string[]): void {
    this.#connection?.unsubscribe(filters);
  }

  acknowledge(inbound: number): void {
    this.#open?.delete(inbound);
    this.#connection?.acknowledge(inbound);
  }

  forget(token: number): void {
    this.#connection?.forget(this.#outward(token));
  }

  /** See `UpstreamConnection.tokenOf`. */
  tokenOf(packetId: number): number | undefined {
    return this.#inward(this.#connection?.tokenOf(packetId));
  }

  reconnect(reason: string): void {
    this.#connection?.reconnect(reason);
  }

  async close(options: { readonly drainMs: number }): Promise<void> {
    await this.#connection?.close(options);
  }

  opened(): void {
    this.#owner?.opened();
  }

  closed(reason: string, detail: string, unacknowledged: readonly number[]): void {
    this.#open = undefined;
    const tokens = unacknowledged.filter((token) => token >= this.#base).map((token) => token - this.#base);
    this.#owner?.closed(reason, detail, tokens);
  }

  acknowledged(outer: number, code: number): void {
    const token = this.#inward(outer);
    if (token !== undefined) this.#owner?.acknowledged(token, code);
  }

  subscribed(outer: number, codes: readonly number[]): void {
    const token = this.#inward(outer);
    if (token !== undefined) this.#owner?.subscribed(token, codes);
  }

  received(packet: Packet, inbound: number): void {
    if (this.#isHolding) this.#waiting.push({ packet, inbound });
    else this.#give(packet, inbound);
  }

  oversized(topic: string, bytes: number): void {
    this.#owner?.oversized?.(topic, bytes);
  }

  #resume(owner: UpstreamOwner): void {
    if (this.#owner !== owner) return;
    const missed = [
      ...[...(this.#open ?? [])].map(([inbound, packet]) => ({ packet, inbound })),
      ...this.#waiting.splice(0),
    ];
    this.#open = undefined;
    if (this.state === "open") owner.resumed();
    for (const { packet, inbound } of missed) this.#give(packet, inbound);
  }

  #give(packet: Packet, inbound: number): void {
    if (packet.qos > 0) {
      this.#open ??= new Map();
      this.#open.set(inbound, packet);
    }
    this.#owner?.received(packet, inbound);
  }

  #outward(token: number): number {
    const outer = this.#base + token;
    if (outer >= this.#nextToken) this.#nextToken = outer + 1;
    return outer;
  }

  #inward(outer: number | undefined): number | undefined {
    return outer === undefined || outer < this.#base ? undefined : outer - this.#base;
  }
}
