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
