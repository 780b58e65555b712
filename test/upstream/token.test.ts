import { generateKeyPairSync } from "node:crypto";
import { jwtVerify } from "jose";
import { describe, expect, test } from "vitest";
import { createToken, inspectToken } from "../../src/upstream/token.ts";

const ec = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const nowMs = 1_800_000_000_999;
const facts = { audience: "acme-iot", lifetimeMs: 3_600_000, nowMs };
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

describe("createToken()", () => {
  test.each([
    ["ES256", ec],
    ["RS256", rsa],
  ] as const)(
    "%s: header and claims are exactly those that the clouds want",
    async (algorithm, { privateKey, publicKey }) => {
      const { jwt, expiresAtMs } = await createToken({ ...facts, key: privateKey, algorithm });
      expect(expiresAtMs).toBe(1_800_003_600_000);
      expect(jwt).toMatch(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/);
      const { protectedHeader, payload } = await jwtVerify(jwt, publicKey, { currentDate: new Date(nowMs) });
      expect(protectedHeader).toEqual({ alg: algorithm, typ: "JWT" });
      expect(payload).toEqual({ iat: 1_800_000_000, exp: 1_800_003_600, aud: "acme-iot" });
    },
  );
});

describe("inspectToken()", () => {
  test("says what it holds, how old it is and how long it lasts", async () => {
    const { jwt } = await createToken({ ...facts, key: ec.privateKey, algorithm: "ES256" });
    expect(inspectToken(jwt, 1_800_000_600_000)).toEqual({
      header: { alg: "ES256", typ: "JWT" },
      claims: { iat: 1_800_000_000, exp: 1_800_003_600, aud: "acme-iot" },
      issuedAtMs: 1_800_000_000_000,
      expiresAtMs: 1_800_003_600_000,
      lifetimeMs: 3_600_000,
      ageMs: 600_000,
      remainingMs: 3_000_000,
      objections: [],
    });
  });

  test.each([
    [{ alg: "ES256", typ: "JWT" }, { iat: 1_800_000_000, exp: 1_800_090_000, aud: "a" }, ["it lives longer than 24 h"]],
    [
      { alg: "ES256", typ: "JWT" },
      { iat: 1_799_990_000, exp: 1_799_993_600, aud: "a" },
      ["it has expired, more than 10 min ago"],
    ],
    [
      { alg: "ES256", typ: "JWT" },
      { iat: 1_800_001_000, exp: 1_800_003_600, aud: "a" },
      ["iat is more than 10 min ahead"],
    ],
    [
      { alg: "HS256" },
      { aud: ["a", "b"] },
      [
        "alg is neither RS256 nor ES256",
        'typ is not "JWT"',
        "aud is not a single string",
        "iat is missing or not a number",
        "exp is missing or not a number",
      ],
    ],
  ])("objects to %o %o", (header, claims, objections) => {
    expect(inspectToken(`${part(header)}.${part(claims)}.c2ln`, 1_800_000_000_000).objections).toEqual(objections);
  });

  test("objects to padding", () => {
    const claims = { iat: 1_800_000_000, exp: 1_800_003_600, aud: "a" };
    const padded = `${part({ alg: "ES256", typ: "JWT" })}.${part(claims)}.c2k=`;
    expect(inspectToken(padded, 1_800_000_000_000).objections).toEqual(["it is not strict base64url without padding"]);
  });

  test("refuses what is no token without showing it", () => {
    const message = "Cannot read token: found no JWT, wanted three base64url parts joined by dots";
    expect(() => inspectToken("hunter2", 0)).toThrow(expect.objectContaining({ code: "ERR_USAGE", message }));
  });
});
