import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { DragomanError } from "../errors.ts";

/** A key that a device's tokens are verified with. */
export interface PublicKey {
  readonly key: KeyObject;
  /** The one algorithm that goes with the key, whatever a token says. */
  readonly algorithm: "RS256" | "ES256";
  /** Unix milliseconds from which on it counts no more; for a certificate the end of its validity. */
  readonly expiresAtMs?: number;
}

/** RFC 7518, 3.3. */
const minRsaBits = 2048;

/**
 * Reads a public key in PEM (SPKI or PKCS #1), or that of an X.509 certificate in PEM, whose issuer does not matter.
 *
 * @param owner Whose it is, for the error.
 * @throws {DragomanError} `ERR_KEY_INVALID` when it is neither, or of a kind that IoT Core clouds do not take.
 */
export function loadPublicKey(pem: string, owner: string): PublicKey {
  const certificate = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/.exec(pem)?.[0];
  if (certificate === undefined && !/-----BEGIN (RSA )?PUBLIC KEY-----/.test(pem)) {
    throw unusable(owner, "found no public key and no certificate in PEM");
  }
  let key: KeyObject;
  let expiresAtMs: number | undefined;
  try {
    const parsed = certificate === undefined ? undefined : new X509Certificate(certificate);
    key = parsed?.publicKey ?? createPublicKey(pem);
    if (parsed !== undefined) expiresAtMs = Date.parse(parsed.validTo);
  } catch (cause) {
    throw unusable(owner, "found one that cannot be decoded", cause);
  }
  return { key, algorithm: algorithmOf(key, owner), ...(expiresAtMs === undefined ? {} : { expiresAtMs }) };
}

function algorithmOf(key: KeyObject, owner: string): PublicKey["algorithm"] {
  const { modulusLength = 0, namedCurve = "unknown" } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "ec" && namedCurve === "prime256v1") return "ES256";
  if (key.asymmetricKeyType === "rsa" && modulusLength >= minRsaBits) return "RS256";
  const kind =
    key.asymmetricKeyType === "rsa"
      ? `an RSA key of ${modulusLength} bits`
      : key.asymmetricKeyType === "ec"
        ? `an EC key on curve ${namedCurve}`
        : `a key of type ${key.asymmetricKeyType}`;
  throw unusable(owner, `found ${kind}`);
}

function unusable(owner: string, found: string, cause?: unknown): DragomanError {
  return new DragomanError(
    "ERR_KEY_INVALID",
    `Cannot use a public key of ${owner}: ${found}, wanted an EC key on curve prime256v1 or an RSA key of at least ${minRsaBits} bits`,
    cause === undefined ? undefined : { cause },
  );
}
