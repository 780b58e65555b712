import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, expect, test } from "vitest";
import { DragomanError } from "../../src/errors.ts";
import { loadPrivateKey, type SigningAlgorithm } from "../../src/upstream/key.ts";

const ec = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pem = (key: KeyObject, type: "pkcs8" | "pkcs1" | "sec1" = "pkcs8") =>
  key.export({ format: "pem", type } as never) as string;
// As `openssl ecparam -name prime256v1 -genkey` writes it: the curve's parameters come first.
const parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";

function messageOf(text: string, algorithm: SigningAlgorithm): string {
  try {
    loadPrivateKey(text, algorithm);
  } catch (error) {
    expect(error).toBeInstanceOf(DragomanError);
    const { code, message, cause } = error as DragomanError;
    expect([code, cause]).toEqual(["ERR_KEY_INVALID", undefined]);
    return message;
  }
  return "no error";
}

describe("loadPrivateKey()", () => {
  test.each([
    ["PKCS #8, RSA", pem(rsa.privateKey), "RS256"],
    ["PKCS #1", pem(rsa.privateKey, "pkcs1"), "RS256"],
    ["PKCS #8, EC", pem(ec.privateKey), "ES256"],
    ["SEC 1", pem(ec.privateKey, "sec1"), "ES256"],
    ["SEC 1 behind EC PARAMETERS", parameters + pem(ec.privateKey, "sec1"), "ES256"],
    ["Windows line ends", pem(ec.privateKey).replaceAll("\n", "\r\n"), "ES256"],
  ] as const)("reads %s", (_name, text, algorithm) => {
    expect(loadPrivateKey(text, algorithm).type).toBe("private");
  });

  const weak = pem(generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey);
  const p384 = pem(generateKeyPairSync("ec", { namedCurve: "secp384r1" }).privateKey);
  const ed25519 = pem(generateKeyPairSync("ed25519").privateKey);

  test.each([
    [
      "RSA for ES256",
      pem(rsa.privateKey),
      "ES256",
      "Cannot use private key: an RSA key does not fit ES256, wanted EC P-256",
    ],
    [
      "EC for RS256",
      pem(ec.privateKey),
      "RS256",
      "Cannot use private key: an EC key on prime256v1 does not fit RS256, wanted an RSA key of 2048 bits or more",
    ],
    [
      "another curve",
      p384,
      "ES256",
      "Cannot use private key: an EC key on secp384r1 does not fit ES256, wanted EC P-256",
    ],
    [
      "another kind",
      ed25519,
      "ES256",
      "Cannot use private key: a key of type ed25519 does not fit ES256, wanted EC P-256",
    ],
    [
      "a weak RSA key",
      weak,
      "RS256",
      "Cannot use private key: found an RSA key of only 1024 bits, wanted an RSA key of 2048 bits or more in PEM for RS256",
    ],
    [
      "a public key",
      ec.publicKey.export({ format: "pem", type: "spki" }) as string,
      "ES256",
      "Cannot use private key: found a public key, wanted EC P-256 in PEM for ES256",
    ],
    [
      "a certificate",
      "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
      "ES256",
      "Cannot use private key: found a certificate, wanted EC P-256 in PEM for ES256",
    ],
    ["no PEM", "c2VjcmV0", "ES256", "Cannot use private key: found no PEM block, wanted EC P-256 in PEM for ES256"],
    ["an empty text", " \n", "ES256", "Cannot use private key: found nothing, wanted EC P-256 in PEM for ES256"],
    [
      "an encrypted key",
      ec.privateKey.export({ format: "pem", type: "pkcs8", cipher: "aes-256-cbc", passphrase: "x" }) as string,
      "ES256",
      "Cannot use private key: found an encrypted key, which needs a passphrase, wanted EC P-256 in PEM for ES256",
    ],
    [
      "a damaged key",
      "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
      "ES256",
      'Cannot use private key: found a "PRIVATE KEY" block that is damaged or of an unknown kind, wanted EC P-256 in PEM for ES256',
    ],
  ] as const)("refuses %s", (_name, text, algorithm, message) => {
    expect(messageOf(text, algorithm)).toBe(message);
  });
});
