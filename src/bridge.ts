import { realpathSync } from "node:fs";
import { AdminPlace } from "./bridge/admin-place.ts";
import type { Link } from "./bridge/link.ts";
import { Links } from "./bridge/links.ts";
import { type Reloaded, Reloader } from "./bridge/reload.ts";
import { createRepair } from "./bridge/repair.ts";
import { startSelfCheck } from "./bridge/self-check.ts";
import { Trace, type TraceEvent } from "./bridge/trace.ts";
import type { Config } from "./config.ts";
import { type LocalKnown, type LocalListener, openListener, type Registry } from "./local/listener.ts";
import { imbalanceOf, type Ledger } from "./message/fate.ts";
import { createLatency } from "./message/latency.ts";
import type { Log, LogControl } from "./message/log.ts";
import type { SpoolRepair } from "./message/repair.ts";
import type { BridgeStatus, GatewayReport, ReloadStatus } from "./message/status.ts";
import { openPlayground } from "./playground/playground.ts";
import { openSpool } from "./spool/open-spool.ts";
import { Reachability } from "./upstream/reachability.ts";
import { systemTimers } from "./upstream/timers.ts";
import { createTurnstile } from "./upstream/turnstile.ts";

export interface BridgeOptions {
  readonly log: Log;
  /** What the admin server may change of it; left out: nothing. */
  readonly logControl?: LogControl;
  /** Shown in status and metrics. */
  readonly version?: string;
  /** Sees every packet on both sides, secrets included. */
  readonly trace?: (event: TraceEvent) => void;
  readonly now?: () => number;
  /** Called whenever each connection upstream that was to begin has had its turn. */
  readonly loggedIn?: () => void;
}

/** A running bridge. */
export interface Bridge {
  /** Where gateways connect at the moment, with real ports. */
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
  /**
   * Takes what `loadConfig` gave: goes on with that configuration, each gateway from between two of its messages, or, where
   * it has mistakes or cannot be had, with the one before. Never rejects; calls wait for each other.
   */
  reload(reloaded: Reloaded): Promise<ReloadStatus>;
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

    const selfCheck = startSelfCheck(spool, log);
    opened.push(async () => selfCheck.close());
    const latency = createLatency();
    const trace = new Trace({ observe: options.trace, now });
    let listener: LocalListener | undefined;
    let drainMs = 0;
    const { loggedIn = () => undefined } = options;
    const turnstile = createTurnstile({ timers: systemTimers, emptied: loggedIn });
    const reachability = new Reachability();
    const around = { log, now, spool, latency, trace, turnstile, reachability };
    const links = new Links(config, { ...around, listener: () => listener });
    opened.push(() => links.close(drainMs));

    listener = await openListener(config.local.options, { ...knownTo(config), ...links.wiring() });
    const { close: closeListener } = listener;
    opened.push(() => closeListener());

    const repair = createRepair({
      ...{ directory: spoolName(config.spool.directory), spool, dialects: links.dialects, now },
      linkOf: (gateway) => links.get(gateway),
    });
    const bridge = { status, ledger: () => spool.ledger(), ledgers, repair };
    const playground = openPlayground();
    opened.push(() => playground.close());
    const admin = new AdminPlace({ ...bridge, latency, trace, playground, ...logOf(options) });
    const reloader = new Reloader(config, { links, listener, admin, knownTo, log, now });
    await admin.move(config.admin);
    opened.push(() => admin.close());

    return {
      ...bridge,
      get listen() {
        return urls();
      },
      get admin() {
        return admin.url;
      },
      reload: (reloaded) => reloader.reload(reloaded),
      close: async (how = {}) => {
        drainMs = how.drainMs ?? 10_000;
        await reloader.close();
        await closeAll();
      },
    };

    function urls(): readonly string[] {
      return listener?.urls ?? [];
    }

    function status(): BridgeStatus {
      const gateways = links.all().map((link) => reportOf(link));
      const unbalanced = Object.entries(ledgers()).filter(([, ledger]) => imbalanceOf(ledger) !== 0);
      const reasons = unbalanced.map(([id]) => `the ledger of gateway "${id}" does not balance`);
      reasons.push(...selfCheck.findings);
      if (spool.trouble !== undefined) reasons.push(`the spool cannot be written: ${spool.trouble.message}`);
      return {
        version: options.version ?? "",
        startedMs,
        ...(reloader.last === undefined ? {} : { reload: reloader.last }),
        listen: urls(),
        healthy: reasons.length === 0,
        reasons,
        ledger: spool.ledger(),
        waitingBytes: spool.waitingBytes,
        maxBytes: config.spool.maxBytes,
        gateways,
      };
    }

    function ledgers(): Readonly<Record<string, Ledger>> {
      const ids = new Set([...links.all().map(({ id }) => id), ...spool.gatewayIds()]);
      return Object.fromEntries([...ids].map((id) => [id, spool.gateway(id).ledger]));
    }

    function reportOf(link: Link): GatewayReport {
      const client = links.client(link.id);
      const known = link.status();
      const { lastProvenMs, state, reason } = known.upstream;
      const { keepalive } = reloader.config.upstream.options;
      const isProven = lastProvenMs !== undefined && now() - lastProvenMs <= provenWithin * keepalive;
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

/** Who may connect by this configuration. */
function knownTo(config: Config): LocalKnown {
  return { ...registryOf(config), gateways: config.gateways };
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

function logOf({ logControl }: BridgeOptions): { readonly log?: LogControl } {
  return logControl === undefined ? {} : { log: logControl };
}

/** What a spool is called by every process that has it open. */
function spoolName(directory: string): string {
  return directory === "memory" ? directory : realpathSync(directory);
}
