import { createHash } from "node:crypto";
import { resolveOptions } from "../config/resolve.ts";
import type { Config, GatewayConfig } from "../config.ts";
import type { Deployment, DeploymentMemory, DeploymentSession } from "../dialect/deployment/deployment.ts";
import type { BoundDialect, Dialect } from "../dialect/dialect.ts";
import type { GatewayEngineOptions, Side } from "../gateway/gateway.ts";
import type { LocalRegistry } from "../gateway/local-attachments.ts";
import { type RulesOptions, rulesSchema } from "../gateway/options.ts";
import type { DeviceId } from "../message/message.ts";
import type { Limits } from "../message/traits.ts";
import { type UpstreamOptions, upstreamSchema } from "../upstream/options.ts";

/** Both sides of one gateway, bound to its parameters, and what the rules between them need to know. */
export interface Pairing {
  readonly local: BoundDialect;
  readonly upstream: BoundDialect;
  readonly engine: Omit<GatewayEngineOptions, "facts">;
  /** The deployment's own mapping, at the local side. */
  readonly mapping: DeploymentSession | undefined;
}

/** What a gateway's mapping keeps over a restart. */
export type MappingMemory = Pick<DeploymentMemory, "facts" | "remember">;

const noMemory: MappingMemory = { facts: [], remember: () => undefined };

/** The two sides of a gateway as its configuration says. */
export function pairFor(config: Config, gateway: GatewayConfig, memory = noMemory): Pairing {
  return pair({
    id: gateway.id,
    local: { dialect: config.local.dialect, values: { ...config.local.parameters, gateway: gateway.id } },
    upstream: {
      dialect: config.upstream.dialect,
      values: { ...config.upstream.parameters, gateway: gateway.upstream.gateway },
    },
    rules: gateway.rules,
    options: config.upstream.options,
    strict: config.local.options.strict,
    deployment: config.mapping,
    memory,
    registry: registryFor(config, gateway),
    restoreAttachments: config.local.options.restoreAttachments,
    url: config.upstream.url,
  });
}

/** The two sides of a gateway that is called `gateway`, with all defaults; parameters stand as their names. */
export function pairOf(local: Dialect, upstream: Dialect, deployment?: Deployment): Pairing {
  return pair({
    id: "gateway",
    local: { dialect: local, values: {} },
    upstream: { dialect: upstream, values: {} },
    rules: resolveOptions(rulesSchema, {}, ".") as RulesOptions,
    options: resolveOptions(upstreamSchema, { dialect: upstream.name }, ".") as UpstreamOptions,
    strict: false,
    deployment,
    memory: noMemory,
  });
}

interface PairInput {
  readonly id: string;
  readonly local: { readonly dialect: Dialect; readonly values: Readonly<Record<string, string>> };
  readonly upstream: { readonly dialect: Dialect; readonly values: Readonly<Record<string, string>> };
  readonly rules: RulesOptions;
  readonly options: UpstreamOptions;
  readonly strict: boolean;
  readonly deployment: Deployment | undefined;
  readonly memory: MappingMemory;
  readonly registry?: LocalRegistry | undefined;
  readonly restoreAttachments?: boolean;
  /** Where the upstream is; absent where there is none. */
  readonly url?: string;
}

function pair(input: PairInput): Pairing {
  const { id, local, upstream, rules, options, strict, deployment, memory, url } = input;
  const { registry, restoreAttachments = false } = input;
  const { listener } = local.dialect;
  const mapping = deployment?.open({ ...memory, replies: rules.commands.replies });
  return {
    local: local.dialect.bind(local.values),
    upstream: upstream.dialect.bind(upstream.values),
    engine: {
      id,
      rules: deployment === undefined ? rules : { ...rules, config: { ...rules.config, ...deployment.config } },
      local: local.dialect,
      upstream: upstreamSide(upstream.dialect, options.limits),
      inFlight: options.inFlight,
      attachTimeoutMs: options.attachTimeout,
      settleMs: options.settle,
      strict,
      ...(url === undefined ? {} : { cloud: nameOfCloud(url, upstream) }),
      ...(mapping === undefined ? {} : { naming: mapping.naming, telemetry: mapping.telemetry }),
      restoreAttachments,
      ...(registry === undefined ? {} : { registry }),
      ...(listener === undefined ? {} : { listener }),
    },
    mapping,
  };
}

/** Whose devices a gateway may attach, where its cloud wants them attached. */
function registryFor(config: Config, { id, local }: GatewayConfig): LocalRegistry | undefined {
  if (config.local.dialect.traits.attach !== "required") return undefined;
  const { authMethod, devices, gateway, numericId } = local;
  const listed = Object.entries(devices ?? {}).map(
    ([name, { bound, blocked, numericId: number }]) =>
      [name as DeviceId, { isBound: bound, isBlocked: blocked, aliases: namesOf(number) }] as const,
  );
  return {
    isGateway: gateway,
    aliases: namesOf(id, numericId),
    needsBinding: authMethod !== "DEVICE_AUTH_TOKEN_ONLY",
    needsToken: authMethod !== "ASSOCIATION_ONLY",
    ...(devices === undefined ? {} : { devices: new Map(listed) }),
    isElsewhere: (device) => placesOf(config).get(device) !== undefined,
  };
}

const knownPlaces = new WeakMap<Config, ReadonlyMap<string, string>>();

/** Every id and number in the configuration, with the gateway it is listed under: nobody else's without being listed there. */
function placesOf(config: Config): ReadonlyMap<string, string> {
  const known = knownPlaces.get(config);
  if (known !== undefined) return known;
  const places = new Map<string, string>();
  for (const { id, local } of config.gateways) {
    for (const name of namesOf(id, local.numericId)) places.set(name, id);
    for (const [device, { numericId }] of Object.entries(local.devices ?? {})) {
      for (const name of namesOf(device, numericId)) places.set(name, id);
    }
  }
  knownPlaces.set(config, places);
  return places;
}

function namesOf(...names: readonly (string | undefined)[]): readonly DeviceId[] {
  return names.filter((name) => name !== undefined) as readonly string[] as readonly DeviceId[];
}

/** The same for the same gateway of the same cloud, whatever its credentials; as short as a key on disk should be. */
function nameOfCloud(url: string, { dialect, values }: PairInput["upstream"]): string {
  const parameters = Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
  const whole = JSON.stringify([dialect.name, url, parameters]);
  return createHash("sha256").update(whole).digest("hex").slice(0, 12);
}

type OwnLimits = UpstreamOptions["limits"];

/** By the options, which all gateways of a configuration share. */
const knownSides = new WeakMap<OwnLimits, { readonly dialect: Dialect; readonly side: Side }>();

/** The cloud with the operator's limits in the place of its own. */
function upstreamSide(dialect: Dialect, own: OwnLimits): Side {
  const known = knownSides.get(own);
  if (known?.dialect === dialect) return known.side;
  const { traits, ids, retries } = dialect;
  const side = { traits, ids, retries, limits: limitsOf(dialect.limits, own) };
  knownSides.set(own, { dialect, side });
  return side;
}

/** The dialect's limits, with the operator's in their place. */
function limitsOf(known: Limits, own: OwnLimits): Limits {
  const { messagesPerSecond, bytesPerSecond, stateInterval, attached } = own;
  return {
    ...known,
    ...(messagesPerSecond === undefined ? {} : { messagesPerSecond }),
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
    ...(stateInterval === undefined ? {} : { stateIntervalMs: stateInterval }),
    ...(attached === undefined ? {} : { attached }),
  };
}
