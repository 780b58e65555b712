import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readPublicKey } from "../../src/cloud/public-key.ts";
import { type TokenRules, verifyToken } from "../../src/cloud/token.ts";
import { ecIdentity, mintToken, rsaIdentity, type TokenRecipe } from "./identity.ts";

const ec = ecIdentity();
const rsa = rsaIdentity();
const hour = 3600;

function verdict(recipe: TokenRecipe = {}, rules: Partial<TokenRules> = {}, identity = ec) {
  return verifyToken(mintToken(identity, recipe), {
    keys: [readPublicKey(ec.publicPem, "gw-01")],
    audience: "acme-iot",
    strictBase64url: false,
    skewMs: 600_000,
    nowMs: Date.now(),
    ...rules,
  });
}

test("verifyToken() says when the token runs out", () => {
  const { expiresAtMs } = verdict({ exp: hour }) as { expiresAtMs: number };
  expect(Math.abs(expiresAtMs - Date.now() - hour * 1000)).toBeLessThan(2000);
});

test.each<[string, TokenRecipe, string]>([
  ["another project", { aud: "other" }, "aud is not the project"],
  ["several audiences", { aud: ["acme-iot"] }, "aud is not a string"],
  ["no typ", { header: { typ: undefined } }, 'typ is not "JWT"'],
  ["another typ", { header: { typ: "at+jwt" } }, 'typ is not "JWT"'],
  ["a shared secret", { alg: "HS256" }, "alg fits no key of the device"],
  ["no signature algorithm", { header: { alg: "none" } }, "alg fits no key of the device"],
  ["an algorithm of other keys", { header: { alg: "RS256" } }, "alg fits no key of the device"],
  ["a critical extension", { header: { crit: ["b64"], b64: false } }, "crit is not understood"],
  ["no iat", { claims: { iat: undefined } }, "iat is not a number"],
  ["exp as text", { claims: { exp: "soon" } }, "exp is not a number"],
  ["iat in the future", { iat: 660, exp: hour }, "iat is in the future"],
  ["iat days ago", { iat: -3 * 24 * hour, exp: hour }, "iat is too long ago"],
  ["exp before iat", { iat: 60, exp: 30 }, "exp is not after iat"],
  ["25 hours", { exp: 25 * hour }, "token lives longer than 24 h"],
  ["expiry beyond the skew", { iat: -hour, exp: -660 }, "token has expired"],
])("verifyToken() refuses %s", (_name, recipe, reason) => {
  expect(verdict(recipe)).toEqual({ refused: reason });
});

test.each<[string, TokenRecipe]>([
  ["iat a little in the future", { iat: 540, exp: hour }],
  ["expiry within the skew", { iat: -hour, exp: -540 }],
  ["24 hours and the skew", { exp: 24 * hour + 540 }],
  ["nbf in the future", { claims: { nbf: 4_000_000_000 } }],
])("verifyToken() accepts %s", (_name, recipe) => {
  expect(verdict(recipe)).toHaveProperty("expiresAtMs");
});

test("verifyToken() looks at aud and typ only where they are asked for", () => {
  const { keys, strictBase64url, skewMs } = {
    keys: [readPublicKey(ec.publicPem, "")],
    strictBase64url: true,
    skewMs: 0,
  };
  const token = mintToken(ec, { aud: undefined, header: { typ: undefined } });
  expect(verifyToken(token, { keys, strictBase64url, skewMs, nowMs: Date.now() })).toHaveProperty("expiresAtMs");
});

test("verifyToken() refuses a token signed with another key, and takes any of three keys", () => {
  expect(verdict({}, {}, ecIdentity())).toEqual({ refused: "signature does not verify" });
  const keys = [ecIdentity(), rsa, ec].map(({ publicPem }) => readPublicKey(publicPem, "gw-01"));
  expect(verdict({}, { keys })).toHaveProperty("expiresAtMs");
  expect(verdict({ alg: "RS256" }, { keys }, rsa)).toHaveProperty("expiresAtMs");
});

test("verifyToken() takes sloppy base64 only where that is not forbidden", () => {
  // "?" and ">" three in a row become "/" and "+" in the standard alphabet.
  const recipe = { padded: true, claims: { note: "???>>>???>>>" } };
  expect(mintToken(ec, recipe).split(".")[1]).toMatch(/[+/]/);
  expect(verdict(recipe)).toHaveProperty("expiresAtMs");
  expect(verdict(recipe, { strictBase64url: true })).toEqual({ refused: "token is not base64url" });
});

test.each(["", "a.b", "a.b.c", "..", "a.b.c.d", `${Buffer.from("[]").toString("base64url")}.e30.e30`])(
  'verifyToken() refuses "%s"',
  (token) => {
    const rules = {
      keys: [readPublicKey(ec.publicPem, "")],
      audience: "p",
      strictBase64url: true,
      skewMs: 0,
      nowMs: 0,
    };
    expect(verifyToken(token, rules)).toHaveProperty("refused");
  },
);

test("readPublicKey() takes certificates", () => {
  const folder = mkdtempSync(join(tmpdir(), "dragoman-"));
  try {
    writeFileSync(join(folder, "key.pem"), ec.privateKey.export({ type: "pkcs8", format: "pem" }));
    const args = ["req", "-new", "-x509", "-key", "key.pem", "-subj", "/CN=unused", "-days", "1", "-out", "cert.pem"];
    execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
    const key = readPublicKey(readFileSync(join(folder, "cert.pem"), "utf8"), "gw-01");
    expect(key.algorithm).toBe("ES256");
    expect(verdict({}, { keys: [key] })).toHaveProperty("expiresAtMs");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("readPublicKey() refuses what is no public key for RS256 or ES256", () => {
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey.export({ type: "spki", format: "pem" });
  const short = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ type: "spki", format: "pem" });
  const secret = ec.privateKey.export({ type: "pkcs8", format: "pem" });
  const message = (pem: string | Buffer) => {
    try {
      readPublicKey(pem.toString(), "gw-01");
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
  const wanted = "wanted RSA of 2048 bits or more, or EC on P-256";
  expect([p384, short, secret, "nonsense"].map(message)).toEqual([
    `Cannot read public key of "gw-01": got secp384r1, ${wanted}`,
    `Cannot read public key of "gw-01": got RSA of 1024 bits, ${wanted}`,
    'Cannot read public key of "gw-01": got a private key, wanted its public key or certificate',
    'Cannot read public key of "gw-01": not PEM of a public key or an X.509 certificate',
  ]);
});
