import type { DeviceId, UpMessage } from "../message/message.ts";
import type { IdRules } from "../message/traits.ts";
import type { Core } from "./core.ts";
import type { CarriedLocal } from "./event.ts";

/** What a cloud's registry says about one gateway: who it is, and whose devices it may speak for. */
export interface LocalRegistry {
  /** Not: a plain device, which speaks for nobody but itself. */
  readonly isGateway: boolean;
  /** All names of the gateway itself. */
  readonly aliases: readonly DeviceId[];
  /** A device has to be bound to the gateway. */
  readonly needsBinding: boolean;
  /** A device has to prove itself. */
  readonly needsToken: boolean;
  /** Absent: any device may attach. */
  readonly devices?: ReadonlyMap<DeviceId, LocalDevice>;
  /** Whether a device that is not listed is known to belong elsewhere. */
  readonly isElsewhere: (device: DeviceId) => boolean;
}

export interface LocalDevice {
  readonly isBound: boolean;
  readonly isBlocked: boolean;
  /** Other names of the device. */
  readonly aliases: readonly DeviceId[];
}

/** Whether a device may be attached; `verify`: that depends on its token. */
export type Judgement =
  | { readonly kind: "attached" }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "verify"; readonly device: DeviceId; readonly token: string };

const noIds: ReadonlyMap<DeviceId, DeviceId | undefined> = new Map();
/** A cloud's own number for a device: another name for one that exists. */
const numericId = /^[0-9]{1,20}$/;

/**
 * The devices that the local gateway has attached on its present connection, for a local side that wants them attached.
 * With the connection they are gone, unless they are to be restored. Decides who may attach, by the registry.
 */
export class LocalAttachments {
  readonly #core: Core;
  readonly #registry: LocalRegistry | undefined;
  /** Devices by their other names; `undefined`: the gateway itself. */
  readonly #ids: ReadonlyMap<DeviceId, DeviceId | undefined>;
  /** Attached devices with the name that the gateway last used for them. */
  #attached: Map<DeviceId, DeviceId> | undefined;
  /** Those of the last connection, to be restored. */
  #previous: Set<DeviceId> | undefined;

  constructor(core: Core) {
    this.#core = core;
    this.#registry = core.options.registry;
    this.#ids = this.#registry === undefined ? noIds : idsOf(this.#registry);
  }

  /** Whether the local side wants devices attached before they say anything. */
  get isRequired(): boolean {
    return this.#registry !== undefined;
  }

  get isGateway(): boolean {
    return this.#registry?.isGateway ?? true;
  }

  /** The device under its own id, whatever it was called; `undefined`: the gateway itself. */
  idOf(name: DeviceId | undefined): DeviceId | undefined {
    return name !== undefined && this.#ids.has(name) ? this.#ids.get(name) : name;
  }

  /** A message with the device's own id. */
  identify(message: UpMessage): UpMessage {
    if (this.#ids.size === 0 || !("device" in message) || message.device === undefined) return message;
    const id = this.idOf(message.device);
    if (id === message.device) return message;
    const { device: _, ...rest } = message;
    return (id === undefined ? rest : { ...rest, device: id }) as UpMessage;
  }

  /** What the gateway calls the device. */
  nameOf(device: DeviceId): DeviceId {
    return this.#attached?.get(device) ?? device;
  }

  /** The gateway has called an attached device by this name. */
  called(name: DeviceId): void {
    const device = this.idOf(name);
    if (device !== undefined && this.#attached?.has(device) === true) this.#attached.set(device, name);
  }

  isAttached(device: DeviceId | undefined): boolean {
    return device === undefined || !this.isRequired || this.#attached?.has(device) === true;
  }

  /** Whether it could be a device's id at all. */
  isPossible(name: DeviceId): boolean {
    const id = this.idOf(name);
    if (id === undefined || this.#registry?.devices?.has(id) === true) return true;
    return formOf(this.#core.options.local.ids).test(name) || numericId.test(name);
  }

  /** @param proof What became of the token, once it was looked at. */
  judge(name: DeviceId, token: string | undefined, proof: { readonly fault?: string } | undefined): Judgement {
    const registry = this.#registry;
    const device = this.idOf(name);
    if (device === undefined) return { kind: "refused", reason: "a gateway cannot be attached" };
    if (registry === undefined || this.#attached?.has(device) === true) return { kind: "attached" };
    const reason = objectionTo(device, registry);
    if (reason !== undefined) return { kind: "refused", reason };
    if (registry.needsToken) {
      if (token === undefined) return { kind: "refused", reason: "the device's token is missing" };
      if (proof === undefined) return { kind: "verify", device, token };
      if (proof.fault !== undefined) {
        return { kind: "refused", reason: `the device's token is not accepted: ${proof.fault}` };
      }
    }
    const { attached = Number.POSITIVE_INFINITY } = this.#core.options.local.limits;
    const { size = 0 } = this.#attached ?? {};
    if (size >= attached) {
      return { kind: "refused", reason: `${size} devices are attached, which is the limit` };
    }
    return { kind: "attached" };
  }

  attach(name: DeviceId): void {
    const device = this.idOf(name);
    if (device === undefined) return;
    this.#attached ??= new Map();
    if (!this.#attached.has(device)) this.#remember(device, "");
    this.#attached.set(device, name);
  }

  detach(name: DeviceId): void {
    const device = this.idOf(name);
    if (device === undefined || this.#attached?.delete(device) !== true) return;
    this.#remember(device, undefined);
  }

  /**
   * @param carried What is attached on the connection already.
   * @returns Names of what was, and may not be any more.
   */
  connected(carried: CarriedLocal["attached"] = []): readonly DeviceId[] {
    this.#attached = undefined;
    const registry = this.#registry;
    if (registry === undefined) return [];
    const lost: DeviceId[] = [];
    for (const [device, name] of carried) {
      if (objectionTo(device, registry) === undefined) this.attach(name);
      else {
        this.#remember(device, undefined);
        lost.push(...new Set([device, name]));
      }
    }
    if (this.#core.options.restoreAttachments !== true) return lost;
    this.#attached ??= new Map();
    const attached = this.#attached;
    for (const device of this.#previous ?? []) {
      if (attached.has(device)) continue;
      if (objectionTo(device, registry) === undefined) attached.set(device, device);
      else this.#remember(device, undefined);
    }
    return lost;
  }

  /** See `CarriedLocal`. */
  carry(): CarriedLocal["attached"] {
    return [...(this.#attached ?? [])];
  }

  disconnected(): void {
    this.#previous = this.#attached === undefined ? undefined : new Set(this.#attached.keys());
    this.#attached = undefined;
  }

  /** A device was attached when an earlier run ended. */
  restore(device: DeviceId): void {
    this.#previous ??= new Set();
    this.#previous.add(device);
  }

  #remember(device: DeviceId, value: "" | undefined): void {
    if (this.#core.options.restoreAttachments === true) this.#core.store(`local/${device}`, value);
  }
}

function idsOf({ aliases, devices }: LocalRegistry): ReadonlyMap<DeviceId, DeviceId | undefined> {
  const ids = new Map<DeviceId, DeviceId | undefined>();
  for (const alias of aliases) ids.set(alias, undefined);
  for (const [device, { aliases: others }] of devices ?? []) for (const alias of others) ids.set(alias, device);
  return ids;
}

/** All gateways of a cloud have the same rules. */
const knownForms = new WeakMap<IdRules, RegExp>();

function formOf(ids: IdRules): RegExp {
  const known = knownForms.get(ids) ?? new RegExp(`^(?:${ids.pattern ?? "[^]+"})$`, "u");
  knownForms.set(ids, known);
  return known;
}

/** Why a device may not attach, whatever it can prove. */
function objectionTo(device: DeviceId, registry: LocalRegistry): string | undefined {
  const { devices, needsBinding, isElsewhere } = registry;
  const known = devices?.get(device);
  if (devices === undefined) return isElsewhere(device) ? "the device is not bound to the gateway" : undefined;
  if (known === undefined) return "the device does not exist";
  if (known.isBlocked) return "the device is blocked";
  return needsBinding && !known.isBound ? "the device is not bound to the gateway" : undefined;
}
