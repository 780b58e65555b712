import type { GatewayEffect, GatewayEvent } from "../gateway/event.ts";
import type { Gateway } from "../gateway/gateway.ts";

export interface TurnsParts {
  readonly engine: Gateway;
  readonly now: () => number;
  readonly perform: (effect: GatewayEffect) => void;
  /** The rules could not handle an event. */
  readonly eventFailed: (event: GatewayEvent, error: unknown) => void;
  /** What they asked for could not be done. */
  readonly effectFailed: (effect: GatewayEffect, error: unknown) => void;
  /** All events have been handled. */
  readonly idle: () => void;
}

const longestTimerMs = 0x7fffffff;

/**
 * Runs the rules: one event after the other, never one within another, each with its effects, and a tick when they want one.
 *
 * Nothing that is thrown stops it: a defect must not end the process, it would come back with the same packet after every
 * restart, and what one effect meets does not take the others with it.
 */
export class Turns {
  readonly #parts: TurnsParts;
  /** Those that arose while another was handled. */
  #events: GatewayEvent[] | undefined;
  #isRunning = false;
  #timer: NodeJS.Timeout | undefined;
  #armedForMs = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(parts: TurnsParts) {
    this.#parts = parts;
  }

  /** Hands one event to the rules. Events that arise meanwhile wait their turn. */
  dispatch(event: GatewayEvent): void {
    if (this.#isRunning) {
      this.#events ??= [];
      this.#events.push(event);
      return;
    }
    this.#isRunning = true;
    this.#handle(event);
    this.#finish();
  }

  /** Does what the rules asked for outside of an event. */
  perform(effects: readonly GatewayEffect[]): void {
    const wasRunning = this.#isRunning;
    this.#isRunning = true;
    for (const effect of effects) this.#perform(effect);
    if (!wasRunning) this.#finish();
  }

  /** No more ticks. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Handles what arose meanwhile, and what arises of that. */
  #finish(): void {
    for (let next = this.#events?.shift(); next !== undefined; next = this.#events?.shift()) this.#handle(next);
    this.#isRunning = false;
    this.#arm();
    this.#parts.idle();
  }

  #handle(event: GatewayEvent): void {
    const { engine, eventFailed, now } = this.#parts;
    let effects: readonly GatewayEffect[] = [];
    try {
      effects = engine.handle(event, now());
    } catch (error) {
      attempt(() => eventFailed(event, error));
    }
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: GatewayEffect): void {
    const { effectFailed, perform } = this.#parts;
    try {
      perform(effect);
    } catch (error) {
      attempt(() => effectFailed(effect, error));
    }
  }

  #arm(): void {
    const { engine, now } = this.#parts;
    const { wakeAtMs } = engine;
    if (this.#isClosed || wakeAtMs === undefined || wakeAtMs >= this.#armedForMs) return;
    clearTimeout(this.#timer);
    this.#armedForMs = wakeAtMs;
    const delayMs = Math.min(Math.max(0, wakeAtMs - now()), longestTimerMs);
    this.#timer = setTimeout(() => {
      this.#armedForMs = Number.POSITIVE_INFINITY;
      this.dispatch({ kind: "tick" });
    }, delayMs);
  }
}

/** Where a failure is being dealt with, another one has nobody left to be told to. */
function attempt(action: () => void): void {
  try {
    action();
  } catch {}
}
