import { KeptUpstream } from "../../src/bridge/kept-upstream.ts";
import { Link, type LinkParts } from "../../src/bridge/link.ts";
import { shareOf } from "../../src/bridge/memory-share.ts";
import { pairOf } from "../../src/bridge/pairing.ts";
import { ReadingTurns } from "../../src/bridge/reading-turns.ts";
import { createGateway } from "../../src/gateway/gateway.ts";
import type { LocalRegistry } from "../../src/gateway/local-attachments.ts";
import type { LocalClient } from "../../src/local/listener.ts";
import { dialectNamed } from "../../src/mappings.ts";
import { createLatency } from "../../src/message/latency.ts";
import type { Packet } from "../../src/message/packet.ts";
import type { Journal } from "../../src/spool/journal.ts";
import type { UpstreamConnection, UpstreamHandlers } from "../../src/upstream/connection.ts";

export const client: LocalClient = { gateway: "gw", name: "gw", connection: 1, protocol: 4 };

export interface LinkSetup {
  /** The local side's. */
  readonly dialect?: "thingsboard" | "google";
  readonly registry?: LocalRegistry;
  readonly verifyDevice?: LinkParts["verifyDevice"];
  /** What of the backlog may be in memory. */
  readonly messages?: number;
  readonly trace?: NonNullable<LinkParts["trace"]>;
}

/** A link whose cloud takes what it is sent, once `answer` is called; `published` is what it was sent, in order. */
export function linkOver(journal: Journal, setup: LinkSetup = {}) {
  const { dialect = "thingsboard", messages = 100, registry, trace, verifyDevice = async () => undefined } = setup;
  const { local, upstream, engine } = pairOf(dialectNamed(dialect), dialectNamed("google"));
  const published: string[] = [];
  const replies: string[] = [];
  const open: number[] = [];
  let handlers: UpstreamHandlers | undefined;
  const answer = () => {
    for (const token of open.splice(0)) handlers?.acknowledged(token, 0);
  };
  const cloud: Partial<UpstreamConnection> = {
    state: "open",
    get outstanding() {
      return open.length;
    },
    publish: ({ topic, payload }, token) => {
      const text = Buffer.from(payload).toString();
      if (topic.endsWith("/events")) published.push(JSON.parse(text)[0].values.q);
      if (topic.endsWith("/responses")) replies.push(text);
      open.push(token);
    },
    subscribe: (filters, token) => setImmediate(() => handlers?.subscribed(token, Array(filters.length).fill(1))),
    unsubscribe: () => undefined,
    close: async () => undefined,
  };
  const connection = new KeptUpstream((given) => {
    handlers = given;
    return cloud as UpstreamConnection;
  });
  const id = client.gateway;
  const begin = () =>
    new Link({
      ...{ id, local, upstream, latency: createLatency(), now: Date.now, spool: journal.gateway(id) },
      engine: createGateway({
        ...engine,
        upstream: { ...engine.upstream, limits: {} },
        inFlight: 1000,
        settleMs: 0,
        facts: journal.gateway(id).entries(),
        ...(registry === undefined ? {} : { registry }),
      }),
      readingTurns: new ReadingTurns(),
      share: { ...shareOf(1), messages },
      trace,
      dialectOf: () => local,
      connection,
      deliver: async () => "acknowledged",
      revoke: () => undefined,
      verifyDevice,
      localAs: () => local,
      log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    });
  const opened = {
    answer,
    link: begin(),
    lose: () => handlers?.closed("offline", "", open.splice(0)),
    open,
    order: (packet: Omit<Packet, "qos">) => handlers?.received({ ...packet, qos: 1 }, 1),
    published,
    regain: () => handlers?.opened(),
    replies,
    /** Has another link take the place of one that rests; `connected`: the local connection that there is. */
    replace(connected?: LocalClient) {
      const old = opened.link;
      const carried = old.leave();
      opened.link = begin();
      opened.link.resume({ carried, client: connected && { ...connected, sinceMs: 0 } });
      old.succeeded(opened.link);
    },
  };
  handlers?.opened();
  opened.link.localConnected(client);
  return opened;
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}
