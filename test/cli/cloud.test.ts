import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ecIdentity, mintToken } from "../cloud/identity.ts";
import { publish, subscribe } from "../cloud/plant.ts";
import { openRawClient } from "../cloud/raw-client.ts";
import { start, stderrEvent } from "./start-cloud.ts";

const gateway = ecIdentity();
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "dragoman-"));
  writeFileSync(join(folder, "gw-01.pub.pem"), gateway.publicPem);
});
afterAll(() => rmSync(folder, { recursive: true }));

const key = () => join(folder, "gw-01.pub.pem");
test("dragoman cloud prints what it receives and sends what it is told on stdin and over HTTP", async () => {
  const place = ["--project", "acme-iot", "--location", "us-central1", "--registry", "plant-1"];
  const cloud = start(
    "--dialect",
    "clearblade",
    "--listen",
    "mqtt://127.0.0.1:0",
    ...place,
    "--gateway",
    "gw-01",
    "--public-key",
    key(),
    "--device",
    "sensor-7",
    "--http",
    "http://127.0.0.1:0",
    "--verbose",
  );
  await cloud.until(() => stderrEvent(cloud.logged, "ready") !== undefined);
  const ready = stderrEvent(cloud.logged, "ready") as { listen: string[]; http: string; clientId: string };
  expect(ready.clientId).toBe("projects/acme-iot/locations/us-central1/registries/plant-1/devices/gw-01");

  const client = await openRawClient(ready.listen[0] ?? "");
  const password = Buffer.from(mintToken(gateway));
  client.send({ cmd: "connect", clientId: ready.clientId, username: "unused", password, keepalive: 60, clean: true });
  await client.next("connack");
  client.send(publish("/devices/sensor-7/attach", '{"authorization":"secret"}', 1));
  client.send(subscribe(2, ["/devices/sensor-7/commands/#", 1]));
  await client.next("suback");
  client.send(publish("/devices/sensor-7/events/door", Buffer.of(0, 255), 3));
  client.send(publish("/devices/sensor-7/state", "grün", 4));
  await cloud.until(() => cloud.printed.length === 3);
  expect(cloud.printed.map((line) => JSON.parse(line))).toEqual([
    {
      at: expect.any(String),
      gateway: "gw-01",
      device: "sensor-7",
      kind: "attach",
      topic: "/devices/sensor-7/attach",
      payload: '{"authorization":"(hidden)"}',
    },
    {
      at: expect.any(String),
      gateway: "gw-01",
      device: "sensor-7",
      kind: "telemetry",
      folder: "door",
      topic: "/devices/sensor-7/events/door",
      payload64: "AP8=",
    },
    {
      at: expect.any(String),
      gateway: "gw-01",
      device: "sensor-7",
      kind: "state",
      topic: "/devices/sensor-7/state",
      payload: "grün",
    },
  ]);

  cloud.stdin.write('{"command":{"device":"sensor-7","folder":"led","body":{"n":12345678901234567890}}}\n');
  expect((await client.next("publish")).payload.toString()).toBe('{"n":12345678901234567890}');
  cloud.stdin.write('{"command":{"device":"sensor-7","body":"on"}}\n');
  expect((await client.next("publish")).payload.toString()).toBe("on");
  cloud.stdin.write('{"config":{"device":"sensor-7","body":{"interval":30}}}\n');
  await cloud.until(() => stderrEvent(cloud.logged, "config set") !== undefined);
  cloud.stdin.write(
    'nonsense\n{"command":{"device":"gw-01","body":1}}\n{"config":{"device":"ghost-1","body64":"AA=="}}\n{"config":{"device":"gw-01"}}\n',
  );
  await cloud.until(() => cloud.logged.filter((line) => line.includes("order not understood")).length === 2);
  expect(stderrEvent(cloud.logged, "command not delivered")).toMatchObject({ device: "gw-01", reason: "unsubscribed" });
  expect(stderrEvent(cloud.logged, "order refused")).toMatchObject({
    reason: 'Cannot configure "ghost-1": no such device',
  });

  const response = await fetch(`${ready.http}/devices/sensor-7/commands`, { method: "POST", body: "over http" });
  expect(response.status).toBe(200);
  expect((await client.next("publish")).payload.toString()).toBe("over http");

  cloud.stop();
  await cloud.done;
  await client.closed;
  expect(cloud.io.exitCode).toBe(0);
  expect(cloud.logged.join("\n")).not.toContain("secret");
});

test("dragoman cloud prints every one of many messages that come at once", async () => {
  const cloud = start(
    "--dialect",
    "google",
    "--gateway",
    "gw-01",
    "--public-key",
    key(),
    "--project",
    "acme-iot",
    "--no-limits",
  );
  await cloud.until(() => stderrEvent(cloud.logged, "ready") !== undefined);
  const { listen, clientId } = stderrEvent(cloud.logged, "ready") as { listen: string[]; clientId: string };
  const client = await openRawClient(listen[0] ?? "");
  const password = Buffer.from(mintToken(gateway));
  client.send({ cmd: "connect", clientId, username: "unused", password, keepalive: 60, clean: true });
  for (let n = 0; n < 5000; n++) client.send(publish("/devices/gw-01/events", `${n}`, 0, 0));
  await client.settle();
  const payloads = cloud.printed.map((line) => (JSON.parse(line) as { payload: string }).payload);
  expect(payloads).toEqual(Array.from({ length: 5000 }, (_, n) => `${n}`));
  cloud.stop();
  await cloud.done;
});

const wanted = "wanted one of google, clearblade, omnicore, thingsboard";
test.each<[string, () => readonly string[], string]>([
  [
    "a token where there are keys",
    () => ["--dialect", "google", "--public-key", key(), "--token", "gw-01=t"],
    'Cannot use "--token": gateways of "google" have keys, not tokens',
  ],
  ["an unknown dialect", () => ["--dialect", "azure"], `Cannot stand in for "azure": no such dialect, ${wanted}`],
  ["no key", () => ["--dialect", "google"], 'Cannot let gateway "gw-01" connect: wanted "--public-key FILE"'],
  [
    "a missing file",
    () => ["--dialect", "google", "--public-key", "/nowhere.pem"],
    'Cannot read "/nowhere.pem" of "--public-key": ENOENT',
  ],
  [
    "a bad pair",
    () => ["--dialect", "google", "--public-key", key(), "--token-key", "x"],
    'Cannot use "--token-key x": wanted DEVICE=FILE',
  ],
  [
    "half of TLS",
    () => ["--dialect", "google", "--public-key", key(), "--tls-key", key()],
    'Cannot serve TLS: wanted both "--tls-cert" and "--tls-key"',
  ],
])("dragoman cloud refuses %s", async (_name, args, message) => {
  await expect(start("--gateway", "gw-01", ...args()).done).rejects.toMatchObject({ code: "ERR_USAGE", message });
});

test("dragoman cloud refuses an id or a key that will not do, and a port that is taken", async () => {
  const base = ["--dialect", "google", "--public-key", key()];
  await expect(start(...base, "--gateway", "g").done).rejects.toMatchObject({ code: "ERR_CONFIG_INVALID" });
  writeFileSync(join(folder, "secret.pem"), gateway.privateKey.export({ type: "pkcs8", format: "pem" }));
  const secret = ["--dialect", "google", "--gateway", "gw-01", "--public-key", join(folder, "secret.pem")];
  await expect(start(...secret).done).rejects.toMatchObject({ code: "ERR_USAGE" });
  const first = start(...base, "--gateway", "gw-01");
  await first.until(() => stderrEvent(first.logged, "ready") !== undefined);
  const { listen } = stderrEvent(first.logged, "ready") as { listen: string[] };
  await expect(start(...base, "--gateway", "gw-01", "--listen", listen[0] ?? "").done).rejects.toMatchObject({
    code: "ERR_LISTEN",
  });
  first.stop();
  await first.done;
});
