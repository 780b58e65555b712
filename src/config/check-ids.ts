import type { Dialect } from "../dialect/dialect.ts";
import type { Section } from "./section.ts";

export interface Sides {
  readonly local: Dialect | undefined;
  readonly upstream: Dialect | undefined;
}

/** Checks the ids of gateways, devices and registries: legal in their clouds, and each once. */
export function checkIds(root: Section, sides: Sides): void {
  checkRegistry(root.section("local"), sides.local);
  checkRegistry(root.section("upstream"), sides.upstream);
  const names = new Map<string, string>();
  const identities = new Map<string, string>();
  const ownNumbers = new Map<string, string>();
  for (const [index, gateway] of root.items("gateways").entries()) {
    const shown = `gateways[${index}]`;
    const of = (other: string) => `the id of ${other} too, wanted another`;
    const isNew = once(gateway, { key: "id", known: names, shown, of });
    checkId(gateway, "id", sides.local);

    const upstream = gateway.section("upstream");
    const isNamed = upstream.has("gateway");
    const [owner, key] = isNamed ? ([upstream, "gateway"] as const) : ([gateway, "id"] as const);
    checkId(owner, key, sides.upstream);
    if (sides.upstream?.connection.credentials === "jwt" && (isNamed || isNew)) {
      const ofCloud = (other: string) => `the id of ${other} in the cloud too, which lets only one of them connect`;
      once(owner, { key, known: identities, shown, of: ofCloud });
    }

    once(gateway.section("local"), { key: "numericId", known: ownNumbers, shown, of: numberOf });
    checkDevices(gateway.section("local"), sides.local);
  }
}

function checkRegistry(side: Section, dialect: Dialect | undefined): void {
  if (side.has("registry")) checkId(side, "registry", dialect);
}

function checkDevices(local: Section, dialect: Dialect | undefined): void {
  const devices = local.section("devices");
  const numbers = new Map<string, string>();
  once(local, { key: "numericId", known: numbers, shown: "the gateway itself", of: numberOf });
  for (const device of devices.keys()) {
    const fault = dialect === undefined ? undefined : idFault(device, dialect);
    if (fault !== undefined) devices.report(`found "${device}", wanted ${fault}`, device, "key");
    once(devices.section(device), { key: "numericId", known: numbers, shown: `device "${device}"`, of: numberOf });
  }
}

const numberOf = (other: string) => `the numericId of ${other} too, wanted another`;

interface Once {
  readonly key: string;
  readonly known: Map<string, string>;
  /** How the owner of a value is called when it turns up again. */
  readonly shown: string;
  readonly of: (other: string) => string;
}

/** Reports a value that another owner has already; true where it is new. */
function once(section: Section, { key, known, shown, of }: Once): boolean {
  const id = section.text(key);
  if (id === undefined) return false;
  const other = known.get(id);
  if (other === undefined) known.set(id, shown);
  else section.report(`found ${section.found(key)}, ${of(other)}`, key);
  return other === undefined;
}

function checkId(section: Section, key: string, dialect: Dialect | undefined): void {
  const id = section.text(key);
  const fault = id === undefined || dialect === undefined ? undefined : idFault(id, dialect);
  if (fault !== undefined) section.report(`found ${section.found(key)}, wanted ${fault}`, key);
}

/** What a dialect wants of an id that it cannot carry. */
export function idFault(id: string, { name, ids, connection }: Dialect): string | undefined {
  const forbidden = [...`+${connection.forbiddenInIds ?? ""}`].find((character) => id.includes(character));
  if (forbidden !== undefined) return `an id without "${forbidden}", which cannot stand in a topic`;
  if (ids.form === "free") return undefined;
  const length = [...id].length;
  const { minLength = 1, maxLength = Number.POSITIVE_INFINITY } = ids;
  if (length < minLength || length > maxLength) {
    return `an id of ${minLength} to ${maxLength} characters (dialect "${name}")`;
  }
  const prefix = ids.reservedPrefixes?.find((reserved) => id.toLowerCase().startsWith(reserved.toLowerCase()));
  if (prefix !== undefined) return `an id that does not start with "${prefix}" (dialect "${name}")`;
  if (ids.pattern !== undefined && !new RegExp(`^(?:${ids.pattern})$`).test(id)) {
    return `an id that matches ${ids.pattern} (dialect "${name}")`;
  }
  return undefined;
}
