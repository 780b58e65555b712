import { createPrivateKey, type KeyObject } from "node:crypto";
import { DragomanError } from "../errors.ts";

/** How a token is signed: RSASSA-PKCS1-v1_5 or ECDSA on P-256, both with SHA-256 (RFC 7518, 3.1). */
export type SigningAlgorithm = "RS256" | "ES256";

const wanted = { RS256: "an RSA key of 2048 bits or more", ES256: "EC P-256" } as const;
/** RFC 7518, 3.3. */
const minRsaBits = 2048;

/**
 * Reads a private key in PEM: PKCS #8, PKCS #1 (RSA) or SEC 1 (EC), with or without an `EC PARAMETERS` block before it.
 *
 * @throws {DragomanError} `ERR_KEY_INVALID` when it is none, is encrypted, or does not fit `algorithm`. The message names
 * what was found, and nothing of the key.
 */
export function loadPrivateKey(pem: string, algorithm: SigningAlgorithm): KeyObject {
  const label = /-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----/.exec(pem)?.[1];
  if (label === undefined) throw unusable(`found ${describePem(pem)}`, algorithm);
  if (label.startsWith("ENCRYPTED") || pem.includes("Proc-Type: 4,ENCRYPTED")) {
    throw unusable("found an encrypted key, which needs a passphrase", algorithm);
  }
  const key = parse(pem.slice(pem.indexOf(`-----BEGIN ${label}-----`)), label, algorithm);
  const found = describeKey(key);
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  const isRsa = key.asymmetricKeyType === "rsa";
  const fits = algorithm === "RS256" ? isRsa : namedCurve === "prime256v1";
  if (!fits)
    throw new DragomanError(
      "ERR_KEY_INVALID",
      `Cannot use private key: ${found} does not fit ${algorithm}, wanted ${wanted[algorithm]}`,
    );
  if (isRsa && modulusLength < minRsaBits) {
    throw unusable(`found an RSA key of only ${modulusLength} bits`, algorithm);
  }
  return key;
}

function parse(pem: string, label: string, algorithm: SigningAlgorithm): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // OpenSSL's message says nothing that helps, and its cause might show a part of the text.
    throw unusable(`found a "${label}" block that is damaged or of an unknown kind`, algorithm);
  }
}

function unusable(found: string, algorithm: SigningAlgorithm): DragomanError {
  return new DragomanError(
    "ERR_KEY_INVALID",
    `Cannot use private key: ${found}, wanted ${wanted[algorithm]} in PEM for ${algorithm}`,
  );
}

function describePem(text: string): string {
  const label = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(text)?.[1];
  if (label === undefined) return text.trim() === "" ? "nothing" : "no PEM block";
  if (label.includes("PUBLIC KEY")) return "a public key";
  return label.includes("CERTIFICATE") ? "a certificate" : `a "${label}" block`;
}

function describeKey({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string {
  if (asymmetricKeyType === "rsa") return "an RSA key";
  if (asymmetricKeyType === "ec") return `an EC key on ${asymmetricKeyDetails?.namedCurve ?? "an unnamed curve"}`;
  return `a key of type ${asymmetricKeyType ?? "unknown"}`;
}
