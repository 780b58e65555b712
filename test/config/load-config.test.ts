import { isAbsolute } from "node:path";
import { inspect } from "node:util";
import { expect, test } from "vitest";
import { configIn, configText, tokenFile } from "./workspace.ts";

const whole = `
local:
  dialect: thingsboard
  listen: ["mqtt://127.0.0.1:\${PORT}", "mqtts://[::1]:8883"]
  tls: { certificate: file:tls/server.pem, key: file:tls/server.key, clientCa: file:tls/ca.pem }
  maxPacketSize: 64KiB
upstream:
  dialect: clearblade
  url: mqtts://broker.example.com:8883
  tls: { ca: file:tls/ca.pem }
  project: acme-iot
  location: us-central1
  registry: plant-1
  keepalive: 1.5m
  limits: { bytesPerSecond: 512KB, messagesPerSecond: 80.5 }
gateways:
  - id: plant-1-gw
    local:    { token: "\${PLANT_1_TOKEN}" }
    upstream: { gateway: gw-01, privateKey: file:keys/p256.pem, algorithm: ES256 }
    rules: { commands: { gateway: [gateway_ping] }, detachAfter: 1h }
  - id: plant-2-gw
    local:    { username: two, password: file:token, clientId: "$\${literal}" }
    upstream: { privateKey: file:keys/rsa.pem, algorithm: RS256 }
rules:
  telemetry: { shape: flat }
  commands: { replies: answers }
admin: false
log: { level: warn }
`;

const env = { PORT: "1884", PLANT_1_TOKEN: "t0ken" };

test("loadConfig() fills in defaults, converts units and replaces references", async () => {
  const config = await configIn(whole, { env, files: tokenFile });
  expect(config.local.dialect.name).toBe("thingsboard");
  expect(config.local.options).toMatchObject({
    listen: ["mqtt://127.0.0.1:1884", "mqtts://[::1]:8883"],
    strict: false,
    maxPacketSize: 65_536,
    maxConnections: 10_000,
    connectTimeout: 10_000,
    restoreAttachments: false,
  });
  expect(config.local.options.tls?.certificate).toMatch(/^-----BEGIN CERTIFICATE-----/);
  expect(config.upstream.dialect.name).toBe("clearblade");
  expect(config.upstream.url).toBe("mqtts://broker.example.com:8883");
  expect(config.upstream.parameters).toMatchObject({
    project: "acme-iot",
    location: "us-central1",
    registry: "plant-1",
  });
  expect(config.upstream.options).toMatchObject({
    keepalive: 90_000,
    tokenLifetime: 3_600_000,
    inFlight: 256,
    attachTimeout: 10_000,
    settle: 500,
    limits: { bytesPerSecond: 512_000, messagesPerSecond: 80.5 },
  });
  expect(config.spool).toMatchObject({ maxBytes: 1_073_741_824, whenFull: "refuse" });
  expect(isAbsolute(config.spool.directory)).toBe(true);
  expect(config.admin).toBe(false);
  expect(config.log).toEqual({ level: "warn" });
  const [first, second] = config.gateways;
  expect(first?.local.token?.reveal()).toBe("t0ken");
  expect(first?.upstream.gateway).toBe("gw-01");
  expect(second?.upstream.gateway).toBe("plant-2-gw");
  expect(second?.local.password?.reveal()).toBe("s3cret-token");
  expect(second?.local.clientId).toBe(`\${literal}`);
});

test("a gateway's rules go before those for all, key by key", async () => {
  const { gateways } = await configIn(whole, { env, files: tokenFile });
  expect(gateways[0]?.rules).toEqual({
    telemetry: { shape: "flat", folderKey: "subFolder" },
    state: { mode: "document", interval: 1100 },
    config: { keys: [], document: null, gateway: "withhold" },
    commands: {
      form: "params",
      timeout: 10_000,
      responses: "responses",
      replies: "answers",
      gateway: ["gateway_ping"],
    },
    attributes: { gateway: "withhold" },
    claims: { folder: null },
    detachAfter: 3_600_000,
  });
  expect(gateways[1]?.rules.detachAfter).toBe(600_000);
  expect(gateways[1]?.rules.commands.gateway).toEqual([]);
});

test("a command's time is 60 s, and 10 s only where replies come as telemetry", async () => {
  const timeoutOf = async (rules: string) =>
    (await configIn(configText({ rules }), { files: tokenFile })).gateways[0]?.rules.commands.timeout;
  expect(await timeoutOf("{}")).toBe(60_000);
  expect(await timeoutOf("{ commands: { replies: null } }")).toBe(60_000);
  expect(await timeoutOf("{ commands: { replies: answers } }")).toBe(10_000);
  expect(await timeoutOf("{ commands: { replies: answers, timeout: 25s } }")).toBe(25_000);
});

test("gateways may be a file of their own", async () => {
  const { gateways } = await configIn(configText({ gateways: "file:more/gateways.yaml" }), {
    files: {
      ...tokenFile,
      "more/gateways.yaml": `
- &one
  id: gw-01
  local: { token: file:token }
  upstream: { privateKey: file:keys/p256.pem, algorithm: ES256 }
- { id: gw-02, local: { token: "\${TWO}" }, upstream: { privateKey: file:keys/p256.pem, algorithm: ES256 } }
`,
    },
    env: { TWO: "2" },
  });
  expect(gateways.map(({ id, local }) => [id, local.token?.reveal()])).toEqual([
    ["gw-01", "s3cret-token"],
    ["gw-02", "2"],
  ]);
});

test("the address is the dialect's own where none is given", async () => {
  const { upstream } = await configIn(configText(), { files: tokenFile });
  expect(upstream.url).toMatch(/^mqtts:\/\/us-central1-mqtt\.clearblade\.com/);
});

test("an admin section may be left out, and memory is no folder", async () => {
  const { admin, spool } = await configIn(configText({ spool: "{ directory: memory }" }), { files: tokenFile });
  expect(admin).toEqual({ listen: "http://127.0.0.1:9464" });
  expect(spool.directory).toBe("memory");
});

test("secrets in clear are taken where they are allowed by name", async () => {
  const text = whole.replace(`"\${PLANT_1_TOKEN}"`, "in-clear");
  const config = await configIn(`${text}allowInlineSecrets: true\n`, { env, files: tokenFile });
  expect(config.gateways[0]?.local.token?.reveal()).toBe("in-clear");
});

test("unprotected addresses are taken where they are allowed by name", async () => {
  const text = configText({
    local: "{ dialect: thingsboard, listen: [mqtt://0.0.0.0:1883], allowPlaintext: true }",
    upstream:
      "{ dialect: clearblade, project: acme-iot, location: l, registry: plant-1, url: mqtt://10.0.0.1, allowPlaintext: true }",
  });
  expect((await configIn(text, { files: tokenFile })).upstream.url).toBe("mqtt://10.0.0.1");
});

test("a configuration is frozen and shows no secret", async () => {
  const config = await configIn(whole, { env, files: tokenFile });
  const { gateways, local, spool } = config;
  for (const value of [
    config,
    gateways,
    gateways[0],
    gateways[0]?.rules.commands,
    local.options,
    local.options.listen,
    spool,
  ]) {
    expect(Object.isFrozen(value)).toBe(true);
  }
  const shown =
    JSON.stringify(gateways) + inspect(gateways, { depth: 9, showHidden: true }) + JSON.stringify(local.options);
  for (const secret of ["t0ken", "s3cret-token", "PRIVATE KEY"]) expect(shown).not.toContain(secret);
});
