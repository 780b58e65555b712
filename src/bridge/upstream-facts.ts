/**
 * What an operator is told of a gateway's connections upstream: since when, why the last one ended, how often each reason
 * came, and how long the gap was.
 */
export class UpstreamFacts {
  readonly #closes: Record<string, number> = {};
  #lastClose: { readonly reason: string; readonly detail: string } | undefined;
  #sinceMs: number | undefined;
  #awaySinceMs: number | undefined;
  /** From the last connection's end to this one's beginning. */
  #gapMs: number | undefined;

  opened(nowMs: number): { readonly after?: string; readonly gapMs?: number } {
    const after = this.#lastClose?.reason;
    if (this.#awaySinceMs !== undefined) this.#gapMs = nowMs - this.#awaySinceMs;
    this.#awaySinceMs = undefined;
    this.#sinceMs = nowMs;
    this.#lastClose = undefined;
    return this.#gapMs === undefined || after === undefined ? {} : { gapMs: this.#gapMs, after };
  }

  /** Counted by `count`, once it is known what it was. */
  closed(reason: string, detail: string, nowMs: number): void {
    this.#lastClose = { reason, detail };
    if (this.#sinceMs !== undefined) this.#awaySinceMs = nowMs;
    this.#sinceMs = undefined;
  }

  /** The rules know better what the close was: that is what status shows. */
  rename(reason: string, detail: string): void {
    this.#lastClose = { reason, detail };
  }

  /** Counts the close under the name that it has by now. */
  count(): void {
    const reason = this.#lastClose?.reason;
    if (reason !== undefined) this.#closes[reason] = (this.#closes[reason] ?? 0) + 1;
  }

  status() {
    return {
      ...(this.#lastClose ?? {}),
      ...(this.#gapMs === undefined ? {} : { gapMs: this.#gapMs }),
      closes: { ...this.#closes },
    };
  }
}
