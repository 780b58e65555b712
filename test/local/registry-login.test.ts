import { createPrivateKey, X509Certificate } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import { createCredentials, type KnownGateway } from "../../src/local/credentials.ts";
import { loadPublicKey } from "../../src/local/public-key.ts";
import type { Registry } from "../../src/local/registry-login.ts";
import { ecIdentity, mintToken, rsaIdentity, type TokenRecipe } from "../cloud/identity.ts";
import { createAuthority } from "./certificates.ts";
import { connectPacket, gateway, openRaw, publishPacket, start, stopAll } from "./harness.ts";

afterEach(stopAll);

const ec = ecIdentity();
const rsa = rsaIdentity();
const other = ecIdentity();
const sensor = ecIdentity();

const registry: Registry = {
  rules: {
    protocols: [4],
    refusals: { clientId: 2, credentials: 5 },
    token: { skewMs: 600_000, lifetimeMs: 86_400_000, graceMs: 5000, audience: "checked", encoding: "lenient" },
    qos: 1,
    idleMs: 1_200_000,
  },
  clientId: "projects/{project}/devices/{gateway}",
  parameters: { project: "acme" },
  audience: "acme",
};

const gateways: readonly KnownGateway[] = [
  gateway("gw-01", {
    publicKeys: [ec.publicPem, rsa.publicPem],
    numericId: "2581234567890",
    devices: {
      "sensor-7": { bound: true, blocked: false, publicKeys: [sensor.publicPem] },
      "pump-2": { bound: true, blocked: false },
    },
  }),
  gateway("gw-02", { publicKeys: [other.publicPem] }),
  gateway("gw-03", { publicKeys: [other.publicPem], blocked: true }),
];

const withRules = (rules: Partial<Registry["rules"]>, more: Partial<Registry> = {}): Registry => ({
  ...registry,
  rules: { ...registry.rules, ...rules },
  ...more,
});
const token = (recipe: TokenRecipe = {}, identity = ec) => mintToken(identity, { aud: "acme", ...recipe });

async function login(fields: {
  clientId?: string;
  password?: string;
  protocol?: 3 | 4 | 5;
  registry?: Registry;
}): Promise<unknown> {
  const { authenticate } = createCredentials(gateways, fields.registry ?? registry, Date.now);
  const { kind, ...rest } = await authenticate({
    protocol: fields.protocol ?? 4,
    clientId: fields.clientId ?? "projects/acme/devices/gw-01",
    username: "unused",
    password: Buffer.from(fields.password ?? token()),
  });
  if (kind === "accepted") return (rest as { gateway: string }).gateway;
  const { connack, reason } = rest as { connack?: { v3: number }; reason: string };
  return [connack?.v3, reason];
}

describe("the login of a registry accepts", () => {
  test.each<[string, Parameters<typeof login>[0], string]>([
    ["an ES256 token", {}, "gw-01"],
    ["an RS256 token of another key of the gateway", { password: token({ alg: "RS256" }, rsa) }, "gw-01"],
    ["the gateway's number", { clientId: "projects/acme/devices/2581234567890" }, "gw-01"],
    ["a token in padded base64, where that is tolerated", { password: token({ padded: true }) }, "gw-01"],
    ["a token that expired nine minutes ago", { password: token({ iat: -4000, exp: -540 }) }, "gw-01"],
    ["a token that is issued nine minutes ahead", { password: token({ iat: 540, exp: 4000 }) }, "gw-01"],
    ["a token for 24 hours", { password: token({ exp: 86_400 }) }, "gw-01"],
    [
      "a token without an audience, where nobody looks",
      {
        password: token({ aud: undefined, header: { typ: undefined } }),
        registry: withRules({ token: { ...registry.rules.token, audience: "ignored" } }),
      },
      "gw-01",
    ],
    ["nbf, whatever it says", { password: token({ claims: { nbf: 4_000_000_000 } }) }, "gw-01"],
  ])("%s", async (_what, fields, expected) => {
    expect(await login(fields)).toBe(expected);
  });
});

describe("the login of a registry refuses", () => {
  const [head = "", body = ""] = token().split(".");
  const none = `${Buffer.from('{"alg":"none","typ":"JWT"}').toString("base64url")}.${body}.`;
  test.each<[string, Parameters<typeof login>[0], [number | undefined, string]]>([
    ["another MQTT level, by closing", { protocol: 5 }, [undefined, "MQTT level 5 is not taken"]],
    [
      "another MQTT level, with the code there is for it",
      {
        protocol: 3,
        registry: withRules({ refusals: { protocol: 1, clientId: 2, credentials: 4 } }),
      },
      [1, "MQTT level 3 is not taken"],
    ],
    [
      "another form of client id",
      { clientId: "/projects/acme/devices/gw-01" },
      [2, "the client id has not the cloud's form"],
    ],
    [
      "a client id with a level more",
      { clientId: "projects/acme/devices/gw-01/x" },
      [2, "the client id has not the cloud's form"],
    ],
    ["another project", { clientId: "projects/other/devices/gw-01" }, [5, "the client id names another registry"]],
    ["a stranger", { clientId: "projects/acme/devices/ghost-1" }, [5, '"ghost-1" is not known']],
    ["a gateway in other letters", { clientId: "projects/acme/devices/GW-01" }, [5, '"GW-01" is not known']],
    [
      "a device behind a gateway",
      { clientId: "projects/acme/devices/sensor-7", password: token({}, sensor) },
      [5, '"sensor-7" is not known'],
    ],
    [
      "a blocked gateway",
      { clientId: "projects/acme/devices/gw-03", password: token({}, other) },
      [5, '"gw-03" is blocked'],
    ],
    ["no token", { password: "" }, [5, '"gw-01": there is no token']],
    ["text", { password: "secret" }, [5, '"gw-01": the token is no JWT']],
    ['"alg": none', { password: none }, [5, '"gw-01": the token is not base64url']],
    ['"alg": none with a signature', { password: `${none}AAAA` }, [5, '"gw-01": "alg" fits no public key']],
    [
      "HS256 with the public key as secret",
      { password: token({ alg: "HS256" }) },
      [5, '"gw-01": "alg" fits no public key'],
    ],
    [
      "an RS256 token that says ES256",
      { password: token({ header: { alg: "ES256" } }, rsa) },
      [5, '"gw-01": no public key fits the signature'],
    ],
    ["another gateway's key", { password: token({}, other) }, [5, '"gw-01": no public key fits the signature']],
    ["a stripped signature", { password: `${head}.${body}` }, [5, '"gw-01": the token is no JWT']],
    ["a signature of nothing", { password: `${head}.${body}.AA` }, [5, '"gw-01": no public key fits the signature']],
    [
      "another body under the signature",
      {
        password: token().replace(
          body,
          Buffer.from(JSON.stringify({ aud: "acme", iat: 0, exp: 1 })).toString("base64url"),
        ),
      },
      [5, '"gw-01": no public key fits the signature'],
    ],
    ["another audience", { password: token({ aud: "other" }) }, [5, '"gw-01": "aud" names somebody else']],
    ["a list of audiences", { password: token({ aud: ["acme"] }) }, [5, '"gw-01": "aud" is not one text']],
    ["no audience", { password: token({ aud: null }) }, [5, '"gw-01": "aud" is not one text']],
    ["no type", { password: token({ header: { typ: undefined } }) }, [5, '"gw-01": "typ" is not "JWT"']],
    [
      "an extension",
      { password: token({ header: { crit: ["b64"], b64: false } }) },
      [5, '"gw-01": "crit" is not understood'],
    ],
    ["an expired token", { password: token({ iat: -8000, exp: -660 }) }, [5, '"gw-01": the token has expired']],
    [
      "a token from the future",
      { password: token({ iat: 660, exp: 4000 }) },
      [5, '"gw-01": "iat" is in the future: one of the clocks is wrong'],
    ],
    ["a token from long ago", { password: token({ iat: -90_000, exp: -100 }) }, [5, '"gw-01": "iat" is too long ago']],
    ["a token for 25 hours", { password: token({ exp: 90_000 }) }, [5, '"gw-01": the token lives too long']],
    [
      "a token that ends before it begins",
      { password: token({ iat: 100, exp: 50 }) },
      [5, '"gw-01": "exp" is not after "iat"'],
    ],
    ["a token without iat", { password: token({ claims: { iat: undefined } }) }, [5, '"gw-01": "iat" is no time']],
    ["an exp that is no number", { password: token({ claims: { exp: "soon" } }) }, [5, '"gw-01": "exp" is no time']],
    [
      "a huge token",
      { password: `${head}.${"A".repeat(20_000)}.AAAA` },
      [5, '"gw-01": the token is longer than 8192 characters'],
    ],
    [
      "claims that are no object",
      { password: `${head}.${Buffer.from("[]").toString("base64url")}.AAAA` },
      [5, '"gw-01": the token is no JWT'],
    ],
    [
      "padding, where base64url is meant",
      {
        password: token({ padded: true }),
        registry: withRules({ token: { ...registry.rules.token, encoding: "strict" } }),
      },
      [5, '"gw-01": the token is not base64url'],
    ],
  ])("%s", async (_what, fields, expected) => {
    expect(await login(fields)).toEqual(expected);
  });

  test("and names no token when it does", async () => {
    const { authenticate } = createCredentials(gateways, registry, Date.now);
    const password = token({}, other);
    const decision = await authenticate({
      protocol: 4,
      clientId: "projects/acme/devices/gw-01",
      password: Buffer.from(password),
    });
    for (const part of password.split(".")) expect(JSON.stringify(decision)).not.toContain(part);
  });

  test("a gateway that has no keys", () => {
    expect(() => createCredentials([gateway("g", {})], registry, Date.now)).toThrow(
      'Cannot let gateway "g" connect: found no credentials, wanted publicKeys',
    );
  });
});

test("verifyDevice() takes the device's own token, and no other", async () => {
  const { verifyDevice } = createCredentials(gateways, registry, Date.now);
  expect(await verifyDevice("gw-01", "sensor-7", token({}, sensor))).toBeUndefined();
  expect(await verifyDevice("gw-01", "sensor-7", token())).toBe("no public key fits the signature");
  expect(await verifyDevice("gw-01", "pump-2", token({}, sensor))).toBe("there is no public key for it");
  expect(await verifyDevice("gw-02", "sensor-7", token({}, sensor))).toBe("there is no public key for it");
});

describe("loadPublicKey()", () => {
  test("reads certificates, which expire", async () => {
    const authority = createAuthority();
    try {
      const { certificate, key } = authority.issue("gw-09", { selfSigned: true, days: 1 });
      const loaded = loadPublicKey(certificate, 'gateway "gw-09"');
      const validTo = Date.parse(new X509Certificate(certificate).validTo);
      expect(loaded).toMatchObject({ algorithm: "ES256", expiresAtMs: validTo });
      const identity = { privateKey: createPrivateKey(key), publicPem: "" };
      const known = [gateway("gw-09", { publicKeys: [certificate] })];
      const ask = (now: () => number) =>
        createCredentials(known, registry, now).authenticate({
          protocol: 4,
          clientId: "projects/acme/devices/gw-09",
          password: Buffer.from(token({}, identity)),
        });
      expect(await ask(Date.now)).toMatchObject({ kind: "accepted" });
      expect(await ask(() => validTo + 1)).toMatchObject({ reason: '"gw-09": the public key has expired' });
    } finally {
      authority.remove();
    }
  });

  test("a key counts until the time that the registry has for it", async () => {
    const known = [
      gateway("gw-09", { publicKeys: [{ key: ec.publicPem, expires: Date.now() + 60_000 }, { key: rsa.publicPem }] }),
    ];
    const ask = (later: number, password: string) =>
      createCredentials(known, registry, () => Date.now() + later).authenticate({
        protocol: 4,
        clientId: "projects/acme/devices/gw-09",
        password: Buffer.from(password),
      });
    expect(await ask(0, token())).toMatchObject({ kind: "accepted" });
    expect(await ask(61_000, token())).toMatchObject({ reason: '"gw-09": the public key has expired' });
    expect(await ask(61_000, token({ alg: "RS256" }, rsa))).toMatchObject({ kind: "accepted" });
  });

  test.each([
    ["nonsense", "found no public key and no certificate in PEM"],
    ["-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "found one that cannot be decoded"],
  ])("refuses %j", (pem, found) => {
    expect(() => loadPublicKey(pem, 'gateway "g"')).toThrow(
      `Cannot use a public key of gateway "g": ${found}, wanted an EC key on curve prime256v1 or an RSA key of at least 2048 bits`,
    );
  });
});

describe("openListener() in front of a registry", () => {
  const connect = (password: string, clientId = "projects/acme/devices/gw-01") =>
    connectPacket(4, { clientId, username: "unused", password: Buffer.from(password) });

  test("lets a gateway in under either name, and the later one stays", async () => {
    const { port, heard, listener } = await start({ gateways, wiring: { registry } });
    const first = openRaw(port);
    first.send(connect(token()));
    expect(await first.next()).toMatchObject({ cmd: "connack", returnCode: 0, sessionPresent: false });
    const second = openRaw(port);
    second.send(connect(token(), "projects/acme/devices/2581234567890"));
    expect(await second.next()).toMatchObject({ cmd: "connack", returnCode: 0 });
    await first.closed;
    expect(await heard("disconnected")).toMatchObject({
      client: { gateway: "gw-01", name: "gw-01" },
      reason: "takeover",
    });
    expect(listener.clients()).toMatchObject([{ gateway: "gw-01", name: "2581234567890" }]);
  });

  test("ends a connection when its token has run out", async () => {
    const short = withRules({ token: { ...registry.rules.token, skewMs: 0, graceMs: 10 } });
    const { port, heard } = await start({ gateways, wiring: { registry: short } });
    const client = openRaw(port);
    client.send(connect(token({ iat: -10, exp: 1 })));
    expect(await client.next()).toMatchObject({ cmd: "connack", returnCode: 0 });
    await client.closed;
    expect(await heard("disconnected")).toMatchObject({ reason: "token-expired" });
  });

  test("answers a level it does not take in the words of 3.1.1, or not at all", async () => {
    const silent = await start({ gateways, wiring: { registry } });
    const quiet = openRaw(silent.port);
    quiet.send({ ...connect(token()), protocolVersion: 5 });
    expect(await quiet.closed).toEqual([]);
    const coded = withRules({ refusals: { protocol: 1, clientId: 2, credentials: 4 } });
    const polite = await start({ gateways, wiring: { registry: coded } });
    const told = openRaw(polite.port);
    told.send({ ...connect(token()), protocolVersion: 5 });
    expect(await told.closed).toMatchObject([{ cmd: "connack", returnCode: 1 }]);
  });

  test("closes on QoS 2 behind what came before it", async () => {
    const { port } = await start({ gateways, wiring: { registry } });
    const client = openRaw(port);
    client.send(connect(token()));
    await client.next();
    client.send(publishPacket("one", 1, 1));
    client.send(publishPacket("two", 2, 2));
    expect(await client.closed).toMatchObject([{ cmd: "puback", messageId: 1 }]);
  });

  test("tells of packets that belong to no exchange, and stays", async () => {
    const strays: unknown[] = [];
    const stray = (_client: unknown, packet: unknown) => strays.push(packet);
    const { port } = await start({ gateways, wiring: { registry, stray } });
    const client = openRaw(port);
    client.send(connect(token()));
    await client.next();
    for (const cmd of ["puback", "pubrec", "pubrel", "pubcomp"] as const) client.send({ cmd, messageId: 4711 });
    client.send({ cmd: "pingreq" });
    expect(await client.next()).toMatchObject({ cmd: "pingresp" });
    expect(strays).toEqual(["PUBACK", "PUBREC", "PUBREL", "PUBCOMP"].map((type) => ({ type, packetId: 4711 })));
  });

  test("closes without SUBACK where the cloud would, and takes subscriptions back", async () => {
    const { port, listener } = await start({
      gateways,
      wiring: { registry, grant: (_client, filter) => (filter === "nonsense" ? "close" : 1) },
    });
    const client = openRaw(port);
    client.send(connect(token()));
    await client.next();
    client.send({
      cmd: "subscribe",
      messageId: 1,
      subscriptions: [
        { topic: "a", qos: 0 },
        { topic: "b", qos: 0 },
      ],
    });
    expect(await client.next()).toMatchObject({ cmd: "suback", granted: [0, 0] });
    listener.revoke("gw-01", (filter) => filter === "a");
    const send = (topic: string) =>
      listener.deliver("gw-01", { topic, payload: Buffer.from("x"), qos: 1 }, { needsSubscription: true });
    expect([await send("a"), await send("b")]).toEqual(["unsubscribed", "written"]);
    client.send({
      cmd: "subscribe",
      messageId: 2,
      subscriptions: [
        { topic: "a", qos: 1 },
        { topic: "nonsense", qos: 1 },
      ],
    });
    expect(await client.closed).toMatchObject([{ cmd: "publish", topic: "b" }]);
  });

  test("closes what is silent for too long, whatever its keep-alive", async () => {
    const { port, heard } = await start({
      gateways,
      wiring: { registry: withRules({ idleMs: 30 }) },
      tuning: { sweepMs: 10 },
    });
    const client = openRaw(port);
    client.send({ ...connect(token()), keepalive: 0 });
    await client.next();
    await client.closed;
    expect(await heard("disconnected")).toMatchObject({ reason: "idle" });
  });

  test("says that a will and retained messages are not kept, each once", async () => {
    const warnings: string[] = [];
    const warned = (_client: unknown, warning: string) => warnings.push(warning);
    const { port } = await start({ gateways, wiring: { registry, warned } });
    const client = openRaw(port);
    client.send({ ...connect(token()), will: { topic: "t", payload: Buffer.from("gone"), qos: 1, retain: false } });
    await client.next();
    for (const id of [1, 2]) client.send({ ...publishPacket("x", 1, id), retain: true } as never);
    for (const messageId of [1, 2]) expect(await client.next()).toMatchObject({ cmd: "puback", messageId });
    expect(warnings).toEqual(["will-ignored", "retain-ignored"]);
  });
});
