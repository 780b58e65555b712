/**
 * Holds back what leaves the process until the facts that it rests on are on disk, and keeps its order. A reply then finds
 * the command that it answers, and a configuration that was acknowledged is known to be taken, whenever the process ends.
 *
 * All that waits shares one sync. When the disk fails it goes all the same: nothing is lost by that unless the process ends
 * too, and commands are wanted most when something is wrong.
 */
export class AfterFacts {
  readonly #flushed: () => Promise<void>;
  readonly #waiting: { readonly stored: number; readonly action: () => void }[] = [];
  /** Facts asked to be stored, and how many of them are on disk. */
  #stored = 0;
  #onDisk = 0;
  #flushing: Promise<void> | undefined;

  /** @param flushed Resolves when all that was asked for until now is on disk. */
  constructor(flushed: () => Promise<void>) {
    this.#flushed = flushed;
  }

  /** A fact was asked to be stored: what is to be done from here on rests on it. */
  stored(): void {
    this.#stored += 1;
  }

  /** Does it now, or as soon as what it rests on is on disk. `action` must not throw. */
  run(action: () => void): void {
    if (this.#stored === this.#onDisk && this.#waiting.length === 0) {
      action();
      return;
    }
    this.#waiting.push({ stored: this.#stored, action });
    this.#flushing ??= this.#flush();
  }

  /** Whether something waits. */
  get isBusy(): boolean {
    return this.#flushing !== undefined;
  }

  /** Resolves when all that waited is done. */
  async done(): Promise<void> {
    await this.#flushing;
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const stored = this.#stored;
      await this.#flushed().catch(() => undefined);
      this.#onDisk = stored;
      const later = this.#waiting.findIndex((waiting) => waiting.stored > stored);
      for (const { action } of this.#waiting.splice(0, later === -1 ? this.#waiting.length : later)) action();
    }
    this.#flushing = undefined;
  }
}
