import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** A key pair, the public half as PEM. */
export interface Identity {
  readonly privateKey: KeyObject;
  readonly publicPem: string;
}

export function ecIdentity(): Identity {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { privateKey, publicPem: publicKey.export({ type: "spki", format: "pem" }).toString() };
}

export function rsaIdentity(): Identity {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { privateKey, publicPem: publicKey.export({ type: "spki", format: "pem" }).toString() };
}

/** How a token is made; `iat` and `exp` are seconds from now. */
export interface TokenRecipe {
  readonly alg?: "ES256" | "RS256" | "HS256";
  readonly aud?: unknown;
  readonly iat?: number;
  readonly exp?: number;
  readonly padded?: boolean;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** Makes a token the way a device's firmware would: by hand. */
export function mintToken(identity: Identity, recipe: TokenRecipe = {}): string {
  const { alg = "ES256", aud = "acme-iot", iat = 0, exp = 3600, padded = false } = recipe;
  const now = Math.floor(Date.now() / 1000);
  const encode = (bytes: Buffer) => bytes.toString(padded ? "base64" : "base64url");
  const text = (value: unknown) => encode(Buffer.from(JSON.stringify(value)));
  const head = text({ alg, typ: "JWT", ...recipe.header });
  const body = text({ iat: now + iat, exp: now + exp, aud, ...recipe.claims });
  const signed = Buffer.from(`${head}.${body}`);
  // A verifier that lets the token choose would take the text of the public key for a shared secret.
  const signature =
    alg === "HS256"
      ? createHmac("sha256", identity.publicPem).update(signed).digest()
      : sign("sha256", signed, { key: identity.privateKey, dsaEncoding: "ieee-p1363" });
  return `${head}.${body}.${encode(signature)}`;
}
