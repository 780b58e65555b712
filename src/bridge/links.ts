import type { Config, GatewayConfig } from "../config.ts";
import type { LocalClient, LocalListener, LocalWiring } from "../local/listener.ts";
import type { Reachability } from "../upstream/reachability.ts";
import type { Turnstile } from "../upstream/turnstile.ts";
import { type BoundDialects, boundDialects } from "./bound-dialects.ts";
import { EventLoopLoad } from "./event-loop-load.ts";
import type { KeptUpstream } from "./kept-upstream.ts";
import type { Link } from "./link.ts";
import { type LinkSurroundings, openLink, type ToLocal, upstreamFor } from "./open-link.ts";
import type { GatewayChange, ReloadPlan } from "./plan-reload.ts";
import { ReadingTurns } from "./reading-turns.ts";

/** How long what is under way may take to end before other rules take over; it is done again then. */
const restMs = 5000;

export interface LinksAround extends Omit<LinkSurroundings, "dialects" | "readingTurns" | keyof ToLocal> {
  /** `undefined` until it is open. */
  readonly listener: () => LocalListener | undefined;
  /** Where connections upstream begin at their turn. */
  readonly turnstile: Turnstile;
  readonly reachability: Reachability;
}

interface Entry {
  link: Link;
  connection: KeptUpstream;
}

/** The links of all gateways, and who is connected to them. Brings them in line with another configuration, one by one. */
export class Links {
  readonly #around: LinksAround;
  readonly #surroundings: LinkSurroundings;
  readonly #entries = new Map<string, Entry>();
  readonly #clients = new Map<string, LocalClient & { readonly sinceMs: number }>();
  #dialects: BoundDialects;
  readonly #load = new EventLoopLoad();

  constructor(config: Config, around: LinksAround) {
    this.#around = around;
    const { latency, listener, log, now, spool, trace } = around;
    this.#surroundings = {
      readingTurns: new ReadingTurns(),
      latency,
      log,
      now,
      spool,
      trace,
      dialects: this.dialects,
      deliver: async (...packet) => listener()?.deliver(...packet) ?? "offline",
      revoke: (...which) => listener()?.revoke(...which),
      verifyDevice: async (...token) => {
        const open = listener();
        return open === undefined ? "nobody can check it" : open.verifyDevice(...token);
      },
    };
    this.#dialects = boundDialects(config);
    for (const gateway of config.gateways) this.#open(config, gateway, upstreamFor(config, gateway, around));
  }

  /** See `BoundDialects`. */
  readonly dialects: BoundDialects = (gateway, name) => this.#dialects(gateway, name);

  get(id: string): Link | undefined {
    return this.#entries.get(id)?.link;
  }

  all(): readonly Link[] {
    return [...this.#entries.values()].map(({ link }) => link);
  }

  /** The connection of a gateway that is there. */
  client(id: string): (LocalClient & { readonly sinceMs: number }) | undefined {
    return this.#clients.get(id);
  }

  /** What the listener is to ask and tell. */
  wiring(): Omit<LocalWiring, "gateways" | "registry"> {
    const { log, now } = this.#around;
    return {
      grant: (client, filter) => this.#linkOf(client).subscribable(filter),
      publish: (client, packet, exchange) => this.#linkOf(client).publish(client, packet, exchange),
      isAhead: (client) => this.#linkOf(client).isOutrun && this.#load.isFull,
      stray: (client, packet) => this.#linkOf(client).localStray(client, packet),
      connected: (client) => {
        const { connection, gateway, name, protocol } = client;
        this.#clients.set(gateway, { connection, gateway, name, protocol, sinceMs: now() });
        log.info({ gateway: client.gateway, protocol: client.protocol }, "gateway-connected");
        this.#linkOf(client).localConnected(client);
      },
      disconnected: (client, reason) => {
        if (this.#clients.get(client.gateway)?.connection === client.connection) this.#clients.delete(client.gateway);
        log.info({ gateway: client.gateway, reason }, "gateway-disconnected");
        this.#linkOf(client).localDisconnected(client);
      },
      subscribed: (client, filters) => this.#linkOf(client).localSubscribed(client, filters),
      warned: (client, warning) => log.warn({ gateway: client.gateway }, warning),
      refused: (reason, address) => log.warn({ reason, address }, "gateway-refused"),
    };
  }

  /**
   * Gets ready to change: reads the keys of all connections that have to be made. What it returns resolves once each gateway
   * is as the plan says; those that the plan does not name notice nothing of it.
   *
   * @throws {DragomanError} `ERR_KEY_INVALID`; nothing has changed then.
   */
  prepare({ config, added, changed, removed }: ReloadPlan): () => Promise<void> {
    const upstreams = new Map<string, KeptUpstream>();
    for (const gateway of config.gateways) {
      if (changed.get(gateway.id)?.link !== "upstream" && !added.includes(gateway)) continue;
      const facts = this.#entries.get(gateway.id)?.connection.facts;
      upstreams.set(gateway.id, upstreamFor(config, gateway, { ...this.#around, facts }));
    }
    return async () => {
      this.#dialects = boundDialects(config);
      const changes = config.gateways.map(async (gateway) => {
        const { id } = gateway;
        const change = changed.get(id);
        const connection = upstreams.get(id);
        if (change !== undefined) await this.#change(config, gateway, { ...change, connection });
        else if (connection !== undefined) this.#open(config, gateway, connection);
      });
      await Promise.all([...changes, ...removed.map((id) => this.#remove(id))]);
    };
  }

  async close(drainMs: number): Promise<void> {
    await Promise.all(this.all().map((link) => link.close(drainMs)));
  }

  #open(config: Config, gateway: GatewayConfig, connection: KeptUpstream): void {
    this.#entries.set(gateway.id, { link: this.#link(config, gateway, connection), connection });
  }

  /** @param change `connection`: takes the place of the one that there is. */
  async #change(
    config: Config,
    gateway: GatewayConfig,
    change: GatewayChange & { readonly connection: KeptUpstream | undefined },
  ): Promise<void> {
    const { id } = gateway;
    const { link, endsLocal, connection } = change;
    if (endsLocal) this.#endLocal(id);
    if (link === "none") return;
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    const isLast = connection !== undefined;
    await entry.link.rest({ withinMs: restMs, isLast });

    // From here to the end nothing else gets a turn: a packet is the old link's or the new one's.
    if (endsLocal) this.#endLocal(id);
    const { link: old } = entry;
    if (connection !== undefined) entry.connection = connection;
    const carried = old.leave();
    entry.link = this.#link(config, gateway, entry.connection);
    const next = entry.link;
    next.resume({ carried, client: this.#clients.get(id) });
    this.#surroundings.revoke(id, (filter) => typeof next.subscribable(filter) !== "number");
    if (!isLast && isNamedOtherwise(old, next)) entry.connection.reconnect("reload");
    old.succeeded(next);
  }

  /** What can be sent is sent; the rest stays in the spool, for the day the gateway is configured again. */
  async #remove(id: string): Promise<void> {
    this.#endLocal(id);
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    await entry?.link.close(restMs);
  }

  #endLocal(id: string): void {
    this.#around.listener()?.end(id, "reload");
  }

  #link(config: Config, gateway: GatewayConfig, connection: KeptUpstream): Link {
    return openLink(config, gateway, { around: this.#surroundings, connection });
  }

  #linkOf(client: LocalClient): Link {
    const link = this.get(client.gateway);
    if (link === undefined) throw new Error(`No gateway "${client.gateway}"`);
    return link;
  }
}

/** Whether a device has another id in the cloud than before: the old one is attached, and only a new connection ends that. */
function isNamedOtherwise(old: Link, next: Link): boolean {
  const ids = new Map(old.status().devices.map(({ name, upstreamId }) => [name, upstreamId]));
  return next.status().devices.some(({ name, upstreamId }) => ids.has(name) && ids.get(name) !== upstreamId);
}
