import type { KeptUpstream } from "./kept-upstream.ts";

export interface RestOptions {
  /** What takes longer than this is given up, to be done again. */
  readonly withinMs: number;
  /** The connection upstream is closed then. */
  readonly isLast: boolean;
}

/** How one link gives its place to another: it begins nothing, ends what is under way, and passes on what comes then. */
export class Succession<Successor> {
  /** Packets of the gateway that are on their way to the disk. */
  packets = 0;
  /** Packets that are on their way to the gateway. */
  deliveries = 0;
  /** What would be begun now, the other link begins. */
  isUnderWay = false;
  /** Nothing that happens is this link's any more. */
  isOver = false;
  #successor: Promise<Successor> | undefined;
  #give: ((successor: Successor) => void) | undefined;

  /** Where a packet that comes now has to wait; `undefined`: nowhere. */
  get successor(): Promise<Successor> | undefined {
    return this.#successor;
  }

  /** Resolves when nothing is under way any more, upstream or to the gateway. `isBusy`: something else still is. */
  async rest(upstream: KeptUpstream, isBusy: () => boolean, { withinMs, isLast }: RestOptions): Promise<void> {
    this.isUnderWay = true;
    upstream.hold();
    const deadline = Date.now() + withinMs;
    const hasWork = () => !upstream.isIdle || this.deliveries > 0 || isBusy();
    while (hasWork() && Date.now() < deadline) await pause();
    if (isLast) await upstream.close({ drainMs: 0 });
    else if (!upstream.isIdle) upstream.reconnect("reload");
    while (!upstream.isIdle) await pause();
    this.#successor = new Promise((resolve) => {
      this.#give = resolve;
    });
    while (this.packets > 0) await pause();
  }

  /** It is there: packets that have waited for it go to it, in their order. */
  succeeded(successor: Successor): void {
    this.#give?.(successor);
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2));
}
