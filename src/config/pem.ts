import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";

/** What is wrong with a text, as text that follows "found". */
export interface Fault {
  readonly fault: string;
}

/** The certificates in a PEM text, at least one. */
export function certificatesIn(text: string): readonly X509Certificate[] | Fault {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g);
  if (blocks === null) return { fault: kindOfText(text) };
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    return { fault: "a certificate that cannot be decoded" };
  }
}

/** The private key in a PEM text. */
export function privateKeyIn(text: string): KeyObject | Fault {
  if (!text.includes("PRIVATE KEY-----")) return { fault: kindOfText(text) };
  if (/ENCRYPTED/.test(text)) return { fault: "a private key with a passphrase" };
  try {
    return createPrivateKey(text);
  } catch {
    return { fault: "a private key that cannot be decoded" };
  }
}

/** The public key in a PEM text, which may be a certificate's. */
export function publicKeyIn(text: string): KeyObject | Fault {
  if (!/-----BEGIN ((RSA )?PUBLIC KEY|CERTIFICATE)-----/.test(text)) return { fault: kindOfText(text) };
  try {
    return createPublicKey(text);
  } catch {
    return { fault: "a public key that cannot be decoded" };
  }
}

/** What kind of key it is, in words. */
export function kindOfKey(key: KeyObject): string {
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "rsa") return `an RSA key of ${modulusLength} bits`;
  if (key.asymmetricKeyType === "ec") return `an EC key on curve ${namedCurve}`;
  return `a key of type ${key.asymmetricKeyType}`;
}

/** The algorithm that an IoT Core cloud takes with this key, if any. */
export function algorithmOf(key: KeyObject): "ES256" | "RS256" | undefined {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "ec" && namedCurve === "prime256v1") return "ES256";
  if (key.asymmetricKeyType === "rsa" && modulusLength >= 2048) return "RS256";
  return undefined;
}

function kindOfText(text: string): string {
  const label = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(text)?.[1];
  if (label === undefined) return "text that is not PEM";
  return label.includes("PRIVATE KEY") ? "a private key" : `PEM of type ${label}`;
}
