import type { AttributesRequest, AttributesResponse, Call, CallResult, DeviceId } from "../message/message.ts";
import type { Cargo, Core } from "./core.ts";
import type { CarriedLocal } from "./event.ts";
import type { Lanes } from "./lanes.ts";
import type { Outbox } from "./outbox.ts";

/** More are not waited for at a time; the oldest are given up. */
const maxOpen = 4096;

export interface PassedQuestionsParts {
  readonly core: Core;
  readonly lanes: Lanes;
  readonly outbox: Outbox;
}

/** Questions that the cloud answers itself. They are bound to the connection they came on: its ids mean nothing on another. */
export class PassedQuestions {
  readonly #parts: PassedQuestionsParts;
  readonly #core: Core;
  readonly #askers = new Map<string, number>();

  constructor(parts: PassedQuestionsParts) {
    this.#parts = parts;
    this.#core = parts.core;
  }

  ask(message: AttributesRequest, arriving: Cargo): void {
    this.#pass(message, arriving, keyOf("attributes", message.device, message.id), message.device);
  }

  call(message: Call, arriving: Cargo): void {
    this.#pass(message, arriving, keyOf("call", undefined, message.id), undefined);
  }

  /** Gives an answer to the connection that asked, if it is still there. */
  answered(message: AttributesResponse | CallResult, device: DeviceId | undefined): void {
    const key = keyOf(message.kind === "callResult" ? "call" : "attributes", device, message.id);
    const connection = this.#askers.get(key);
    this.#askers.delete(key);
    if (connection === undefined || connection !== this.#core.connection) return;
    this.#core.deliver({ ...message, ...(device === undefined ? {} : { device }) }, connection, () => undefined);
  }

  connectionEnded(connection: number): void {
    for (const [key, asker] of this.#askers) if (asker === connection) this.#askers.delete(key);
  }

  /** See `CarriedLocal`. */
  carry(): CarriedLocal["asked"] {
    return [...this.#askers];
  }

  carried(asked: CarriedLocal["asked"]): void {
    for (const [key, connection] of asked) this.#askers.set(key, connection);
  }

  #pass(message: AttributesRequest | Call, arriving: Cargo, key: string, device: DeviceId | undefined): void {
    const { connection } = arriving;
    if (connection === undefined || connection !== this.#core.connection) {
      this.#core.settleAt(arriving, { kind: "dropped", reason: "gone" });
      return;
    }
    const lane = this.#parts.lanes.of(device);
    lane.lastSeenMs = arriving.arrivedMs;
    const cargo = this.#parts.outbox.admit(lane, arriving);
    if (cargo === undefined) return;
    this.#askers.delete(key);
    this.#askers.set(key, connection);
    if (this.#askers.size > maxOpen) this.#askers.delete(this.#askers.keys().next().value as string);
    this.#parts.outbox.push(lane, message, cargo);
  }
}

function keyOf(kind: "attributes" | "call", device: DeviceId | undefined, id: number): string {
  return JSON.stringify([kind, device, id]);
}
