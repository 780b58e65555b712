import type { Fate, Ledger } from "../message/fate.ts";
import { quarantinedKey, waitingKey } from "./keys.ts";
import type { PendingWrites } from "./pending-writes.ts";
import {
  type Code,
  code,
  codeAt,
  codeOf,
  isFinal,
  type RecordState,
  setCode,
  type Wait,
  waitFor,
} from "./record-state.ts";
import { move, reasonOf } from "./tally.ts";
import { WaitingDevices } from "./waiting-devices.ts";

/** Moves the messages of one gateway from fate to fate, and with them the ledger, the indexes and the counters of devices. */
export class FateMoves {
  readonly devices: WaitingDevices;
  readonly #writes: PendingWrites;
  readonly #gateway: number;
  readonly #ledger: Ledger;

  constructor(writes: PendingWrites, gateway: { readonly number: number; readonly ledger: Ledger }) {
    this.#writes = writes;
    this.#gateway = gateway.number;
    this.#ledger = gateway.ledger;
    this.devices = new WaitingDevices(writes, gateway.number);
  }

  /** Gives everything that is left in a record the same fate. */
  moveAll(state: RecordState, fate: Fate): void {
    for (let index = 0; index < state.count; index++) {
      if (!isFinal(codeAt(state, index) as Code)) this.move(state, index, fate);
    }
  }

  /** Without a fate the message is open again. */
  move(state: RecordState, index: number, fate: Fate | undefined): void {
    const from = codeAt(state, index) as Code;
    const to = fate === undefined ? code.open : codeOf(fate);
    if (from !== code.open) this.unindex(state, index, from);
    if (fate === undefined || isFinal(to)) {
      const reason = fate && reasonOf(fate);
      setCode(state, index, to);
      move(this.#ledger, from, to, reason);
      if (to === code.dropped && state.record !== undefined) {
        state.dropReasons ??= new Map();
        state.dropReasons.set(index, reason);
      }
      return;
    }
    const wait = waitFor(fate) as Wait;
    setCode(state, index, to, wait);
    move(this.#ledger, from, to);
    this.#index({ seq: state.seq, index }, to, wait);
  }

  /** Takes a message out of the index that a code puts it into. */
  unindex({ seq, waits }: RecordState, index: number, from: Code): void {
    const device = waits?.get(index)?.device;
    if (from === code.quarantined) this.#writes.remove(quarantinedKey(this.#gateway, { seq, index }));
    else if (device !== undefined) {
      this.#writes.remove(waitingKey(this.#gateway, device, { seq, index }));
      this.devices.add(device, from === code.held ? { held: -1, parked: 0 } : { held: 0, parked: -1 });
    }
  }

  #index(ref: { seq: number; index: number }, to: Code, { device, reason }: Wait): void {
    if (to === code.quarantined) this.#writes.put(quarantinedKey(this.#gateway, ref));
    else if (device !== undefined) {
      this.#writes.put(waitingKey(this.#gateway, device, ref));
      this.devices.add(device, to === code.held ? { held: 1, parked: 0 } : { held: 0, parked: 1 }, reason);
    }
  }
}
