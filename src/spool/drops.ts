import type { Oldest } from "./oldest-first.ts";
import type { TurnGateway } from "./turn.ts";

/** The records that make room for one other: chosen among those that are not being sent, and told to who has them in hand. */
export class Drops {
  readonly #gateways: readonly (TurnGateway | undefined)[];
  readonly #sending = new Map<number, ReadonlySet<number> | undefined>();
  readonly #dropped = new Map<number, Set<number>>();

  constructor(gateways: readonly (TurnGateway | undefined)[]) {
    this.#gateways = gateways;
  }

  readonly isSending = ({ gateway, seq }: Oldest): boolean => {
    if (!this.#sending.has(gateway)) this.#sending.set(gateway, this.#gateways[gateway]?.sending());
    return this.#sending.get(gateway)?.has(seq) === true;
  };

  add({ gateway, seq }: Oldest): void {
    const seqs = this.#dropped.get(gateway);
    if (seqs === undefined) this.#dropped.set(gateway, new Set([seq]));
    else seqs.add(seq);
  }

  tell(): void {
    for (const [gateway, seqs] of this.#dropped) this.#gateways[gateway]?.dropped(seqs);
  }
}
