import type { Timers } from "./timers.ts";

export interface WatchdogOptions {
  /** Longest silence that MQTT allows us; 0: none is watched. */
  readonly keepaliveMs: number;
  /** How long an answer to a publish may take. */
  readonly answerTimeoutMs: number;
  readonly timers: Timers;
  /** Since when an answer is awaited, if one is. */
  readonly waitingSinceMs: () => number | undefined;
  /** Send a PINGREQ. */
  readonly ping: () => void;
  /** An answer has been awaited too long. Afterwards it must not be awaited any more, or the watchdog be stopped. */
  readonly overdue: () => void;
  /** The server is gone: nothing came for the time given. */
  readonly dead: (silentMs: number) => void;
}

/**
 * Notices that the other side is gone, on one timer per connection.
 *
 * A PINGREQ goes out after three quarters of a keepalive without a packet from us or without a proof that the path works;
 * half a keepalive of silence after it is death. That is found within one and a quarter keepalives, and after
 * `answerTimeoutMs` where an acknowledgement is awaited.
 */
export class Watchdog {
  readonly #options: WatchdogOptions;
  #sentMs: number;
  #receivedMs: number;
  #provenMs: number;
  #pingedMs: number | undefined;
  #armedForMs = Number.POSITIVE_INFINITY;
  #disarm: (() => void) | undefined;
  #isStopped = false;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    const nowMs = options.timers.elapsedMs();
    this.#sentMs = nowMs;
    this.#receivedMs = nowMs;
    this.#provenMs = nowMs;
    this.#arm();
  }

  /** We wrote something. */
  sent(atMs: number): void {
    this.#sentMs = atMs;
    // Only an awaited answer can be due before what the timer is set for.
    if (this.#armedForMs > atMs + this.#options.answerTimeoutMs) this.#arm();
  }

  /** Something came; `proof` says that it was an answer to what we sent, `pong` that it was the one to a PINGREQ. */
  received(atMs: number, { proof, pong }: { readonly proof: boolean; readonly pong: boolean }): void {
    this.#receivedMs = atMs;
    if (proof) this.#provenMs = atMs;
    if (pong) this.#pingedMs = undefined;
  }

  stop(): void {
    this.#isStopped = true;
    this.#disarm?.();
  }

  #check(): void {
    const { overdue, ping, dead, timers } = this.#options;
    const nowMs = timers.elapsedMs();
    while (!this.#isStopped && this.#answerDueMs() <= nowMs) overdue();
    if (this.#isStopped) return;
    if (this.#pingedMs === undefined && this.#pingDueMs() <= nowMs) {
      this.#pingedMs = nowMs;
      this.#sentMs = nowMs;
      ping();
    } else if (this.#deathMs() <= nowMs) {
      dead(nowMs - this.#receivedMs);
      return;
    }
    this.#arm();
  }

  #arm(): void {
    const { timers } = this.#options;
    const dueMs = Math.min(this.#answerDueMs(), this.#pingedMs === undefined ? this.#pingDueMs() : this.#deathMs());
    this.#disarm?.();
    this.#disarm = undefined;
    this.#armedForMs = dueMs;
    if (this.#isStopped || dueMs === Number.POSITIVE_INFINITY) return;
    this.#disarm = timers.after(Math.max(0, dueMs - timers.elapsedMs()), () => this.#check());
  }

  #answerDueMs(): number {
    const { waitingSinceMs, answerTimeoutMs } = this.#options;
    return (waitingSinceMs() ?? Number.POSITIVE_INFINITY) + answerTimeoutMs;
  }

  #pingDueMs(): number {
    const { keepaliveMs } = this.#options;
    if (keepaliveMs === 0) return Number.POSITIVE_INFINITY;
    return Math.min(this.#provenMs, this.#sentMs) + 0.75 * keepaliveMs;
  }

  #deathMs(): number {
    if (this.#pingedMs === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(this.#pingedMs, this.#receivedMs) + this.#options.keepaliveMs / 2;
  }
}
