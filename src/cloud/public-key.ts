import { createPublicKey, type KeyObject } from "node:crypto";
import { DragomanError } from "../errors.ts";

/** A key that tokens are verified with, and the one algorithm it may be used for. */
export interface PublicKey {
  readonly key: KeyObject;
  readonly algorithm: "RS256" | "ES256";
}

/** Registries keep three keys for a device, so that one can be changed while another still works. */
export const maxKeys = 3;

/**
 * Reads a public key or an X.509 certificate in PEM: RSA of at least 2048 bits, or EC on P-256.
 *
 * The algorithm follows from the key and never from a token, so a token cannot choose how it is verified.
 *
 * @param name For whom or from where, in errors.
 * @throws {DragomanError} `ERR_KEY_INVALID`; the text of the key is in no error.
 */
export function readPublicKey(pem: string, name: string): PublicKey {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    throw new DragomanError(
      "ERR_KEY_INVALID",
      `Cannot read public key of "${name}": got a private key, wanted its public key or certificate`,
    );
  }
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    throw new DragomanError(
      "ERR_KEY_INVALID",
      `Cannot read public key of "${name}": not PEM of a public key or an X.509 certificate`,
    );
  }
  const details = key.asymmetricKeyDetails;
  if (key.asymmetricKeyType === "rsa" && (details?.modulusLength ?? 0) >= 2048) return { key, algorithm: "RS256" };
  if (key.asymmetricKeyType === "ec" && details?.namedCurve === "prime256v1") return { key, algorithm: "ES256" };
  const found =
    key.asymmetricKeyType === "rsa"
      ? `RSA of ${details?.modulusLength} bits`
      : (details?.namedCurve ?? key.asymmetricKeyType);
  throw new DragomanError(
    "ERR_KEY_INVALID",
    `Cannot read public key of "${name}": got ${found}, wanted RSA of 2048 bits or more, or EC on P-256`,
  );
}
