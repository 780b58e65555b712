import type { ReconnectPolicy } from "../message/traits.ts";

/** Google, "Exponential backoff": doubling from 1 s to 64 s, up to 1 s of jitter. Reasons that no policy names wait like this. */
const defaultPolicy: ReconnectPolicy = { reason: "default", firstMs: 1000, capMs: 64_000, jitterMs: 1000 };

/** Reasons that are no failure: they wait a flat time and leave the growth of the others alone. */
const flatPolicies: readonly ReconnectPolicy[] = [
  // At once, jitter up to 5 s, so that a fleet's tokens do not expire together for ever.
  { reason: "token-expired", firstMs: 0, capMs: 0, jitterMs: 5000 },
  // A message that may be to blame for closes is looked for by reconnecting: 1 to 2 s, flat.
  { reason: "elimination", firstMs: 1000, capMs: 1000, jitterMs: 1000 },
];

/**
 * How long to wait before the next attempt to connect: times that grow per reason, by the policies of a dialect.
 *
 * A policy fits its own `reason`; failing that, the word before a number (`connack` for `connack-5`), then `default`.
 */
export class Backoff {
  readonly #policies: readonly ReconnectPolicy[];
  readonly #random: () => number;
  /** Failures by reason; none while the connection is stable. */
  #failures: Map<string, number> | undefined;

  constructor(policies: readonly ReconnectPolicy[], random: () => number) {
    this.#policies = policies;
    this.#random = random;
  }

  /** Milliseconds to wait after a connection or an attempt ended for `reason`. Each call counts as one failure. */
  next(reason: string): number {
    const { firstMs, capMs, jitterMs, quickTries = 1 } = this.#policyFor(reason);
    const failures = this.#failures?.get(reason) ?? 0;
    if (!flatPolicies.some((policy) => policy.reason === reason)) {
      this.#failures ??= new Map();
      this.#failures.set(reason, failures + 1);
    }
    const doublings = Math.max(0, failures - Math.max(1, quickTries) + 1);
    return Math.min(firstMs * 2 ** doublings, capMs) + this.#random() * jitterMs;
  }

  /** Starts over: the connection has been stable. */
  reset(): void {
    this.#failures = undefined;
  }

  #policyFor(reason: string): ReconnectPolicy {
    const policies = this.#policies;
    return (
      policies.find((policy) => policy.reason === reason) ??
      flatPolicies.find((policy) => policy.reason === reason) ??
      policies.find((policy) => policy.reason === reason.replace(/-\d+$/, "")) ??
      policies.find((policy) => policy.reason === "default") ??
      defaultPolicy
    );
  }
}
