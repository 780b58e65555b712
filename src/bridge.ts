import { realpathSync } from "node:fs";
import { type Admin, openAdmin } from "./admin/admin.ts";
import { type BoundDialects, boundDialects } from "./bridge/bound-dialects.ts";
import { Link } from "./bridge/link.ts";
import { pairFor } from "./bridge/pairing.ts";
import { createRepair } from "./bridge/repair.ts";
import { startSelfCheck } from "./bridge/self-check.ts";
import { Trace, type TraceEvent } from "./bridge/trace.ts";
import { upstreamAccess } from "./bridge/upstream-access.ts";
import type { Config, GatewayConfig } from "./config.ts";
import { createGateway } from "./gateway/gateway.ts";
import { type LocalClient, type LocalListener, openListener, type Registry } from "./local/listener.ts";
import { imbalanceOf, type Ledger } from "./message/fate.ts";
import { createLatency, type Latency } from "./message/latency.ts";
import type { Log } from "./message/log.ts";
import type { SpoolRepair } from "./message/repair.ts";
import type { BridgeStatus, GatewayReport } from "./message/status.ts";
import { openPlayground } from "./playground/playground.ts";
import { openSpool } from "./spool/open-spool.ts";
import type { Spool } from "./spool/spool.ts";
import { openUpstream } from "./upstream/connection.ts";
import { loginFor } from "./upstream/login.ts";

export interface BridgeOptions {
  readonly log: Log;
  /** Shown in status and metrics. */
  readonly version?: string;
  /** Sees every packet on both sides, secrets included. */
  readonly trace?: (event: TraceEvent) => void;
  readonly now?: () => number;
}

/** A running bridge. */
export interface Bridge {
  /** Where gateways connect, with real ports. */
  readonly listen: readonly string[];
  /** Where the admin server is, unless it is turned off. */
  readonly admin: string | undefined;
  status(): BridgeStatus;
  /** The sum over all gateways. */
  ledger(): Ledger;
  /** By gateway, those that are configured no more included. */
  ledgers(): Readonly<Record<string, Ledger>>;
  /** Looks after what is held or quarantined. */
  readonly repair: SpoolRepair;
  /** Refuses gateways, sends what can be sent within `drainMs` (default 10 s) and closes everything. Safe to call twice. */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/** Longer than this times the keepalive without a proof, and the path upstream counts as broken. */
const provenWithin = 1.5;

/**
 * Runs a bridge: opens the parts in the order in which packets pass them, and resolves once gateways can connect. The
 * connections upstream are begun but not waited for.
 *
 * @throws {DragomanError} `ERR_LISTEN`, `ERR_ADMIN`, `ERR_SPOOL_LOCKED`, `ERR_SPOOL_FAILED`; nothing stays open.
 */
export async function openBridge(config: Config, options: BridgeOptions): Promise<Bridge> {
  const { log, now = Date.now } = options;
  const startedMs = now();
  const opened: (() => Promise<void>)[] = [];
  const closeAll = async () => {
    for (const close of opened.splice(0).reverse()) await close();
  };

  try {
    const spool = await openSpool({ ...config.spool, now });
    opened.push(() => spool.close());
    if (spool.setAside !== undefined) log.error({ setAside: spool.setAside }, "spool-damaged");

    const links = new Map<string, Link>();
    const clients = new Map<string, LocalClient & { readonly sinceMs: number }>();
    const selfCheck = startSelfCheck(spool, log);
    opened.push(async () => selfCheck.close());
    const dialects = boundDialects(config);
    const latency = createLatency();
    const trace = new Trace({ observe: options.trace, now });
    let listener: LocalListener | undefined;
    const toLocal: ToLocal = {
      deliver: async (...packet) => listener?.deliver(...packet) ?? "offline",
      revoke: (...which) => listener?.revoke(...which),
      verifyDevice: async (...token) =>
        listener === undefined ? "nobody can check it" : listener.verifyDevice(...token),
    };
    let drainMs = 0;
    for (const gateway of config.gateways) {
      links.set(gateway.id, openLink(config, gateway, { log, now, spool, dialects, latency, trace, ...toLocal }));
    }
    opened.push(async () => void (await Promise.all([...links.values()].map((link) => link.close(drainMs)))));

    listener = await openListener(config.local.options, {
      ...registryOf(config),
      gateways: config.gateways,
      grant: (client, filter) => linkOf(client).subscribable(filter),
      publish: (client, packet, packetId) => linkOf(client).publish(client, packet, packetId),
      stray: (client, packet) => linkOf(client).localStray(client, packet),
      connected: (client) => {
        clients.set(client.gateway, { ...client, sinceMs: now() });
        log.info({ gateway: client.gateway, protocol: client.protocol }, "gateway-connected");
        linkOf(client).localConnected(client);
      },
      disconnected: (client, reason) => {
        if (clients.get(client.gateway)?.connection === client.connection) clients.delete(client.gateway);
        log.info({ gateway: client.gateway, reason }, "gateway-disconnected");
        linkOf(client).localDisconnected(client);
      },
      subscribed: (client, filters) => linkOf(client).localSubscribed(client, filters),
      warned: (client, warning) => log.warn({ gateway: client.gateway }, warning),
      refused: (reason, address) => log.warn({ reason, address }, "gateway-refused"),
    });
    const { close: closeListener, urls } = listener;
    opened.push(() => closeListener());

    const repair = createRepair({
      ...{ directory: spoolName(config.spool.directory), spool, dialects, now },
      linkOf: (gateway) => links.get(gateway),
    });
    const bridge = { status, ledger: () => spool.ledger(), ledgers, repair };
    const playground = openPlayground();
    opened.push(() => playground.close());
    const admin: Admin | undefined =
      config.admin === false ? undefined : await openAdmin(config.admin, { ...bridge, latency, trace, playground });
    if (admin !== undefined) opened.push(() => admin.close());

    return {
      ...bridge,
      listen: urls,
      admin: admin?.url,
      close: async (how = {}) => {
        drainMs = how.drainMs ?? 10_000;
        await closeAll();
      },
    };

    function linkOf(client: LocalClient): Link {
      const link = links.get(client.gateway);
      if (link === undefined) throw new Error(`No gateway "${client.gateway}"`);
      return link;
    }

    function status(): BridgeStatus {
      const gateways = [...links.values()].map((link) => reportOf(link));
      const unbalanced = Object.entries(ledgers()).filter(([, ledger]) => imbalanceOf(ledger) !== 0);
      const reasons = unbalanced.map(([id]) => `the ledger of gateway "${id}" does not balance`);
      reasons.push(...selfCheck.findings);
      if (spool.trouble !== undefined) reasons.push(`the spool cannot be written: ${spool.trouble.message}`);
      return {
        version: options.version ?? "",
        startedMs,
        listen: urls,
        healthy: reasons.length === 0,
        reasons,
        ledger: spool.ledger(),
        waitingBytes: spool.waitingBytes,
        maxBytes: config.spool.maxBytes,
        gateways,
      };
    }

    function ledgers(): Readonly<Record<string, Ledger>> {
      const ids = new Set([...links.keys(), ...spool.gatewayIds()]);
      return Object.fromEntries([...ids].map((id) => [id, spool.gateway(id).ledger]));
    }

    function reportOf(link: Link): GatewayReport {
      const client = clients.get(link.id);
      const known = link.status();
      const { lastProvenMs, state, reason } = known.upstream;
      const isProven =
        lastProvenMs !== undefined && now() - lastProvenMs <= provenWithin * config.upstream.options.keepalive;
      const ready = state === "open" && isProven;
      const why = reason ?? (state === "open" ? "nothing acknowledged lately" : state);
      return {
        id: link.id,
        ready,
        ...(ready ? {} : { reason: why }),
        local:
          client === undefined
            ? { connected: false }
            : { connected: true, protocol: client.protocol, sinceMs: client.sinceMs },
        ...known,
      };
    }
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** The cloud whose place the local side takes, where devices prove themselves with tokens of their own. */
function registryOf({ local, gateways }: Config): { readonly registry?: Registry } {
  const { connection, listener } = local.dialect;
  if (connection.credentials !== "jwt" || listener === undefined) return {};
  const { audience } = local.dialect.bind({ ...local.parameters, gateway: gateways[0]?.id ?? "" });
  return {
    registry: {
      rules: listener,
      clientId: connection.clientId ?? "{gateway}",
      parameters: local.parameters,
      ...(audience === undefined ? {} : { audience }),
    },
  };
}

/** What a link asks of the listener. */
type ToLocal = Pick<LocalListener, "deliver" | "revoke" | "verifyDevice">;

interface LinkSurroundings extends ToLocal {
  readonly log: Log;
  readonly trace: Trace;
  readonly now: () => number;
  readonly spool: Spool;
  readonly dialects: BoundDialects;
  readonly latency: Latency;
}

function openLink(config: Config, gateway: GatewayConfig, around: LinkSurroundings): Link {
  const spool = around.spool.gateway(gateway.id);
  const { local, upstream, engine, mapping } = pairFor(config, gateway, {
    facts: spool.entries(),
    remember: (key, value) => spool.put(key, value),
  });
  const { reconnects } = config.upstream.dialect;
  const { rules, ...access } = upstreamAccess(config, gateway);
  const tokenLifetimeMs = config.upstream.options.tokenLifetime;
  const login = loginFor({ rules, gateway: gateway.upstream, tokenLifetimeMs, now: around.now });
  return new Link({
    ...around,
    id: gateway.id,
    engine: createGateway({ ...engine, facts: spool.entries() }),
    local,
    localAs: (name) => config.local.dialect.bind({ ...config.local.parameters, gateway: name }),
    upstream,
    mapping,
    spool,
    dialectOf: (name) => (name === local.dialect.name ? local : around.dialects(gateway.id, name)),
    connect: (handlers) => openUpstream({ ...access, login, reconnects, now: around.now }, handlers),
  });
}

/** What a spool is called by every process that has it open. */
function spoolName(directory: string): string {
  return directory === "memory" ? directory : realpathSync(directory);
}
