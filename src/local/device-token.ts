import { type VerifyKeyObjectInput, verify } from "node:crypto";
import { promisify } from "node:util";
import type { TokenRules } from "../message/listener-rules.ts";
import type { PublicKey } from "./public-key.ts";

/** What a token is held against. */
export interface TokenCheck {
  /** Any of them may have signed it. */
  readonly keys: readonly PublicKey[];
  readonly rules: TokenRules;
  /** What `aud` has to be, where the rules look at it. */
  readonly audience: string | undefined;
  readonly nowMs: number;
}

/** When the token runs out, or why it is worth nothing. */
export type TokenVerdict = { readonly expiresAtMs: number } | { readonly fault: string };

/** More than any token with three claims needs, however long its RSA signature. */
const maxTokenLength = 8192;
const strictPart = /^[A-Za-z0-9_-]+$/;
const lenientPart = /^[A-Za-z0-9_+/-]+={0,2}$/;
const utf8 = new TextDecoder("utf-8", { fatal: true });
const verifySoon = promisify<string, Buffer, VerifyKeyObjectInput, Buffer, boolean>(verify);

/**
 * Checks a token by which a device proves itself (RFC 7519, RFC 7515): `aud`, then the signature, then `iat` and `exp`;
 * `nbf` is not looked at. The algorithm is that of the key: a token cannot choose one, so `none` and HMAC never count.
 *
 * The signature is that of the text as it came. Google took tokens in padded base64, and JWT libraries, jose too, refuse
 * to look at those; that is why this is node:crypto by itself.
 */
export async function checkToken(token: string, check: TokenCheck): Promise<TokenVerdict> {
  const { rules, audience, keys, nowMs } = check;
  if (token === "") return fault("there is no token");
  if (token.length > maxTokenLength) return fault(`the token is longer than ${maxTokenLength} characters`);
  const parts = token.split(".");
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined) {
    return fault("the token is no JWT");
  }
  const isPart = rules.encoding === "strict" ? strictPart : lenientPart;
  if (!parts.every((part) => isPart.test(part))) return fault("the token is not base64url");
  const head = readObject(header);
  const claims = readObject(payload);
  if (head === undefined || claims === undefined) return fault("the token is no JWT");
  if (rules.audience === "checked") {
    if (typeof claims["aud"] !== "string") return fault('"aud" is not one text');
    if (claims["aud"] !== audience) return fault('"aud" names somebody else');
    if (head["typ"] !== "JWT") return fault('"typ" is not "JWT"');
  }
  // RFC 7515, 4.1.11: an extension that is not understood makes the token invalid.
  if (head["crit"] !== undefined) return fault('"crit" is not understood');

  const able = keys.filter((key) => key.algorithm === head["alg"]);
  if (able.length === 0) return fault('"alg" fits no public key');
  const live = able.filter(({ expiresAtMs = Number.POSITIVE_INFINITY }) => expiresAtMs > nowMs);
  if (live.length === 0) return fault("the public key has expired");
  if (!(await isSigned(`${header}.${payload}`, signature, live))) return fault("no public key fits the signature");
  return checkTimes(claims["iat"], claims["exp"], check);
}

async function isSigned(text: string, signature: string, keys: readonly PublicKey[]): Promise<boolean> {
  const bytes = Buffer.from(text, "ascii");
  const signed = Buffer.from(signature, "base64");
  for (const { key } of keys) {
    // RFC 7518, 3.4: the two numbers of an ECDSA signature side by side; RSA does not care.
    if (await verifySoon("sha256", bytes, { key, dsaEncoding: "ieee-p1363" }, signed)) return true;
  }
  return false;
}

function checkTimes(iat: unknown, exp: unknown, { rules, nowMs }: TokenCheck): TokenVerdict {
  if (!isSeconds(iat)) return fault('"iat" is no time');
  if (!isSeconds(exp)) return fault('"exp" is no time');
  const issuedAtMs = iat * 1000;
  const expiresAtMs = exp * 1000;
  const { skewMs, lifetimeMs } = rules;
  if (issuedAtMs > nowMs + skewMs) return fault('"iat" is in the future: one of the clocks is wrong');
  if (issuedAtMs < nowMs - lifetimeMs - skewMs) return fault('"iat" is too long ago');
  if (expiresAtMs <= issuedAtMs) return fault('"exp" is not after "iat"');
  if (expiresAtMs - issuedAtMs > lifetimeMs + skewMs) return fault("the token lives too long");
  if (expiresAtMs + skewMs <= nowMs) return fault("the token has expired");
  return { expiresAtMs };
}

function isSeconds(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

/** A JSON object in base64 of either alphabet. */
function readObject(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(utf8.decode(Buffer.from(part, "base64")));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function fault(text: string): TokenVerdict {
  return { fault: text };
}
