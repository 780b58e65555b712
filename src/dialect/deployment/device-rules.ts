import type { DeviceId, MessageKind } from "../../message/message.ts";
import type { DeploymentMemory } from "./deployment.ts";
import { createKeyTable, type KeyTable } from "./key-table.ts";
import type { KeyedKind, MappingRule } from "./rule.ts";
import { matches } from "./text-pattern.ts";

/** The rules that hold for one device. */
export interface DeviceRules {
  readonly tables: Readonly<Record<KeyedKind, KeyTable>>;
  /** The rule that sends telemetry to a folder, where no key says otherwise. */
  readonly folder: MappingRule | undefined;
  /** The rule that lets no message of this kind through. */
  dropOf(kind: MessageKind): MappingRule | undefined;
}

export interface RulesByDevice {
  of(device: DeviceId): DeviceRules;
  /** The device says what it is. It is remembered over restarts, if a rule asks for it. */
  learnProfile(device: DeviceId, profile: string): void;
}

const cacheSize = 4096;
const profileFact = "profile/";

/** Finds the rules for devices, by their names and what they last said they were. */
export function createRulesByDevice(
  rules: readonly MappingRule[],
  memory: Pick<DeploymentMemory, "facts" | "remember">,
): RulesByDevice {
  const usesProfiles = rules.some(({ profiles }) => profiles !== undefined);
  const profiles = new Map<DeviceId, string>();
  const bySet = new Map<string, DeviceRules>();
  const byDevice = new Map<DeviceId, DeviceRules>();
  if (usesProfiles) {
    for (const [key, value] of memory.facts) {
      if (key.startsWith(profileFact)) profiles.set(key.slice(profileFact.length) as DeviceId, value);
    }
  }

  return {
    of(device) {
      const known = byDevice.get(device);
      if (known !== undefined) return known;
      const own = rules.filter((rule) => holdsFor(rule, device, profiles.get(device)));
      const key = own.map(({ ref }) => ref.name).join();
      const found = bySet.get(key) ?? compileRules(own);
      bySet.set(key, found);
      if (byDevice.size >= cacheSize) byDevice.delete(byDevice.keys().next().value as DeviceId);
      byDevice.set(device, found);
      return found;
    },

    learnProfile(device, profile) {
      if (!usesProfiles || profiles.get(device) === profile) return;
      profiles.set(device, profile);
      byDevice.delete(device);
      memory.remember(`${profileFact}${device}`, profile);
    },
  };
}

function holdsFor({ devices, profiles }: MappingRule, device: DeviceId, profile: string | undefined): boolean {
  if (devices !== undefined && !devices.some((glob) => matches(glob, device))) return false;
  return profiles === undefined || (profile !== undefined && profiles.some((glob) => matches(glob, profile)));
}

function compileRules(rules: readonly MappingRule[]): DeviceRules {
  const drops = rules.filter(({ dropsAll }) => dropsAll !== undefined);
  return {
    tables: {
      telemetry: createKeyTable(rules, "telemetry"),
      state: createKeyTable(rules, "state"),
      config: createKeyTable(rules, "config"),
    },
    folder: rules.find(({ folder }) => folder !== undefined),
    dropOf: (kind) =>
      drops.length === 0
        ? undefined
        : drops.find(({ dropsAll, kinds }) => dropsAll === "everything" || kinds.some((one) => one === kind)),
  };
}
