import type { JsonText } from "../../message/json.ts";
import { type Allowance, allowanceOf, type RateLimits } from "./allowance.ts";
import type { ThingsBoardFaults } from "./faults.ts";
import type { Inventory, TenantDevice } from "./inventory.ts";
import type { ThingsBoardRecords } from "./records.ts";
import type { Attachment, Session } from "./session.ts";
import type { ValueRules } from "./stored-value.ts";

/** The rate limits of a tenant profile; a level that is left out is unlimited. */
export interface TenantLimits {
  /** Everything of the tenant. */
  readonly tenant?: RateLimits;
  /** A connected device that is no gateway. */
  readonly device?: RateLimits;
  /** A gateway's messages about itself. */
  readonly gatewayDevice?: RateLimits;
  /** All devices of one gateway together. */
  readonly gateway?: RateLimits;
}

/** How the platform is set up. */
export interface ThingsBoardConduct extends ValueRules {
  readonly rateLimits: TenantLimits;
  /** A connection without a packet for so long is closed. */
  readonly inactivityMs: number;
  /** An attached device without a message for so long is detached, and nobody told. */
  readonly childInactivityMs: number;
  /** How long a device's own call waits for an answer of the rules. */
  readonly ownCallTimeoutMs: number;
  /** What the rules answer to a device's own call; nothing leads to `{"error":"timeout"}`. */
  readonly answerCall: (call: {
    readonly device: string;
    readonly method: string;
    readonly params: JsonText;
  }) => string | undefined;
  /** `legacy`: before 4.2.1 each device in a publish was acknowledged by itself, and none that could not be attached. */
  readonly puback: "4.2+" | "legacy";
}

/** Where a device is reached: on its own connection, or on that of a gateway. */
export interface Route {
  readonly session: Session;
  readonly attachment?: Attachment;
}

/** All that the connections of one stand-in ThingsBoard share. */
export interface Tenant extends ThingsBoardConduct {
  readonly inventory: Inventory;
  readonly records: ThingsBoardRecords;
  readonly faults: ThingsBoardFaults;
  readonly now: () => number;
  readonly routes: Map<TenantDevice, Route>;
  readonly allowances: Allowances;
}

/** What may still be used, per level. */
export interface Allowances {
  /** One message of a connected device about itself. */
  spendOwn(device: TenantDevice, dataPoints: number): boolean;
  /** One message of any of a gateway's devices. */
  spendChild(gateway: TenantDevice, dataPoints: number): boolean;
}

/** @throws {RangeError} As `allowanceOf` does. */
export function openAllowances(limits: TenantLimits, now: () => number): Allowances {
  const tenant = allowanceOf(limits.tenant ?? {});
  for (const level of [limits.device, limits.gatewayDevice, limits.gateway]) allowanceOf(level ?? {});
  const own = new Map<TenantDevice, Allowance>();
  const children = new Map<TenantDevice, Allowance>();
  const held = (map: Map<TenantDevice, Allowance>, device: TenantDevice, level: RateLimits | undefined) => {
    const allowance = map.get(device) ?? allowanceOf(level ?? {});
    map.set(device, allowance);
    return allowance;
  };
  return {
    spendOwn(device, dataPoints) {
      const level = device.gateway === true ? limits.gatewayDevice : limits.device;
      return tenant.spend(dataPoints, now()) && held(own, device, level).spend(dataPoints, now());
    },
    spendChild: (gateway, dataPoints) =>
      tenant.spend(dataPoints, now()) && held(children, gateway, limits.gateway).spend(dataPoints, now()),
  };
}
