import { isDeepStrictEqual } from "node:util";
import type { Config, GatewayConfig } from "../config.ts";
import { upstreamAccess } from "./upstream-access.ts";

/** What a reload does to a gateway that stays. */
export interface GatewayChange {
  /** `rules`: other rules between the same connections; `upstream`: those and a new connection to the cloud. */
  readonly link: "none" | "rules" | "upstream";
  /** The local connection ends: the gateway has to prove anew who it is, or to speak otherwise. */
  readonly endsLocal: boolean;
}

/** What it takes to get from one configuration to another. */
export interface ReloadPlan {
  readonly added: readonly GatewayConfig[];
  /** Ids. */
  readonly removed: readonly string[];
  /** By id; who is not in it is not touched. */
  readonly changed: ReadonlyMap<string, GatewayChange>;
  /** What differs, as an operator would name it. */
  readonly changes: readonly string[];
  /** Of that, what a running bridge does not take over. */
  readonly needsRestart: readonly string[];
  /** The configuration to run with from here on: the new one, but for what needs a restart. */
  readonly config: Config;
}

/** Compares two configurations. Pure: whether the new one can be had shows when it is applied. */
export function planReload(before: Config, after: Config): ReloadPlan {
  const known = new Map(before.gateways.map((gateway) => [gateway.id, gateway]));
  const wanted = new Set(after.gateways.map(({ id }) => id));
  const added = after.gateways.filter(({ id }) => !known.has(id));
  const removed = [...known.keys()].filter((id) => !wanted.has(id));
  const changed = new Map<string, GatewayChange>();
  for (const gateway of after.gateways) {
    const old = known.get(gateway.id);
    const change =
      old === undefined ? undefined : changeOf({ config: before, gateway: old }, { config: after, gateway });
    if (change !== undefined) changed.set(gateway.id, change);
  }
  const needsRestart = differences("spool", before.spool, after.spool);
  return {
    ...{ added, removed, changed, needsRestart },
    changes: [
      ...differences(
        "local",
        { ...sideOf(before.local), ...before.local.options },
        {
          ...sideOf(after.local),
          ...after.local.options,
        },
      ),
      ...differences(
        "upstream",
        { ...sideOf(before.upstream), ...before.upstream.options },
        {
          ...sideOf(after.upstream),
          ...after.upstream.options,
        },
      ),
      ...differences("", { mapping: before.mapping?.source }, { mapping: after.mapping?.source }),
      ...removed.map((id) => `gateways.${id} removed`),
      ...added.map(({ id }) => `gateways.${id} added`),
      ...after.gateways.flatMap((gateway) => {
        const old = known.get(gateway.id);
        return old === undefined ? [] : differences(`gateways.${gateway.id}`, old, gateway);
      }),
      ...needsRestart,
      ...differences("admin", before.admin || undefined, after.admin || undefined),
      ...differences("log", before.log, after.log),
    ],
    config: { ...after, spool: before.spool },
  };
}

/** A gateway as its configuration has it. */
interface Placed {
  readonly config: Config;
  readonly gateway: GatewayConfig;
}

function changeOf(before: Placed, after: Placed): GatewayChange | undefined {
  const link = !isDeepStrictEqual(lineOf(before), lineOf(after))
    ? "upstream"
    : isDeepStrictEqual(rulesOf(before), rulesOf(after))
      ? "none"
      : "rules";
  const endsLocal =
    !isDeepStrictEqual(identityOf(before), identityOf(after)) || !sharesKey(before.gateway, after.gateway);
  return link === "none" && !endsLocal ? undefined : { link, endsLocal };
}

/** All that makes the connection to the cloud what it is. */
function lineOf({ config, gateway }: Placed) {
  const { dialect, options } = config.upstream;
  const { gateway: _, ...credentials } = gateway.upstream;
  const lifetime = credentials.privateKey === undefined ? undefined : options.tokenLifetime;
  return { access: upstreamAccess(config, gateway), credentials, lifetime, reconnects: dialect.reconnects };
}

/** All that the rules between the two sides are made of. */
function rulesOf({ config, gateway }: Placed) {
  const { inFlight, attachTimeout, settle, limits } = config.upstream.options;
  const { authMethod, devices, gateway: isGateway, numericId } = gateway.local;
  return {
    sides: [sideOf(config.local), sideOf(config.upstream), config.upstream.url, gateway.upstream.gateway],
    pace: { inFlight, attachTimeout, settle, limits },
    strict: config.local.options.strict,
    restoreAttachments: config.local.options.restoreAttachments,
    rules: gateway.rules,
    mapping: config.mapping?.source,
    registry: { authMethod, devices, isGateway, numericId },
    // Without a list of its own, a gateway may attach whatever is not listed elsewhere.
    others: devices === undefined && config.local.dialect.traits.attach === "required" ? listed(config) : undefined,
  };
}

/** What the local gateway proved when it connected. */
function identityOf({ config, gateway }: Placed) {
  const { token, username, password, clientId, certificate, blocked, gateway: isGateway } = gateway.local;
  return { side: sideOf(config.local), token, username, password, clientId, certificate, blocked, isGateway };
}

/** Keys are rotated by adding the new one first: who has one that still counts stays. */
function sharesKey(before: GatewayConfig, after: GatewayConfig): boolean {
  const keys = before.local.publicKeys ?? [];
  return keys.length === 0 || keys.some((key) => after.local.publicKeys?.some((one) => isDeepStrictEqual(key, one)));
}

function listed({ gateways }: Config) {
  return gateways.map(({ id, local }) => [
    id,
    local.numericId,
    Object.entries(local.devices ?? {}).map(([device, { numericId }]) => [device, numericId]),
  ]);
}

function sideOf({ dialect, parameters }: Config["local"] | Config["upstream"]) {
  return { dialect: dialect.name, ...parameters };
}

/** The members that differ, each with the path to it. */
function differences(path: string, before: object | undefined, after: object | undefined): readonly string[] {
  const [old, now] = [before ?? {}, after ?? {}] as readonly Readonly<Record<string, unknown>>[];
  const keys = new Set([...Object.keys(old ?? {}), ...Object.keys(now ?? {})]);
  return [...keys]
    .filter((key) => !isDeepStrictEqual(old?.[key], now?.[key]))
    .map((key) => (path === "" ? key : `${path}.${key}`));
}
