import { arrayText, type JsonText, membersOf, scalarText } from "../message/json.ts";
import type { GatewayEffect } from "./event.ts";

/** What is true of one cloud only. The other facts are about the local gateway, or about what is in the spool. */
const ofCloud = new Set([
  ...["attached", "alias", "desired", "taken", "doubtful", "document", "documentTaken", "collected"],
  ...["reported", "published", "command", "folded"],
]);
/** Facts about configurations that say nothing any more once another cloud has had its turn. */
const passing = new Set(["desired", "doubtful", "document", "documentTaken"]);
/** The clouds that facts are kept of, the present one first. */
const cloudsKey = "clouds";
const maxClouds = 4;

/** The key under which a fact is kept: with the name of the cloud, where it is about one. */
export function keyOnDisk(key: string, cloud: string | undefined): string {
  if (cloud === undefined) return key;
  const slash = key.indexOf("/");
  const fact = slash === -1 ? key : key.slice(0, slash);
  return ofCloud.has(fact) ? `${fact}@${cloud}${key.slice(fact.length)}` : key;
}

/**
 * The facts that hold with this cloud, under their plain keys.
 *
 * A cloud that was not known starts anew. One that was comes back to what it knew, but for configurations: another cloud may
 * have changed what the local gateway has, so it hears them whole. The last few clouds are remembered.
 *
 * @param cloud A name without `/`; absent: facts are not told apart.
 * @param emit Gets what has to change on disk.
 */
export function factsOfCloud(
  facts: Iterable<readonly [string, string]>,
  cloud: string | undefined,
  emit: (effect: GatewayEffect) => void,
): readonly (readonly [string, string])[] {
  const all = [...facts];
  if (cloud === undefined) return all;
  const clouds = JSON.parse(all.find(([key]) => key === cloudsKey)?.[1] ?? "[]") as readonly string[];
  const [last = cloud] = clouds;
  const kept = [cloud, ...clouds.filter((other) => other !== cloud)].slice(0, maxClouds);
  const store = (key: string, value: string | undefined) => emit({ kind: "store", key, value });
  if (last !== cloud || clouds.length === 0) store(cloudsKey, JSON.stringify(kept));

  const own: (readonly [string, string])[] = [];
  /** What the cloud that was left had to say and nobody has taken yet. */
  const left = new Map<string, Map<string, string>>();
  for (const [key, value] of all) {
    const { fact, of, rest } = parseKey(key);
    if (!ofCloud.has(fact)) own.push([key, value]);
    else if (of === undefined) {
      // From before facts were told apart: they are of the cloud that there was.
      store(key, undefined);
      store(keyOnDisk(key, cloud), value);
      own.push([key, value]);
    } else if (of === cloud) {
      own.push([fact + rest, value]);
      if (fact === "taken" && last !== cloud) {
        const keys = arrayText([...membersOf(value as JsonText).keys()].map(scalarText));
        store(keyOnDisk(`doubtful${rest}`, cloud), keys);
        own.push([`doubtful${rest}`, keys]);
      }
    } else if (!kept.includes(of)) store(key, undefined);
    else if (of === last && (fact === "taken" || passing.has(fact))) {
      left.set(rest, (left.get(rest) ?? new Map()).set(fact, value));
      if (passing.has(fact)) store(key, undefined);
    }
  }
  for (const config of left.values()) {
    if (isPending(config)) emit({ kind: "countDown", event: "dropped", count: 1, reason: "superseded" });
  }
  return own;
}

/** Whether a device's configuration waited for the local gateway to take it. */
function isPending(config: ReadonlyMap<string, string>): boolean {
  const desired = config.get("desired");
  if (desired === undefined) return config.has("document") && !config.has("documentTaken");
  return desired !== (config.get("taken") ?? "{}") || config.has("doubtful");
}

function parseKey(key: string): { readonly fact: string; readonly of: string | undefined; readonly rest: string } {
  const [, fact = "", of, rest = ""] = /^([^@/]*)(?:@([^/]*))?(.*)$/s.exec(key) ?? [];
  return { fact, of, rest };
}
