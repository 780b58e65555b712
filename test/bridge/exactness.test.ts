import { expect, test } from "vitest";
import { connectGateway, type GatewayClient } from "./gateway-client.ts";
import { eventually, openPlant, type Plant } from "./harness.ts";

async function open(plant: Plant): Promise<GatewayClient> {
  const bridge = await plant.open();
  return connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
}

/** Values whose text a reader that makes numbers and objects of them would change. */
const delicate =
  '{"big":9223372036854775807,"bigger":12345678901234567890123,"long":0.1234567890123456789012345,"exp":1.50E+10,' +
  '"trail":40.0,"minus":-0,"2":1,"1":2,"__proto__":{"polluted":true},"constructor":null,"esc":"\\u00e9\\n\\/","é":"☃𝄞","":[]}';

test("telemetry: 64-bit integers, long decimals, key order and __proto__ arrive as they were written", async () => {
  const plant = await openPlant();
  const gateway = await open(plant);
  await gateway.say("v1/gateway/telemetry", `{"Device A":[{"ts":1483228800000,"values":${delicate}}]}`);
  const { payload } = await plant.cloud.next("telemetry");
  expect(payload.toString()).toBe(`[{"ts":1483228800000,"values":${delicate}}]`);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test("telemetry without ts gets the time of its arrival, and its values as they were", async () => {
  const plant = await openPlant();
  const gateway = await open(plant);
  const beforeMs = Date.now();
  await gateway.say("v1/gateway/telemetry", `{"Device A":[${delicate},{"ts":5.9,"values":{"t":1},"more":{}}]}`);
  const text = (await plant.cloud.next("telemetry")).payload.toString();
  const ts = Number(/^\[\{"ts":(\d+),/.exec(text)?.[1]);
  expect(ts).toBeGreaterThanOrEqual(beforeMs);
  expect(ts).toBeLessThanOrEqual(Date.now());
  expect(text).toBe(`[{"ts":${ts},"values":${delicate}},{"ts":5,"values":{"t":1}}]`);
});

test("state, configuration, commands and replies carry the same text", async () => {
  const plant = await openPlant();
  const { cloud } = plant;
  const gateway = await open(plant);
  await gateway.say(
    "v1/gateway/attributes",
    '{"Device A":{"serial":12345678901234567890,"__proto__":"x","cfg":{"b":1,"a":2.50}}}',
  );
  const state = await cloud.next("state");
  expect(state.payload.toString()).toBe('{"serial":12345678901234567890,"__proto__":"x","cfg":{"b":1,"a":2.50}}');

  cloud.setConfig("Device%20A", '{"b":9007199254740993,"a":{"z":1.10,"y":[1e400]},"__proto__":{"x":1}}');
  expect((await gateway.next("v1/gateway/attributes")).text).toBe(
    '{"device":"Device A","data":{"b":9007199254740993,"a":{"z":1.10,"y":[1e400]},"__proto__":{"x":1}}}',
  );

  cloud.sendCommand("Device%20A", '{"id":18446744073709551615,"method":"set","params":{"v":0.10,"__proto__":1}}');
  const command = (await gateway.next("v1/gateway/rpc")).text;
  const id = /"id":(\d+)/.exec(command)?.[1];
  expect(command).toBe(`{"device":"Device A","data":{"id":${id},"method":"set","params":{"v":0.10,"__proto__":1}}}`);
  await gateway.say("v1/gateway/rpc", `{"device":"Device A","id":${id},"data":{"done":1.0,"at":9007199254740993}}`);
  const reply = await cloud.next("telemetry", ({ folder }) => folder === "responses");
  expect(reply.payload.toString()).toBe(
    '{"id":18446744073709551615,"method":"set","data":{"done":1.0,"at":9007199254740993}}',
  );
});

test("devices named __proto__ and constructor are devices like others", async () => {
  const plant = await openPlant();
  const { cloud } = plant;
  const gateway = await open(plant);
  await gateway.say(
    "v1/gateway/telemetry",
    '{"__proto__":[{"ts":1,"values":{"t":1}}],"constructor":[{"ts":2,"values":{"t":2}}]}',
  );
  const [one, two] = [
    await cloud.next("telemetry", ({ device }) => device === "x%___proto__"),
    await cloud.next("telemetry", ({ device }) => device === "constructor"),
  ];
  expect([one.payload.toString(), two.payload.toString()]).toEqual([
    '[{"ts":1,"values":{"t":1}}]',
    '[{"ts":2,"values":{"t":2}}]',
  ]);
  await gateway.say("v1/gateway/attributes", '{"__proto__":{"a":1}}');
  expect((await cloud.next("state")).device).toBe("x%___proto__");
  cloud.setConfig("x%___proto__", '{"k":1}');
  expect((await gateway.next("v1/gateway/attributes")).text).toBe('{"device":"__proto__","data":{"k":1}}');
});

test("names that look alike are different devices, with a document each", async () => {
  const plant = await openPlant();
  const { cloud } = plant;
  const gateway = await open(plant);
  // Composed and decomposed é, a no-break space, upper and lower case, what an escape would look like.
  const names: readonly (readonly [name: string, id: string])[] = [
    ["caf\u00e9", "caf%C3%A9"],
    ["cafe\u0301", "cafe%CC%81"],
    ["Device A", "Device%20A"],
    ["Device\u00a0A", "Device%C2%A0A"],
    ["device A", "device%20A"],
    ["x%_Device", "x%_Device"],
  ];
  for (const [index, [name]] of names.entries()) await gateway.say("v1/gateway/attributes", { [name]: { index } });
  for (const [index, [name, id]] of names.entries()) {
    const state = await cloud.next("state", ({ device }) => device === id);
    expect(state.payload.toString()).toBe(`{"index":${index}}`);
    cloud.setConfig(id, `{"mine":${index}}`);
    const expected = `{"device":${JSON.stringify(name)},"data":{"mine":${index}}}`;
    await gateway.heard.next(({ text }) => text === expected);
  }
});

test("a second name with the id of another is held, and the reason says which", async () => {
  const plant = await openPlant();
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  await gateway.say("v1/gateway/telemetry", '{"Device A":[{"ts":1,"values":{"t":1}}]}');
  await gateway.say("v1/gateway/telemetry", '{"Device%20A":[{"ts":2,"values":{"t":2}}]}');
  await eventually(() => bridge.ledger()).toMatchObject({ received: 2, delivered: 1, held: 1 });
  expect(bridge.status().gateways[0]?.devices).toContainEqual(
    expect.objectContaining({
      ...{ name: "Device%20A", state: "held" },
      reason: '"Device A" has the id "Device%20A" already: give one of the devices an alias',
    }),
  );
});

const longName = "n".repeat(255);

test.each([
  ["topic characters", "plant/1 +#*.é", "plant%2F1%20%2B%23%2A.%C3%A9"],
  ["a digit first", "007", "x%_007"],
  ["two characters", "ab", "x%_ab"],
  ["the vendor's own prefix", "google-meter", "x%_google-meter"],
  ["that prefix in capitals", "GOOG", "x%_GOOG"],
  ["a dash first", "-dash", "x%_-dash"],
  ["255 characters", longName, longName],
  ["other letters", "温度計", "x%_%E6%B8%A9%E5%BA%A6%E8%A8%88"],
  ["quotes and backslashes", 'quote" and \\', "quote%22%20and%20%5C"],
  ["a word of JSON", "null", "null"],
])("a device name with %s becomes an id, and the device hears under its own name", async (_what, name, id) => {
  const plant = await openPlant();
  const { cloud } = plant;
  const gateway = await open(plant);
  await gateway.say("v1/gateway/telemetry", { [name]: [{ ts: 1, values: { t: 1 } }] });
  const record = await cloud.next("telemetry");
  expect([record.device, record.topic]).toEqual([id, `/devices/${id}/events`]);
  cloud.setConfig(id, '{"k":1}');
  expect((await gateway.next("v1/gateway/attributes")).text).toBe(`{"device":${JSON.stringify(name)},"data":{"k":1}}`);
});

test.each([
  ["300 characters", "n".repeat(300)],
  ["100 characters of three bytes each", "計".repeat(100)],
])(
  "a name of %s can have no id: its messages are held with the option that helps, others flow",
  async (_what, name) => {
    const plant = await openPlant();
    const bridge = await plant.open();
    const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
    await gateway.say("v1/gateway/telemetry", {
      [name]: [{ ts: 1, values: {} }],
      "pump-2": [{ ts: 1, values: { t: 1 } }],
    });
    expect((await plant.cloud.next("telemetry")).device).toBe("pump-2");
    await eventually(() => bridge.ledger()).toMatchObject({ received: 2, delivered: 1, held: 1, pending: 0 });
    const device = bridge.status().gateways[0]?.devices.find((each) => each.name === name);
    expect(device).toMatchObject({ state: "held", reason: expect.stringContaining("alias") });
    expect(device).not.toHaveProperty("upstreamId");
  },
);
