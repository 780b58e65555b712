import type { Limits } from "../message/traits.ts";
import { Bucket } from "./bucket.ts";
import { Quota, type Use } from "./quota.ts";
import type { SessionLimits } from "./session-limits.ts";

/** Where a dialect names a limit but not how much of it to use (IoT Core specification, section 15: 80 of 100). */
export const defaultPace = 0.8;

/** Keeps what goes upstream on one connection below the cloud's limits: those known of it, and those it has told. */
export class Pacing {
  readonly #pace: number;
  readonly #messages: Bucket | undefined;
  readonly #bytes: Bucket | undefined;
  #quota: Quota | undefined;
  #told: string | undefined;

  constructor({ pace = defaultPace, messagesPerSecond, bytesPerSecond }: Limits) {
    const perSecond = (count: number | undefined) =>
      count === undefined ? undefined : new Bucket({ count, withinMs: 1000 }, pace);
    this.#pace = pace;
    this.#messages = perSecond(messagesPerSecond);
    this.#bytes = perSecond(bytesPerSecond);
  }

  /** Whether it matters what a packet is, and not only how large. */
  get isMetered(): boolean {
    return this.#quota !== undefined;
  }

  /** Takes limits that the cloud has told. Known ones go on: such a cloud counts across connections. */
  limit(nowMs: number, limits: SessionLimits): void {
    const told = JSON.stringify([limits.own, limits.devices]);
    if (told === this.#told) return;
    this.#told = told;
    this.#quota = new Quota(limits, this.#pace, nowMs);
  }

  /** A new connection begins with nothing used. */
  restart(nowMs: number): void {
    this.#messages?.restart(nowMs);
    this.#bytes?.restart(nowMs);
  }

  /** Whether one packet of this size may go now; if so it is counted. `use` is wanted where `isMetered`. */
  take(nowMs: number, bytes: number, use?: Use): boolean {
    if (this.#messages !== undefined && !this.#messages.has(nowMs, 1)) return false;
    if (this.#bytes !== undefined && !this.#bytes.has(nowMs, bytes)) return false;
    if (this.#quota !== undefined && use !== undefined) {
      if (!this.#quota.has(nowMs, use)) return false;
      this.#quota.spend(nowMs, use);
    }
    this.charge(nowMs, 1, bytes);
    return true;
  }

  /** Whether more may go along in a packet that is counted already; if so it is counted. */
  takeAlong(nowMs: number, bytes: number, use?: Use): boolean {
    if (this.#bytes !== undefined && !this.#bytes.has(nowMs, bytes)) return false;
    if (this.#quota !== undefined && use !== undefined) {
      const more = { ...use, messages: 0, uploads: 0 };
      if (!this.#quota.has(nowMs, more)) return false;
      this.#quota.spend(nowMs, more);
    }
    this.charge(nowMs, 0, bytes);
    return true;
  }

  /** Counts what goes in any case (acknowledgements); later packets wait for it. */
  charge(nowMs: number, messages: number, bytes: number): void {
    this.#messages?.spend(nowMs, messages);
    this.#bytes?.spend(nowMs, bytes);
  }

  /** When `take` will say yes, if nothing else goes until then. */
  readyAtMs(nowMs: number, bytes: number, use?: Use): number {
    const messagesAt = this.#messages?.readyAtMs(nowMs, 1) ?? nowMs;
    const bytesAt = this.#bytes?.readyAtMs(nowMs, bytes) ?? nowMs;
    const quotaAt = use === undefined ? undefined : this.#quota?.readyAtMs(nowMs, use);
    return Math.max(messagesAt, bytesAt, quotaAt ?? nowMs);
  }
}
