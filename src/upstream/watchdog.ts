import type { Timers } from "./timers.ts";

/** The connection that a `Watchdog` watches. */
export interface Watched {
  readonly timers: Timers;
  /** Since when an answer is awaited, if one is. */
  readonly waitingSinceMs: number | undefined;
  /** Send a PINGREQ. */
  ping(): void;
  /** An answer has been awaited too long. Afterwards it must not be awaited any more, or the watchdog be stopped. */
  overdue(): void;
  /** The server is gone: nothing came for the time given. */
  dead(silentMs: number): void;
}

export interface WatchdogLimits {
  /** Longest silence that MQTT allows us; 0: none is watched. */
  readonly keepaliveMs: number;
  /** How long an answer to a publish may take. */
  readonly answerTimeoutMs: number;
}

/**
 * Notices that the other side is gone, on one timer per connection.
 *
 * A PINGREQ goes out after three quarters of a keepalive without a packet from us or without a proof that the path works;
 * half a keepalive of silence after it is death. That is found within one and a quarter keepalives, and after
 * `answerTimeoutMs` where an acknowledgement is awaited.
 */
export class Watchdog {
  readonly #watched: Watched;
  readonly #keepaliveMs: number;
  readonly #answerTimeoutMs: number;
  readonly #checkNow = (): void => this.#check();
  #sentMs: number;
  #receivedMs: number;
  #provenMs: number;
  #pingedMs: number | undefined;
  #armedForMs = Number.POSITIVE_INFINITY;
  #disarm: (() => void) | undefined;
  #isStopped = false;

  constructor(watched: Watched, { keepaliveMs, answerTimeoutMs }: WatchdogLimits) {
    this.#watched = watched;
    this.#keepaliveMs = keepaliveMs;
    this.#answerTimeoutMs = answerTimeoutMs;
    const nowMs = watched.timers.elapsedMs();
    this.#sentMs = nowMs;
    this.#receivedMs = nowMs;
    this.#provenMs = nowMs;
    this.#arm();
  }

  /** We wrote something. */
  sent(atMs: number): void {
    this.#sentMs = atMs;
    // Only an awaited answer can be due before what the timer is set for.
    if (this.#armedForMs > atMs + this.#answerTimeoutMs) this.#arm();
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
    const watched = this.#watched;
    const nowMs = watched.timers.elapsedMs();
    while (!this.#isStopped && this.#answerDueMs() <= nowMs) watched.overdue();
    if (this.#isStopped) return;
    if (this.#pingedMs === undefined && this.#pingDueMs() <= nowMs) {
      this.#pingedMs = nowMs;
      this.#sentMs = nowMs;
      watched.ping();
    } else if (this.#deathMs() <= nowMs) {
      watched.dead(nowMs - this.#receivedMs);
      return;
    }
    this.#arm();
  }

  #arm(): void {
    const { timers } = this.#watched;
    const dueMs = Math.min(this.#answerDueMs(), this.#pingedMs === undefined ? this.#pingDueMs() : this.#deathMs());
    this.#disarm?.();
    this.#disarm = undefined;
    this.#armedForMs = dueMs;
    if (this.#isStopped || dueMs === Number.POSITIVE_INFINITY) return;
    this.#disarm = timers.after(Math.max(0, dueMs - timers.elapsedMs()), this.#checkNow);
  }

  #answerDueMs(): number {
    return (this.#watched.waitingSinceMs ?? Number.POSITIVE_INFINITY) + this.#answerTimeoutMs;
  }

  #pingDueMs(): number {
    if (this.#keepaliveMs === 0) return Number.POSITIVE_INFINITY;
    return Math.min(this.#provenMs, this.#sentMs) + 0.75 * this.#keepaliveMs;
  }

  #deathMs(): number {
    if (this.#pingedMs === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(this.#pingedMs, this.#receivedMs) + this.#keepaliveMs / 2;
  }
}
