import { expect, test } from "vitest";
import type { PlaygroundAnswer, PlaygroundDialect } from "../../src/message/playground.ts";
import type { TraceLine } from "../../src/message/trace.ts";
import { readEvents } from "./event-reader.ts";
import { connectGateway } from "./gateway-client.ts";
import { eventually, openPlant, type RunningBridge } from "./harness.ts";

const telemetry = '{"Device A":[{"ts":1483228800000,"values":{"t":42}}]}';

async function getJson<T>(bridge: RunningBridge, path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(`${bridge.admin}${path}`, init);
  expect(response.status).toBe(200);
  return (await response.json()) as T;
}

test("a packet is traced as it came, what it means and as it went, tied by its record", async () => {
  const plant = await openPlant();
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  const { events, lines } = await readEvents(bridge.admin ?? "", "?trace=1");
  await events.next(({ event }) => event === "status");

  await gateway.say("v1/gateway/telemetry", telemetry);
  const is = (side: TraceLine["side"], direction: TraceLine["direction"], kind: string) => (line: TraceLine) =>
    line.side === side && line.direction === direction && line.messages[0]?.kind === kind;
  const came = await lines.next(is("local", "in", "telemetry"));
  const attach = await lines.next(is("upstream", "out", "attach"));
  const went = await lines.next(is("upstream", "out", "telemetry"));
  expect(came).toMatchObject({
    ...{ gateway: "gw-01", topic: "v1/gateway/telemetry", payload: telemetry, bytes: telemetry.length, qos: 1 },
    rule: { name: "telemetry", file: expect.stringContaining("thingsboard.yaml"), line: expect.any(Number) },
    variables: { device: "Device A", points: '[{"ts":1483228800000,"values":{"t":42}}]' },
    messages: [{ kind: "telemetry", device: "Device A", text: '{"points":[{"ts":1483228800000,"values":{"t":42}}]}' }],
  });
  expect(went).toMatchObject({
    ...{ topic: "/devices/Device%20A/events", payload: '[{"ts":1483228800000,"values":{"t":42}}]' },
    rule: { name: "telemetry", file: expect.stringContaining("google.yaml") },
    messages: [{ kind: "telemetry", device: "Device A" }],
  });
  expect(came.records).toHaveLength(1);
  expect([attach.records, went.records]).toEqual([came.records, came.records]);
});

test("what follows from a packet of the cloud names it, and what carries several records names them", async () => {
  const plant = await openPlant();
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  await gateway.say("v1/gateway/connect", { device: "Device A" });
  await plant.cloud.next("attach");
  const { lines } = await readEvents(bridge.admin ?? "", "?trace=1&device=Device%20A");
  plant.cloud.setConfig("Device%20A", '{"interval":30}');
  const config = await lines.next(({ side, payload }) => side === "upstream" && payload === '{"interval":30}');
  const told = await lines.next(({ side, direction }) => side === "local" && direction === "out");
  expect(config).toMatchObject({ direction: "in", messages: [{ kind: "config", device: "Device A" }] });
  expect(told).toMatchObject({ cause: config.id, topic: "v1/gateway/attributes", rule: { name: "config" } });

  await gateway.say("v1/gateway/attributes", { "Device A": { a: 1 } });
  await gateway.say("v1/gateway/attributes", { "Device A": { b: 2 } });
  await gateway.say("v1/gateway/attributes", { "Device A": { c: 3 } });
  const last = await lines.next(({ direction, payload }) => direction === "out" && payload === '{"a":1,"b":2,"c":3}');
  const came = lines.all.filter(({ side, direction }) => side === "local" && direction === "in");
  expect(came.flatMap(({ records }) => records)).toHaveLength(3);
  const went = lines.all.filter(({ messages, direction }) => direction === "out" && messages[0]?.kind === "state");
  expect(new Set(went.flatMap(({ records = [] }) => records))).toEqual(
    new Set(came.flatMap(({ records = [] }) => records)),
  );
  expect(last.records?.at(-1)).toBe(came.at(-1)?.records?.[0]);
});

test("no secret reaches the trace, the list of what waits or a message of it", async () => {
  const plant = await openPlant({ dialect: "google" });
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  const { events, lines } = await readEvents(bridge.admin ?? "", "?trace=1");
  await events.next(({ event }) => event === "status");
  const secrets = ["broker-pass-1", "claim-key-2", "provision-key-3", "own-pass-4"];
  await gateway.say("v1/devices/me/attributes", { MQTT: { configurationJson: { password: secrets[0] } } });
  await gateway.say("v1/gateway/claim", { "Device A": { secretKey: secrets[1], durationMs: 60_000 } });
  await gateway.say("/provision", { provisionDeviceKey: secrets[2] });
  await gateway.say("v1/devices/me/attributes", [{ password: secrets[3] }]).catch(() => undefined);
  const came = await lines.take(4, ({ side, direction }) => side === "local" && direction === "in");
  expect(came.map(({ fates }) => fates)).toEqual([
    undefined,
    ["dropped: unsupported"],
    ["dropped: unknownTopic"],
    [expect.stringMatching(/^quarantined: wrong shape: .* wanted an object, got /)],
  ]);

  const { messages } = await getJson<{ messages: readonly { id: string }[] }>(bridge, "/spool");
  const shown = await Promise.all(messages.map(({ id }) => getJson(bridge, `/spool/gw-01/${id.replace(".", "/")}`)));
  expect(messages).toHaveLength(1);
  expect(shown).toMatchObject([
    { payload: '[{"password":"•••"}]', reading: { rule: { name: "ownState" }, unread: {} } },
  ]);
  const said = JSON.stringify([lines.all, events.all, messages, shown, bridge.log.all]);
  expect(secrets.filter((secret) => said.includes(secret))).toEqual([]);
  const [{ id }] = messages as [{ id: string }];
  expect(await getJson(bridge, `/spool/gw-01/${id.replace(".", "/")}?payload=whole`)).toMatchObject({
    payload: expect.stringContaining("own-pass-4"),
  });
});

test("devices, history and playground answer", async () => {
  const plant = await openPlant();
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  await gateway.say("v1/gateway/connect", { device: "Device A" });
  await eventually(() => getJson(bridge, "/devices?search=device&limit=5")).toMatchObject({
    total: 1,
    devices: [{ device: "Device A", gateway: "gw-01", attached: true }],
  });
  await eventually(() => getJson(bridge, "/history?seconds=60")).toMatchObject({
    stepMs: 1000,
    points: expect.arrayContaining([expect.objectContaining({ received: 1, delivered: 1, dropped: 0 })]),
  });
  const { dialects } = await getJson<{ dialects: PlaygroundDialect[] }>(bridge, "/playground");
  expect(dialects.map(({ name }) => name)).toEqual(["clearblade", "google", "omnicore", "thingsboard"]);
  const request = { local: "thingsboard", upstream: "google", direction: "up", topic: "v1/gateway/telemetry" };
  const answer = await getJson<PlaygroundAnswer>(bridge, "/playground", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...request, payload: telemetry }),
  });
  expect(answer).toMatchObject({
    warnings: [],
    result: {
      rule: { name: "telemetry" },
      sent: [
        { to: "upstream", topic: "/devices/Device%20A/attach" },
        { to: "upstream", topic: "/devices/Device%20A/events", rule: { name: "telemetry" } },
      ],
      troubles: [],
    },
  });
});
