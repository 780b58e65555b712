import type { Config, GatewayConfig } from "../config.ts";
import { createGateway } from "../gateway/gateway.ts";
import type { LocalListener } from "../local/listener.ts";
import type { Spool } from "../spool/spool.ts";
import { openUpstream } from "../upstream/connection.ts";
import { loginFor } from "../upstream/login.ts";
import type { Reachability } from "../upstream/reachability.ts";
import type { Turnstile } from "../upstream/turnstile.ts";
import type { BoundDialects } from "./bound-dialects.ts";
import { KeptUpstream } from "./kept-upstream.ts";
import { Link, type LinkParts } from "./link.ts";
import { shareOf } from "./memory-share.ts";
import { pairFor } from "./pairing.ts";
import { upstreamAccess } from "./upstream-access.ts";
import type { UpstreamFacts } from "./upstream-facts.ts";

/** What a link asks of the listener. */
export type ToLocal = Pick<LocalListener, "deliver" | "revoke" | "verifyDevice">;

export interface LinkSurroundings
  extends ToLocal,
    Pick<LinkParts, "latency" | "log" | "now" | "readingTurns" | "trace"> {
  readonly spool: Spool;
  readonly dialects: BoundDialects;
}

/** Opens a gateway's link. Its rules go on from the facts in the spool, its messages from the records there. */
export function openLink(
  config: Config,
  gateway: GatewayConfig,
  { around, connection }: { readonly around: LinkSurroundings; readonly connection: KeptUpstream },
): Link {
  const spool = around.spool.gateway(gateway.id);
  const { local, upstream, engine, mapping } = pairFor(config, gateway, {
    facts: spool.entries(),
    remember: (key, value) => spool.put(key, value),
  });
  const { deliver, dialects, latency, log, now, readingTurns, revoke, trace, verifyDevice } = around;
  // Written out: what is spread together has a shape of its own, which takes more memory than it does.
  return new Link({
    connection,
    deliver,
    latency,
    log,
    now,
    readingTurns,
    revoke,
    trace,
    verifyDevice,
    id: gateway.id,
    engine: createGateway({ ...engine, facts: spool.entries() }),
    local,
    localAs: (name) => config.local.dialect.bind({ ...config.local.parameters, gateway: name }),
    upstream,
    mapping,
    spool,
    share: shareOf(config.gateways.length),
    dialectOf: (name) => (name === local.dialect.name ? local : dialects(gateway.id, name)),
  });
}

export interface UpstreamSurroundings {
  readonly now: () => number;
  readonly turnstile: Turnstile;
  readonly reachability: Reachability;
  /** What is known of the connection in whose place it comes. */
  readonly facts?: UpstreamFacts | undefined;
}

/** A gateway's connection upstream; begun once a link takes it. */
export function upstreamFor(
  config: Config,
  gateway: GatewayConfig,
  { now, facts, reachability, turnstile }: UpstreamSurroundings,
): KeptUpstream {
  const { reconnects } = config.upstream.dialect;
  const { connectTimeoutMs, keepaliveMs, protocol, rules, tls, url } = upstreamAccess(config, gateway);
  const tokenLifetimeMs = config.upstream.options.tokenLifetime;
  const login = loginFor({ rules, gateway: gateway.upstream, tokenLifetimeMs, now });
  const options = {
    connectTimeoutMs,
    keepaliveMs,
    protocol,
    tls,
    url,
    login,
    reconnects,
    now,
    reachability,
    turnstile,
  };
  return new KeptUpstream((handlers) => openUpstream(options, handlers), facts);
}
