import { reachAheadMs, reachBackMs } from "../upstream/clock-doubt.ts";
import type { Failure } from "../upstream/failure.ts";
import type { LoginKit, TokenWindow } from "./login-kit.ts";

/** What the clouds tolerate, where the dialect does not say (vendors, "Using JSON Web Tokens"). */
const usualSkewMs = 600_000;
/** Tokens that end where they are made to end, so that the two sides' clocks must agree. */
const shortMs = 1000;
const minuteMs = 60_000;

/** By how much this machine's clock is wrong, between the two; positive: it is ahead. */
export interface ClockError {
  readonly leastMs: number;
  readonly mostMs: number;
}

/** Whether the clocks agree within what the cloud tolerates: a token good for a second is taken then, and only then. */
export async function clocksAgree(kit: LoginKit): Promise<Failure | undefined> {
  return kit.attempt({ window: { fromMs: 0, toMs: shortMs } });
}

/**
 * Finds out whether it is for the clock that tokens are refused: by tokens that reach hours back, or ahead. Returns how far it
 * is off; nothing where those are refused as well, or one for now is taken after all.
 */
export async function findClockError(kit: LoginKit, doing: (what: string) => void): Promise<ClockError | undefined> {
  const lifetimeMs = kit.config.upstream.options.tokenLifetime;
  const sides: readonly ["ahead" | "behind", TokenWindow][] = [
    ["ahead", { fromMs: -reachBackMs, toMs: lifetimeMs }],
    ["behind", { fromMs: 0, toMs: reachAheadMs }],
  ];
  for (const [side, window] of sides) {
    doing(`a token that reaches ${side === "ahead" ? "hours back" : "a day ahead"}`);
    if ((await kit.attempt({ window })) !== undefined) continue;
    doing("one for now once more");
    // Somebody may just have mended something.
    return (await kit.attempt()) === undefined ? undefined : measure(kit, side, doing);
  }
  return undefined;
}

/**
 * How far the clock is off on that side, to within what the cloud tolerates. A token that begins (or ends) further and further
 * from now is taken as long as that is not beyond the cloud's own time.
 */
export async function measure(
  kit: LoginKit,
  side: "ahead" | "behind",
  doing: (what: string) => void,
): Promise<ClockError> {
  const skewMs = kit.config.upstream.dialect.listener?.token.skewMs ?? usualSkewMs;
  let taken = 0;
  let refused = side === "ahead" ? reachBackMs - minuteMs : reachAheadMs - minuteMs;
  while (refused - taken > skewMs) {
    const middle = Math.round((taken + refused) / 2 / minuteMs) * minuteMs;
    doing(`a token for ${Math.round(middle / minuteMs)} minutes ${side === "ahead" ? "ago" : "from now"}`);
    const window = side === "ahead" ? { fromMs: -reachBackMs, toMs: -middle } : { fromMs: middle, toMs: reachAheadMs };
    if ((await kit.attempt({ window })) === undefined) taken = middle;
    else refused = middle;
  }
  const [least, most] = [Math.max(skewMs, taken) - skewMs, refused - skewMs];
  return side === "ahead" ? { leastMs: least, mostMs: most } : { leastMs: -most, mostMs: -least };
}

/** "ahead by 55 to 65 minutes". */
export function describeClockError({ leastMs, mostMs }: ClockError): string {
  const [near, far] = [Math.abs(leastMs), Math.abs(mostMs)].sort((a, b) => a - b) as [number, number];
  const span = `${Math.round(near / minuteMs)} to ${Math.round(far / minuteMs)} minutes`;
  return `${mostMs > 0 ? "ahead" : "behind"} by ${span}`;
}
