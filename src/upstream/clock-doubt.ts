/**
 * What a token should say about its time. `now`: what is true by this machine's clock. The others hold over a long time:
 * `back` reaches back from now, and `ahead` on from now, as far as the clouds let a token live.
 */
export type TokenReach = "now" | "back" | "ahead";

export const reachBackMs = 12 * 3_600_000;
/** No token may live longer (vendors, "Using JSON Web Tokens"). */
export const reachAheadMs = 24 * 3_600_000;

/** So many refusals in a row raise the question whether it is the clock. */
const refusalsOfDoubt = 2;
/** What the clouds tolerate (vendors, "Using JSON Web Tokens"). */
const tolerance = "10 min";

/** Whether a connection ended for the credentials: MQTT 3.1.1, table 3.1, and MQTT 5, 3.2.2.2. */
export function isCredentialRefusal(reason: string): boolean {
  return /^connack-(?:4|5|134|135)$/.test(reason);
}

/**
 * Finds out whether it is this machine's clock for which a cloud refuses tokens. Nothing in MQTT tells the time of the other
 * side, but a token that is good for a longer time is taken where one for now is not, and that says on which side of it now is.
 * It is believed only when one for now is refused once more: somebody may just have mended something.
 *
 * Within what the cloud tolerates nothing can be found, and nothing needs to be.
 */
export class ClockDoubt {
  /** What the next token should say. */
  reach: TokenReach = "now";
  #phase: "calm" | "trying" | "confirming" | "known" | "acquitted" = "calm";
  #refusals = 0;
  #candidate: "back" | "ahead" = "back";

  /** A token was taken. Returns whether the connection is good for more than knowing that. */
  taken(): boolean {
    if (this.#phase === "trying") {
      this.#phase = "confirming";
      this.reach = "now";
      return false;
    }
    if (this.reach === "now") this.#phase = "calm";
    this.#refusals = 0;
    this.reach = "now"; // perhaps the clock is mended by the next time
    return true;
  }

  /** An attempt with this reach ended. */
  ended(reason: string): void {
    if (!isCredentialRefusal(reason)) return;
    this.#refusals += 1;
    switch (this.#phase) {
      case "calm":
        if (this.#refusals >= refusalsOfDoubt) this.#try("back");
        return;
      case "trying":
        if (this.reach === "back") this.#try("ahead");
        else this.#give("acquitted", "now");
        return;
      case "confirming":
        this.#give("known", this.#candidate);
        return;
      case "known":
        if (this.reach === "now") this.reach = this.#candidate;
        else this.#give("calm", "now");
        return;
      case "acquitted":
    }
  }

  /** What the clock is known to be off by. */
  get finding(): string | undefined {
    if (this.#phase !== "known") return undefined;
    return this.#candidate === "back"
      ? `this machine's clock is ahead, by more than ${tolerance}: the cloud takes only tokens issued hours ago`
      : "this machine's clock is behind, by more than the lifetime of a token: the cloud takes only tokens for the next day";
  }

  /** What to say about a refusal. */
  advice(reason: string, nowMs: number): string {
    if (!isCredentialRefusal(reason)) return "";
    if (this.finding !== undefined) return `; ${this.finding}`;
    if (this.#phase === "acquitted") {
      return "; an id, the audience or the key is wrong, or the clock is by half a day or more: tokens for a longer time are refused too";
    }
    const clock = new Date(nowMs).toISOString();
    return `; where ids and key are right it is the clock, which may be off by ${tolerance}: this machine's says ${clock}`;
  }

  #try(reach: "back" | "ahead"): void {
    this.#candidate = reach;
    this.#give("trying", reach);
  }

  #give(phase: "calm" | "trying" | "known" | "acquitted", reach: TokenReach): void {
    this.#phase = phase;
    this.reach = reach;
  }
}

/** What to say about a certificate that we refuse for its time, in OpenSSL's words. */
export function certificateAdvice(reason: string, detail: string, nowMs: number): string {
  if (reason !== "tls" || !/certificate (?:is not yet valid|has expired)/.test(detail)) return "";
  const clock = new Date(nowMs).toISOString();
  return detail.includes("not yet")
    ? `: this machine's clock is behind, it says ${clock}`
    : `, or this machine's clock is ahead: it says ${clock}`;
}
