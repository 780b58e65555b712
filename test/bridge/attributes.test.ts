import { expect, test } from "vitest";
import { connectGateway } from "./gateway-client.ts";
import { eventually, openPlant } from "./harness.ts";

const ask = "v1/gateway/attributes/request";
const answer = "v1/gateway/attributes/response";

async function open() {
  const plant = await openPlant();
  const { cloud } = plant;
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  return { plant, cloud, bridge, gateway };
}

/** `pump-2` reports two attributes and is configured with two. */
async function openWithDocuments() {
  const scene = await open();
  const { cloud, gateway } = scene;
  await gateway.say("v1/gateway/attributes", '{"pump-2":{"serial":"S-1","fw":1.10}}');
  await cloud.next("state");
  const version = cloud.setConfig("pump-2", '{"threshold":30,"mode":{"night":true}}');
  await cloud.next("acknowledged", (record) => record.version === version && record.device === "pump-2");
  return scene;
}

test.each([
  ["one key of the configuration", '"client":false,"key":"threshold"', '"value":30'],
  ["one key in a list", '"client":false,"keys":["mode"]', '"value":{"night":true}'],
  ["several keys", '"client":false,"keys":["threshold","mode"]', '"values":{"threshold":30,"mode":{"night":true}}'],
  ["several keys, one of which is there", '"client":false,"keys":["threshold","nope"]', '"values":{"threshold":30}'],
  ["a key that is not there", '"client":false,"key":"nope"', undefined],
  ["its own report", '"client":true,"keys":["serial","fw"]', '"values":{"serial":"S-1","fw":1.10}'],
  ["one key of its own report", '"client":true,"key":"fw"', '"value":1.10'],
  [
    "everything",
    '"client":false,"keys":[]',
    '"values":{"serial":"S-1","fw":1.10,"threshold":30,"mode":{"night":true}}',
  ],
])("a request for %s is answered from the documents", async (_what, question, found) => {
  const { gateway } = await openWithDocuments();
  await gateway.say(ask, `{"id":7,"device":"pump-2",${question}}`);
  const { text } = await gateway.next(answer);
  expect(text).toBe(`{"id":7,"device":"pump-2"${found === undefined ? "" : `,${found}`}}`);
});

test("an id in a string is answered as a number", async () => {
  const { gateway } = await openWithDocuments();
  await gateway.say(ask, '{"id":"12","device":"pump-2","client":false,"key":"threshold"}');
  expect((await gateway.next(answer)).text).toBe('{"id":12,"device":"pump-2","value":30}');
});

test("a request of a device that is new attaches it, and waits for the first configuration", async () => {
  const { plant, cloud, gateway } = await open();
  cloud.setConfig("fresh-1", '{"threshold":5}');
  await gateway.say(ask, '{"id":1,"device":"fresh-1","client":false,"keys":["threshold"]}');
  expect((await gateway.next(answer)).text).toBe('{"id":1,"device":"fresh-1","value":5}');
  expect(plant.cloud.attached("gw-01")).toEqual(["fresh-1"]);
});

test("with the upstream down, what is known is answered at once, and what is not after 5 s as not found", async () => {
  const { plant, gateway, bridge } = await openWithDocuments();
  await plant.stopCloud();
  await gateway.say(ask, '{"id":2,"device":"never-seen","client":false,"keys":["a"]}');
  const asked = performance.now();
  await gateway.say(ask, '{"id":1,"device":"pump-2","client":false,"keys":["threshold"]}');
  expect((await gateway.next(answer)).text).toBe('{"id":1,"device":"pump-2","value":30}');
  const late = await gateway.heard.next(({ text }) => text.includes("never-seen"));
  expect(late.text).toBe('{"id":2,"device":"never-seen"}');
  expect(performance.now() - asked).toBeGreaterThan(3000);
  await eventually(() => bridge.ledger()).toMatchObject({ pending: 0, dropped: {} });
});

test("a request whose connection has ended is never answered on another, and counts as gone", async () => {
  const { plant, bridge, gateway } = await open();
  await plant.stopCloud();
  await gateway.say(ask, '{"id":3,"device":"never-seen","client":false,"keys":["a"]}');
  await gateway.end();
  await eventually(() => bridge.ledger()).toMatchObject({ received: 1, pending: 0, dropped: { gone: 1 } });
});
