import type { DeploymentSession } from "../dialect/deployment/deployment.ts";
import type { Decoded } from "../message/decoded.ts";
import type { Fate } from "../message/fate.ts";

const noFates: ReadonlyMap<number, Fate> = new Map();

/** What a packet means in the words of the upstream side, and the fates of what goes no further. */
export function outward<Read extends Decoded>(
  mapping: DeploymentSession | undefined,
  decoded: Read,
): { readonly decoded: Read; readonly fates: ReadonlyMap<number, Fate> } {
  return mapping?.outward(decoded) ?? { decoded, fates: noFates };
}
