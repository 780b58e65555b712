import { generateKeyPairSync } from "node:crypto";

export interface KeyPair {
  /** PEM. */
  readonly privateKey: string;
  readonly publicKey: string;
}

/** A key as a gateway of the IoT Core family has: EC P-256, for ES256. */
export function makeKeys(): KeyPair {
  return generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
}
