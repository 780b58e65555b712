import { type KeyObject, type SignKeyObjectInput, sign } from "node:crypto";
import { promisify } from "node:util";
import { decodeJwt, decodeProtectedHeader, type JWTPayload, type ProtectedHeaderParameters } from "jose";
import { DragomanError } from "../errors.ts";
import type { SigningAlgorithm } from "./key.ts";

export interface TokenOptions {
  readonly key: KeyObject;
  readonly algorithm: SigningAlgorithm;
  /** `aud`, a single string: for google and clearblade the project, for omnicore the subscription. */
  readonly audience: string;
  /** At most 24 h (vendors, "Using JSON Web Tokens"). */
  readonly lifetimeMs: number;
  /** Unix ms. */
  readonly nowMs: number;
}

export interface Token {
  /** Compact serialisation, base64url without padding: ClearBlade takes no other. */
  readonly jwt: string;
  /** Unix ms, a whole second. */
  readonly expiresAtMs: number;
}

const signSoon = promisify<string, Buffer, SignKeyObjectInput, Buffer>(sign);

/**
 * Makes the password of an IoT Core connection: header `alg` and `typ`, claims `iat`, `exp` and `aud` and no others
 * (RFC 7515, 7.1; RFC 7518, 3.3 and 3.4).
 */
export async function createToken({ key, algorithm, audience, lifetimeMs, nowMs }: TokenOptions): Promise<Token> {
  const issuedAt = Math.floor(nowMs / 1000);
  const expiresAt = issuedAt + Math.max(1, Math.floor(lifetimeMs / 1000));
  const header = encoded({ alg: algorithm, typ: "JWT" });
  const said = `${header}.${encoded({ iat: issuedAt, exp: expiresAt, aud: audience })}`;
  // Two numbers of 32 bytes one after the other, not the DER that OpenSSL makes; means nothing to an RSA key.
  const signature = await signSoon("sha256", Buffer.from(said), { key, dsaEncoding: "ieee-p1363" });
  return { jwt: `${said}.${signature.toString("base64url")}`, expiresAtMs: expiresAt * 1000 };
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** What a token says, unverified. Times are Unix ms, absent where the token does not say. */
export interface TokenReport {
  readonly header: ProtectedHeaderParameters;
  readonly claims: JWTPayload;
  readonly issuedAtMs?: number;
  readonly expiresAtMs?: number;
  readonly lifetimeMs?: number;
  /** Time since it was issued; negative when that lies ahead. */
  readonly ageMs?: number;
  /** Time until it expires; negative when that lies behind. */
  readonly remainingMs?: number;
  /** What an IoT Core cloud would object to, as far as can be seen without the key. */
  readonly objections: readonly string[];
}

/** The clouds tolerate as much of a clock's error (vendors, "Using JSON Web Tokens"). */
const skewMs = 600_000;
const maxLifetimeMs = 86_400_000;

/**
 * Reads a token without verifying its signature.
 *
 * @throws {DragomanError} `ERR_USAGE` when it is no JWT. The message does not show it.
 */
export function inspectToken(jwt: string, nowMs: number): TokenReport {
  let header: ProtectedHeaderParameters;
  let claims: JWTPayload;
  try {
    header = decodeProtectedHeader(jwt);
    claims = decodeJwt(jwt);
  } catch {
    throw new DragomanError(
      "ERR_USAGE",
      "Cannot read token: found no JWT, wanted three base64url parts joined by dots",
    );
  }
  const issuedAtMs = toMs(claims.iat);
  const expiresAtMs = toMs(claims.exp);
  return {
    header,
    claims,
    ...(issuedAtMs === undefined ? {} : { issuedAtMs, ageMs: nowMs - issuedAtMs }),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs, remainingMs: expiresAtMs - nowMs }),
    ...(issuedAtMs === undefined || expiresAtMs === undefined ? {} : { lifetimeMs: expiresAtMs - issuedAtMs }),
    objections: objectionsTo(jwt, { header, claims, issuedAtMs, expiresAtMs, nowMs }),
  };
}

interface Inspected {
  readonly header: ProtectedHeaderParameters;
  readonly claims: JWTPayload;
  readonly issuedAtMs: number | undefined;
  readonly expiresAtMs: number | undefined;
  readonly nowMs: number;
}

function objectionsTo(jwt: string, { header, claims, issuedAtMs, expiresAtMs, nowMs }: Inspected): string[] {
  const objections: string[] = [];
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(jwt)) objections.push("it is not strict base64url without padding");
  if (header.alg !== "RS256" && header.alg !== "ES256") objections.push("alg is neither RS256 nor ES256");
  if (header.typ !== "JWT") objections.push('typ is not "JWT"');
  if (typeof claims.aud !== "string") objections.push("aud is not a single string");
  if (issuedAtMs === undefined) objections.push("iat is missing or not a number");
  else if (Math.abs(nowMs - issuedAtMs) > skewMs && issuedAtMs > nowMs)
    objections.push("iat is more than 10 min ahead");
  if (expiresAtMs === undefined) objections.push("exp is missing or not a number");
  else if (expiresAtMs + skewMs < nowMs) objections.push("it has expired, more than 10 min ago");
  if (issuedAtMs !== undefined && expiresAtMs !== undefined && expiresAtMs - issuedAtMs > maxLifetimeMs + skewMs) {
    objections.push("it lives longer than 24 h");
  }
  return objections;
}

function toMs(seconds: unknown): number | undefined {
  return typeof seconds === "number" && Number.isFinite(seconds) ? seconds * 1000 : undefined;
}
