import { KeptUpstream } from "../../src/bridge/kept-upstream.ts";
import { Link } from "../../src/bridge/link.ts";
import { shareOf } from "../../src/bridge/memory-share.ts";
import { pairOf } from "../../src/bridge/pairing.ts";
import { ReadingTurns } from "../../src/bridge/reading-turns.ts";
import { createGateway } from "../../src/gateway/gateway.ts";
import type { LocalClient } from "../../src/local/listener.ts";
import { dialectNamed } from "../../src/mappings.ts";
import { createLatency } from "../../src/message/latency.ts";
import type { Packet } from "../../src/message/packet.ts";
import { openSpool } from "../../src/spool/open-spool.ts";
import type { Spool } from "../../src/spool/spool.ts";
import type { UpstreamConnection, UpstreamHandlers } from "../../src/upstream/connection.ts";
import { type Timing, timeTurns } from "../timing.ts";

/** Messages: so many that the moment for which the spool gathers them, 2 ms, counts little for each. */
const perTurn = 2000;

/**
 * One packet through a link: decoded, admitted, journaled in memory, handed to the rules, printed, acknowledged by a cloud
 * that does nothing else, settled. What is left of a bridge without its sockets and its disk.
 */
export async function measure(): Promise<readonly Timing[]> {
  const spool = await openSpool({ directory: "memory", maxBytes: 1024 ** 3, whenFull: "refuse" });
  const one = await openLink(spool, 1);
  const ten = await openLink(spool, 10);
  const byHand = "one device, by hand: JSON.parse, JSON.stringify";
  try {
    const ns = await timeTurns({ one: one.turn, ten: ten.turn, hand: translateByHand });
    return [
      { name: "one device per packet", ns: ns.one / perTurn, against: byHand },
      { name: "ten devices per packet, each device", ns: ns.ten / perTurn, against: byHand },
      { name: byHand, ns: ns.hand / perTurn },
    ];
  } finally {
    await Promise.all([one.link.close(0), ten.link.close(0)]);
    await spool.close();
  }
}

async function openLink(spool: Spool, devices: number) {
  const id = `gw-${devices}`;
  const own = spool.gateway(id);
  const { local, upstream, engine } = pairOf(dialectNamed("thingsboard"), dialectNamed("google"));
  const unlimited = { ...engine.upstream, limits: {} };
  let handlers: UpstreamHandlers | undefined;
  const acknowledge = (token: number) => setImmediate(() => handlers?.acknowledged(token, 0));
  const cloud: Partial<UpstreamConnection> & Pick<UpstreamConnection, "publish"> = {
    state: "open",
    publish: (_packet, token) => void acknowledge(token),
    subscribe: (filters, token) => void setImmediate(() => handlers?.subscribed(token, Array(filters.length).fill(1))),
    unsubscribe: () => undefined,
    close: async () => undefined,
  };
  const link = new Link({
    ...{ id, local, upstream, spool: own, latency: createLatency(), now: Date.now },
    engine: createGateway({ ...engine, upstream: unlimited, inFlight: 10_000, settleMs: 0, facts: [] }),
    readingTurns: new ReadingTurns(),
    share: shareOf(1),
    dialectOf: () => local,
    connection: new KeptUpstream((given) => {
      handlers = given;
      return cloud as UpstreamConnection;
    }),
    deliver: async () => "offline",
    revoke: () => undefined,
    verifyDevice: async () => undefined,
    localAs: () => local,
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  const client: LocalClient = { gateway: id, name: id, connection: 1, protocol: 4 };
  handlers?.opened();
  link.localConnected(client);
  const packets = Array.from({ length: 64 }, (_, index) => packetOf(index, devices));
  let packetId = 0;
  const turn = async () => {
    let unanswered = perTurn / devices;
    const answer = () => {
      unanswered -= 1;
    };
    for (let i = unanswered; i > 0; i--) {
      packetId = (packetId % 65_535) + 1;
      link.publish(client, packets[packetId % packets.length] as Packet, { packetId, isBehindRefused: false, answer });
    }
    while (unanswered > 0) await new Promise(setImmediate);
    while (own.ledger.pending > 0) await new Promise(setImmediate);
  };
  await turn();
  return { link, turn };
}

function packetOf(index: number, devices: number): Packet {
  const points = (device: number) =>
    `"Device ${device}":[{"ts":${1_483_228_800_000 + index},"values":{"q":${index},"temperature":21.5,"status":"ok"}}]`;
  const text = `{${Array.from({ length: devices }, (_, device) => points(device)).join(",")}}`;
  return { topic: "v1/gateway/telemetry", payload: Buffer.from(text), qos: 1 };
}

const byHandPacket = packetOf(0, 1);

async function translateByHand(): Promise<unknown> {
  let made: unknown;
  for (let i = 0; i < perTurn; i++) {
    const devices = JSON.parse(Buffer.from(byHandPacket.payload).toString()) as Record<string, unknown>;
    for (const [device, points] of Object.entries(devices)) {
      made = { topic: `/devices/${device}/events`, payload: Buffer.from(JSON.stringify(points)), qos: 1 };
    }
  }
  return made;
}
