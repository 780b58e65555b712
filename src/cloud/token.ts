import { verify } from "node:crypto";
import type { PublicKey } from "./public-key.ts";

/** What a token is held against. */
export interface TokenRules {
  readonly keys: readonly PublicKey[];
  /** What `aud` must be; absent: it is not looked at, nor is `typ`. */
  readonly audience?: string;
  readonly strictBase64url: boolean;
  readonly skewMs: number;
  readonly nowMs: number;
}

/** Longest time from `iat` to `exp`. */
const maxLifetimeMs = 24 * 60 * 60 * 1000;

/**
 * Verifies a device's JWT (RFC 7519) as the IoT Core clouds do: RS256 or ES256 by one of its keys, `aud` one string, `iat`
 * and `exp` within the tolerated skew, `nbf` not looked at.
 *
 * The signature is checked with node:crypto over the text as it came: Google took tokens in sloppy base64 that JWT
 * libraries refuse, and the exam must not rest on the library that the examined one signs with.
 *
 * @returns When it runs out, or why it is refused.
 */
export function verifyToken(
  token: string,
  rules: TokenRules,
): { readonly expiresAtMs: number } | { readonly refused: string } {
  const parts = token.split(".");
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined) {
    return { refused: "token is not a JWT" };
  }
  const alphabet = rules.strictBase64url ? /^[A-Za-z0-9_-]+$/ : /^[A-Za-z0-9_+/-]+={0,2}$/;
  if (!parts.every((part) => alphabet.test(part))) return { refused: "token is not base64url" };

  const head = readObject(header);
  const claims = readObject(payload);
  if (head === undefined || claims === undefined) return { refused: "token is not a JWT" };
  if (rules.audience !== undefined) {
    // Mismatch is denied without further checks (vendors' JWT pages).
    if (typeof claims["aud"] !== "string") return { refused: "aud is not a string" };
    if (claims["aud"] !== rules.audience) return { refused: "aud is not the project" };
    if (head["typ"] !== "JWT") return { refused: 'typ is not "JWT"' };
  }
  if (head["crit"] !== undefined) return { refused: "crit is not understood" };

  const able = rules.keys.filter((key) => key.algorithm === head["alg"]);
  if (able.length === 0) return { refused: "alg fits no key of the device" };
  const signed = Buffer.from(`${header}.${payload}`, "ascii");
  const bytes = Buffer.from(signature, "base64");
  if (!able.some(({ key }) => verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, bytes))) {
    return { refused: "signature does not verify" };
  }
  return checkTimes(claims["iat"], claims["exp"], rules);
}

function checkTimes(iat: unknown, exp: unknown, { nowMs, skewMs }: TokenRules) {
  if (!isSeconds(iat)) return { refused: "iat is not a number" };
  if (!isSeconds(exp)) return { refused: "exp is not a number" };
  const issuedAtMs = iat * 1000;
  const expiresAtMs = exp * 1000;
  if (issuedAtMs > nowMs + skewMs) return { refused: "iat is in the future" };
  if (issuedAtMs < nowMs - maxLifetimeMs - skewMs) return { refused: "iat is too long ago" };
  if (expiresAtMs <= issuedAtMs) return { refused: "exp is not after iat" };
  if (expiresAtMs - issuedAtMs > maxLifetimeMs + skewMs) return { refused: "token lives longer than 24 h" };
  if (expiresAtMs + skewMs <= nowMs) return { refused: "token has expired" };
  return { expiresAtMs };
}

function isSeconds(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function readObject(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(part, "base64")));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
