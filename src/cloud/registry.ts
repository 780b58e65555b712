import { createHash } from "node:crypto";
import { DragomanError } from "../errors.ts";
import { maxKeys, type PublicKey, readPublicKey } from "./public-key.ts";

/** How a gateway's devices are let in (the vendors' `gatewayAuthMethod`). */
export type AuthMethod =
  | "ASSOCIATION_ONLY"
  | "DEVICE_AUTH_TOKEN_ONLY"
  | "ASSOCIATION_AND_DEVICE_AUTH_TOKEN"
  | "GATEWAY_AUTH_METHOD_UNSPECIFIED";

export const authMethods: readonly AuthMethod[] = [
  "ASSOCIATION_ONLY",
  "DEVICE_AUTH_TOKEN_ONLY",
  "ASSOCIATION_AND_DEVICE_AUTH_TOKEN",
  "GATEWAY_AUTH_METHOD_UNSPECIFIED",
];

/** A device as it is entered. With `gateway` it is one, and others may be attached to it. */
export interface DeviceOptions {
  readonly id: string;
  /** Its other name in topics and client ids; decimal digits. Made up from the id when absent. */
  readonly numericId?: string;
  /** PEM of public keys or certificates, at most three; any may verify. */
  readonly publicKeys?: readonly string[];
  readonly blocked?: boolean;
  /** Its first configuration, version 1; empty when absent. */
  readonly config?: string | Uint8Array;
  readonly gateway?: {
    /** Default ASSOCIATION_ONLY. */
    readonly authMethod?: AuthMethod;
    /** Ids of the devices bound to it; those that do not exist are created. */
    readonly bound?: readonly string[];
  };
}

/** One version of what a device shall be. */
export interface ConfigVersion {
  readonly version: number;
  readonly payload: Buffer;
  acknowledgedAt?: string;
}

/** A device as the registry knows it. */
export interface Device {
  readonly id: string;
  readonly numericId: string;
  readonly keys: readonly PublicKey[];
  readonly gateway?: { readonly authMethod: AuthMethod; readonly bound: Set<string> };
  blocked: boolean;
  /** Newest last, at most ten. */
  readonly configs: ConfigVersion[];
  /** Newest last, at most ten. */
  readonly states: Buffer[];
  /** When its last state was answered, Unix ms. */
  stateAnsweredMs?: number;
  /** Why its connection was last closed by the cloud; `code` is one of google.rpc.Code. */
  lastErrorStatus?: { readonly code: number; readonly message: string };
}

const kept = 10;
const idRule = /^(?!goog)[a-z][-a-z0-9._+~%]{2,254}$/i;

/** The devices of one registry: who exists, who is bound to whom, and what each shall be. */
export class Registry {
  readonly #byId = new Map<string, Device>();
  readonly #byNumericId = new Map<string, Device>();
  readonly #gateways: Device[] = [];

  /** The device of this id or numeric id. */
  find(id: string): Device | undefined {
    return this.#byId.get(id) ?? this.#byNumericId.get(id);
  }

  all(): IterableIterator<Device> {
    return this.#byId.values();
  }

  /**
   * Enters a device, and the devices bound to it.
   *
   * @throws {DragomanError} `ERR_CONFIG_INVALID` for an id that is taken or not allowed or for too many keys,
   *   `ERR_KEY_INVALID`.
   */
  add(options: DeviceOptions): Device {
    const { id } = options;
    const numericId =
      options.numericId ?? BigInt(`0x${createHash("sha256").update(id).digest("hex").slice(0, 15)}`).toString();
    const refused = (state: string) =>
      new DragomanError("ERR_CONFIG_INVALID", `Cannot create device "${id}": ${state}`);
    if (!idRule.test(id)) {
      throw refused('id must be 3 to 255 of letters, digits and "-._+~%", start with a letter and not with "goog"');
    }
    if (!/^[0-9]{1,20}$/.test(numericId)) throw refused(`numeric id "${numericId}" must be decimal digits`);
    if (this.#byId.has(id)) throw refused("id is taken");
    if (this.#byNumericId.has(numericId)) throw refused(`numeric id "${numericId}" is taken`);
    const pems = options.publicKeys ?? [];
    if (pems.length > maxKeys) throw refused(`got ${pems.length} public keys, wanted at most ${maxKeys}`);
    const device: Device = {
      id,
      numericId,
      keys: pems.map((pem) => readPublicKey(pem, id)),
      ...(options.gateway === undefined
        ? {}
        : {
            gateway: {
              authMethod: options.gateway.authMethod ?? "ASSOCIATION_ONLY",
              bound: new Set(options.gateway.bound),
            },
          }),
      blocked: options.blocked ?? false,
      configs: [{ version: 1, payload: Buffer.from(options.config ?? "") }],
      states: [],
    };
    this.#byId.set(id, device);
    this.#byNumericId.set(numericId, device);
    if (device.gateway !== undefined) this.#gateways.push(device);
    for (const bound of options.gateway?.bound ?? []) if (!this.#byId.has(bound)) this.add({ id: bound });
    return device;
  }

  /** Whether an id could be given to a new device. */
  isPossible(id: string): boolean {
    return idRule.test(id) && !id.includes("+");
  }

  /** Blocked itself, or bound to a gateway that is. */
  isBlocked(device: Device): boolean {
    return device.blocked || this.#gateways.some((gateway) => gateway.blocked && gateway.gateway?.bound.has(device.id));
  }
}

/** What the device shall be now. */
export function latestConfig(device: Device): ConfigVersion {
  const latest = device.configs.at(-1);
  if (latest === undefined) throw new Error(`Cannot find a configuration of "${device.id}": there is always one`);
  return latest;
}

/** Makes `payload` the device's newest configuration. */
export function pushConfig(device: Device, payload: Buffer): ConfigVersion {
  const config = { version: latestConfig(device).version + 1, payload };
  device.configs.push(config);
  if (device.configs.length > kept) device.configs.shift();
  return config;
}

export function pushState(device: Device, payload: Buffer): void {
  device.states.push(payload);
  if (device.states.length > kept) device.states.shift();
}
