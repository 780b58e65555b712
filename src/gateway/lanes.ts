import type { DeviceId } from "../message/message.ts";
import type { IdRules } from "../message/traits.ts";
import type { Core } from "./core.ts";
import { createLane, isQuiet, type Lane } from "./lane.ts";
import { compileNames, type Names, withNaming } from "./names.ts";

/** All devices of one gateway. Owns the invariant that no two of them have one id upstream. */
export class Lanes {
  /** The gateway itself. */
  readonly own: Lane = createLane(undefined);
  readonly #core: Core;
  readonly #names: Names;
  #byName: Map<DeviceId, Lane> | undefined;
  #byId: Map<DeviceId, Lane> | undefined;

  constructor(core: Core) {
    this.#core = core;
    const ids: IdRules = core.adapt.sameFamily ? { form: "free" } : core.options.upstream.ids;
    this.#names = withNaming(compileNames(ids), core.options.naming);
  }

  find(device: DeviceId | undefined): Lane | undefined {
    return device === undefined ? this.own : this.#byName?.get(device);
  }

  /** The lane of a device, made on first sight. */
  of(device: DeviceId | undefined): Lane {
    return this.find(device) ?? this.#add(device as DeviceId);
  }

  /** The lane of a device that the upstream names. */
  ofId(id: DeviceId | undefined): Lane {
    return this.findId(id) ?? this.of(this.#names.toLocal(id as DeviceId));
  }

  findId(id: DeviceId | undefined): Lane | undefined {
    return id === undefined ? this.own : this.#byId?.get(id);
  }

  /** How many devices are known. */
  get count(): number {
    return this.#byName?.size ?? 0;
  }

  /** Every device, not the gateway itself. */
  all(): Iterable<Lane> {
    return this.#byName?.values() ?? [];
  }

  /** Forgets a device of which nothing is left to know. */
  release(lane: Lane): void {
    if (lane.device === undefined || lane.phase !== "detached" || lane.isKnown || lane.isStored || lane.isWanted)
      return;
    if (!isQuiet(lane) || lane.data.length > 0 || lane.recalling > 0 || lane.unreadDetaches > 0) return;
    if (lane.state !== undefined || lane.config !== undefined || lane.collected !== undefined) return;
    if (lane.kept !== undefined) return;
    if (lane.nextId !== undefined) return;
    this.#byName?.delete(lane.device);
    if (lane.id !== undefined && this.#byId?.get(lane.id) === lane) this.#byId?.delete(lane.id);
  }

  /**
   * The cloud calls the device something else now. What is attached under the old name stays so until the next attach
   * (ThingsBoard specification, 13.3). False if another device here has the new name.
   */
  rename(lane: Lane, id: DeviceId): boolean {
    const other = this.#byId?.get(id);
    if (other !== undefined && other !== lane) return false;
    this.#byId ??= new Map();
    this.#byId.set(id, lane);
    lane.nextId = id;
    return true;
  }

  /** Uses the newest name: nothing is attached under the old one any more. */
  takeName(lane: Lane): void {
    if (lane.nextId === undefined || lane.nextId === lane.id) return;
    if (lane.id !== undefined) this.#byId?.delete(lane.id);
    lane.id = lane.nextId;
    lane.problem = undefined;
  }

  /** Looks once more whether a device without an id can have one now. */
  reconsider(lane: Lane): void {
    if (lane.problem !== undefined) this.#name(lane);
  }

  #add(device: DeviceId): Lane {
    const lane = createLane(device);
    this.#byName ??= new Map();
    this.#byName.set(device, lane);
    this.#name(lane);
    return lane;
  }

  #name(lane: Lane): void {
    const device = lane.device as DeviceId;
    const named = this.#names.toUpstream(device);
    if ("problem" in named) {
      this.#refuse(lane, named.problem);
      return;
    }
    const other = this.#byId?.get(named.id);
    if (other !== undefined) {
      this.#refuse(lane, `"${other.device}" has the id "${named.id}" already: give one of the devices an alias`);
      return;
    }
    this.#byId ??= new Map();
    this.#byId.set(named.id, lane);
    lane.id = named.id;
    lane.problem = undefined;
  }

  #refuse(lane: Lane, problem: string): void {
    lane.problem = problem;
    lane.phase = "held";
    lane.reason = problem;
    this.#core.report("error", "device-without-id", { device: lane.device, reason: problem });
  }
}
