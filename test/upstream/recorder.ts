import type { Packet } from "../../src/message/packet.ts";
import type { UpstreamHandlers } from "../../src/upstream/connection.ts";

export type Told =
  | { readonly kind: "opened" }
  | {
      readonly kind: "closed";
      readonly reason: string;
      readonly detail: string;
      readonly unacknowledged: readonly number[];
    }
  | { readonly kind: "acknowledged"; readonly token: number; readonly code: number }
  | {
      readonly kind: "received";
      readonly topic: string;
      readonly payload: string;
      readonly qos: number;
      readonly inbound: number;
    }
  | { readonly kind: "subscribed"; readonly token: number; readonly codes: readonly number[] }
  | { readonly kind: "oversized"; readonly topic: string; readonly bytes: number };

type Of<Kind extends Told["kind"]> = Extract<Told, { kind: Kind }>;

/** Handlers that write down what they are told, and a way to await it. Each thing told is handed out once. */
export function createRecorder() {
  const told: Told[] = [];
  const waiting: { kind: Told["kind"]; resolve: (told: never) => void }[] = [];
  const tell = (event: Told): void => {
    const at = waiting.findIndex(({ kind }) => kind === event.kind);
    if (at < 0) told.push(event);
    else waiting.splice(at, 1)[0]?.resolve(event as never);
  };
  const handlers: UpstreamHandlers = {
    opened: () => tell({ kind: "opened" }),
    closed: (reason, detail, unacknowledged) => tell({ kind: "closed", reason, detail, unacknowledged }),
    acknowledged: (token, code) => tell({ kind: "acknowledged", token, code }),
    received: ({ topic, payload, qos }: Packet, inbound) =>
      tell({ kind: "received", topic, payload: Buffer.from(payload).toString(), qos, inbound }),
    subscribed: (token, codes) => tell({ kind: "subscribed", token, codes }),
    oversized: (topic, bytes) => tell({ kind: "oversized", topic, bytes }),
  };
  /** The next thing of a kind, told before or yet to be. */
  const next = <Kind extends Told["kind"]>(kind: Kind): Promise<Of<Kind>> => {
    const at = told.findIndex((event) => event.kind === kind);
    if (at >= 0) return Promise.resolve(told.splice(at, 1)[0] as Of<Kind>);
    return new Promise((resolve) => waiting.push({ kind, resolve: resolve as (told: never) => void }));
  };
  const take = async <Kind extends Told["kind"]>(kind: Kind, count: number): Promise<Of<Kind>[]> => {
    const events: Of<Kind>[] = [];
    while (events.length < count) events.push(await next(kind));
    return events;
  };
  return { handlers, next, take, told };
}

export function packet(topic: string, payload: string | Uint8Array = "", qos: 0 | 1 = 1): Packet {
  return { topic, payload: typeof payload === "string" ? Buffer.from(payload) : payload, qos };
}
