import { DragomanError } from "../errors.ts";
import type { ListenerRules } from "../message/listener-rules.ts";
import { compileClientId } from "./client-id.ts";
import type { Credentials, KnownGateway, LoginDecision } from "./credentials.ts";
import { checkToken } from "./device-token.ts";
import { loadPublicKey, type PublicKey } from "./public-key.ts";

/** The cloud whose place we take: how its client ids look, and what it wants of a token. */
export interface Registry {
  readonly rules: ListenerRules;
  /** Template over parameters and `{gateway}`. */
  readonly clientId: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** What `aud` has to be, where the rules look at it. */
  readonly audience?: string;
}

interface Entry {
  readonly gateway: string;
  readonly isBlocked: boolean;
  readonly keys: readonly PublicKey[];
  readonly devices: ReadonlyMap<string, readonly PublicKey[]>;
}

/**
 * Makes the login of a cloud with a device registry: the client id says who, a token signed by one of its keys proves it.
 * A gateway may call itself by its id or by its number; both are one identity.
 *
 * @throws {DragomanError} `ERR_CONFIG_INVALID` for a gateway without keys, `ERR_KEY_INVALID` for a key that is none.
 */
export function createRegistryLogin(
  gateways: readonly KnownGateway[],
  registry: Registry,
  now: () => number,
): Credentials {
  const { rules, audience } = registry;
  const { refusals } = rules;
  const readClientId = compileClientId(registry.clientId, registry.parameters);
  const entries = new Map<string, Entry>();
  const byName = new Map<string, Entry>();
  for (const known of gateways) {
    const entry = entryOf(known);
    entries.set(known.id, entry);
    byName.set(known.id, entry);
    if (known.local.numericId !== undefined) byName.set(known.local.numericId, entry);
  }

  return {
    async authenticate({ protocol, clientId, password }): Promise<LoginDecision> {
      if (!rules.protocols.includes(protocol)) return refuse(`MQTT level ${protocol} is not taken`, refusals.protocol);
      const claimed = readClientId(clientId);
      if (claimed === undefined) return refuse("the client id has not the cloud's form", refusals.clientId);
      if (claimed === "elsewhere") return refuse("the client id names another registry", refusals.credentials);
      const { name } = claimed;
      const entry = byName.get(name);
      if (entry === undefined) return refuse(`"${name}" is not known`, refusals.credentials);
      if (entry.isBlocked) return refuse(`"${name}" is blocked`, refusals.credentials);
      const token = Buffer.from(password ?? "").toString("latin1");
      const verdict = await checkToken(token, { keys: entry.keys, rules: rules.token, audience, nowMs: now() });
      if ("fault" in verdict) return refuse(`"${name}": ${verdict.fault}`, refusals.credentials);
      const { skewMs, graceMs } = rules.token;
      const endsAtMs = verdict.expiresAtMs + skewMs + graceMs;
      return { kind: "accepted", gateway: entry.gateway, name, endsAtMs };
    },

    async verifyDevice(gateway, device, token) {
      const keys = entries.get(gateway)?.devices.get(device);
      if (keys === undefined) return "there is no public key for it";
      const verdict = await checkToken(token, { keys, rules: rules.token, audience, nowMs: now() });
      return "fault" in verdict ? verdict.fault : undefined;
    },
  };
}

function entryOf({ id, local }: KnownGateway): Entry {
  if (local.publicKeys === undefined && !local.blocked) {
    throw new DragomanError(
      "ERR_CONFIG_INVALID",
      `Cannot let gateway "${id}" connect: found no credentials, wanted publicKeys`,
    );
  }
  const devices = Object.entries(local.devices ?? {}).flatMap(([device, { publicKeys }]) =>
    publicKeys === undefined ? [] : [[device, keysOf(publicKeys, `device "${device}"`)] as const],
  );
  return {
    gateway: id,
    isBlocked: local.blocked,
    keys: keysOf(local.publicKeys ?? [], `gateway "${id}"`),
    devices: new Map(devices),
  };
}

function keysOf(keys: NonNullable<KnownGateway["local"]["publicKeys"]>, owner: string): readonly PublicKey[] {
  return keys.map((key) => {
    if (typeof key === "string") return loadPublicKey(key, owner);
    const loaded = loadPublicKey(key.key, owner);
    const { expiresAtMs = Number.POSITIVE_INFINITY } = loaded;
    return key.expires === undefined ? loaded : { ...loaded, expiresAtMs: Math.min(expiresAtMs, key.expires) };
  });
}

/** What a cloud of one MQTT level answers to another level is in its own terms. */
function refuse(reason: string, code: number | undefined): LoginDecision {
  return { kind: "refused", reason, ...(code === undefined ? {} : { connack: { v3: code } }) };
}
