import { generateKeyPairSync } from "node:crypto";
import { decodeJwt } from "jose";
import { describe, expect, test } from "vitest";
import { Secret } from "../../src/message/secret.ts";
import { loginFor } from "../../src/upstream/login.ts";

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const pem = new Secret(privateKey.export({ format: "pem", type: "pkcs8" }) as string);
const rules = { credentials: "jwt", clientId: "projects/acme-iot/…/devices/gw-01", audience: "acme-iot" } as const;

describe("loginFor()", () => {
  test("jwt: makes a new token each time it is asked", async () => {
    let nowMs = 1_800_000_000_000;
    const login = loginFor({
      ...{ rules: { ...rules, username: "ignored" }, gateway: { privateKey: pem, algorithm: "ES256" } },
      ...{ tokenLifetimeMs: 3_600_000, now: () => nowMs },
    });
    const first = await login();
    expect(first).toMatchObject({ clientId: rules.clientId, username: "ignored", expiresAtMs: 1_800_003_600_000 });
    nowMs += 60_000;
    const second = await login();
    expect(decodeJwt(second.password ?? "")).toEqual({ iat: 1_800_000_060, exp: 1_800_003_660, aud: "acme-iot" });
    expect(second.password).not.toBe(first.password);
  });

  test("jwt: there is always a user name, and a key that does not fit is refused at once", async () => {
    const options = { rules, gateway: { privateKey: pem, algorithm: "ES256" }, tokenLifetimeMs: 1000 } as const;
    expect((await loginFor(options)()).username).toBe("unused");
    expect(() => loginFor({ ...options, gateway: { privateKey: pem, algorithm: "RS256" } })).toThrow(
      expect.objectContaining({ code: "ERR_KEY_INVALID" }),
    );
  });

  test.each([
    ["an access token", { token: new Secret("T1") }, { clientId: "", username: "T1" }],
    [
      "user name, password and client id",
      { username: "u", password: new Secret("p"), clientId: "c" },
      { clientId: "c", username: "u", password: "p" },
    ],
    ["a user name alone", { username: "u" }, { clientId: "", username: "u" }],
    ["a certificate", { tls: { certificate: "…", key: new Secret("…") } }, { clientId: "" }],
  ])("token: %s", async (_name, gateway, expected) => {
    const login = loginFor({ rules: { credentials: "token" }, gateway, tokenLifetimeMs: 1000 });
    expect(await login()).toEqual(expected);
  });
});
