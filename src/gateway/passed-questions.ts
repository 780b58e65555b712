import type { AttributesRequest, AttributesResponse, Call, CallResult, DeviceId } from "../message/message.ts";
import type { Core } from "./core.ts";
import type { CarriedLocal } from "./event.ts";
import type { Lanes } from "./lanes.ts";
import type { Arriving, Outbox } from "./outbox.ts";

export interface PassedQuestions {
  ask(message: AttributesRequest, arriving: Arriving): void;
  call(message: Call, arriving: Arriving): void;
  /** Gives an answer to the connection that asked, if it is still there. */
  answered(message: AttributesResponse | CallResult, device: DeviceId | undefined): void;
  connectionEnded(connection: number): void;
  /** See `CarriedLocal`. */
  carry(): CarriedLocal["asked"];
  carried(asked: CarriedLocal["asked"]): void;
}

/** More are not waited for at a time; the oldest are given up. */
const maxOpen = 4096;

/** Questions that the cloud answers itself. They are bound to the connection they came on: its ids mean nothing on another. */
export function createPassedQuestions(core: Core, lanes: Lanes, outbox: Outbox): PassedQuestions {
  const askers = new Map<string, number>();

  return {
    ask(message, arriving) {
      pass(message, arriving, keyOf("attributes", message.device, message.id), message.device);
    },

    call(message, arriving) {
      pass(message, arriving, keyOf("call", undefined, message.id), undefined);
    },

    answered(message, device) {
      const key = keyOf(message.kind === "callResult" ? "call" : "attributes", device, message.id);
      const connection = askers.get(key);
      askers.delete(key);
      if (connection === undefined || connection !== core.connection) return;
      core.deliver({ ...message, ...(device === undefined ? {} : { device }) }, connection, () => undefined);
    },

    connectionEnded(connection) {
      for (const [key, asker] of askers) if (asker === connection) askers.delete(key);
    },

    carry: () => [...askers],

    carried(asked) {
      for (const [key, connection] of asked) askers.set(key, connection);
    },
  };

  function pass(
    message: AttributesRequest | Call,
    arriving: Arriving,
    key: string,
    device: DeviceId | undefined,
  ): void {
    const { connection } = arriving;
    if (connection === undefined || connection !== core.connection) {
      core.settleAt(arriving, { kind: "dropped", reason: "gone" });
      return;
    }
    const lane = lanes.of(device);
    lane.lastSeenMs = arriving.arrivedMs;
    const cargo = outbox.admit(lane, arriving);
    if (cargo === undefined) return;
    askers.delete(key);
    askers.set(key, connection);
    if (askers.size > maxOpen) askers.delete(askers.keys().next().value as string);
    outbox.push(lane, message, cargo);
  }
}

function keyOf(kind: "attributes" | "call", device: DeviceId | undefined, id: number): string {
  return JSON.stringify([kind, device, id]);
}
