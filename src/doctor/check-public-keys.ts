import type { GatewayConfig } from "../config.ts";
import type { GatewayLocalOptions } from "../local/options.ts";
import { loadPublicKey } from "../local/public-key.ts";
import { dateOf } from "./certificate.ts";
import type { Finding } from "./checkup.ts";

const dayMs = 86_400_000;
const warnMs = 30 * dayMs;

/**
 * Whether the gateway, and each device with keys of its own, can still prove itself to us: it can as long as one of its keys
 * counts. Nothing where there are none.
 */
export function checkPublicKeys({ id, local }: GatewayConfig, nowMs: number): Finding | undefined {
  const owners: readonly (readonly [string, GatewayLocalOptions["publicKeys"]])[] = [
    [`gateway "${id}"`, local.publicKeys],
    ...Object.entries(local.devices ?? {}).map(([name, { publicKeys }]) => [`device "${name}"`, publicKeys] as const),
  ];
  const ends = owners.flatMap(([owner, keys]) => {
    if (keys === undefined) return [];
    return [{ owner, endsMs: Math.max(...keys.map((key) => endOf(key, owner))) }];
  });
  if (ends.length === 0) return undefined;
  const told = ends.filter(({ endsMs }) => endsMs < nowMs + warnMs);
  const details = told.map(
    ({ owner, endsMs }) =>
      `${owner}: ${endsMs < nowMs ? "no key counts since" : "the last key counts until"} ${dateOf(endsMs)}`,
  );
  const expired = told.filter(({ endsMs }) => endsMs < nowMs).length;
  const many = ends.length === 1 ? "1 owner of keys" : `${ends.length} owners of keys`;
  if (told.length === 0) return { outcome: "ok", found: `${many}, each with one that counts` };
  return {
    outcome: expired > 0 ? "fail" : "warn",
    found:
      expired > 0 ? `${expired} of ${many} cannot log in any more` : `${told.length} of ${many} soon cannot log in`,
    details,
    causes: [
      {
        name: expired > 0 ? "expired" : "expiring",
        likelihood: "proven",
        what: 'the keys expire, by "expires" or because they are certificates',
        remedy:
          'Add a new key beside the old one in "publicKeys", give the device its private half, and take the old one out.',
      },
    ],
  };
}

/** Unix ms; infinite for a key that does not end. */
function endOf(key: NonNullable<GatewayLocalOptions["publicKeys"]>[number], owner: string): number {
  const { key: pem, expires } = typeof key === "string" ? { key, expires: undefined } : key;
  const { expiresAtMs = Number.POSITIVE_INFINITY } = loadPublicKey(pem, owner);
  return Math.min(expiresAtMs, expires ?? Number.POSITIVE_INFINITY);
}
