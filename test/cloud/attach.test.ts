import { afterEach, expect, test } from "vitest";
import type { Cloud } from "../../src/cloud/cloud.ts";
import { mintToken } from "./identity.ts";
import { connectAs, errorsIn, identityOf, openPlant, publish, subscribe } from "./plant.ts";
import type { RawClient } from "./raw-client.ts";

let cloud: Cloud;
afterEach(() => cloud.close());

const token = (device: string, recipe = {}) => JSON.stringify({ authorization: mintToken(identityOf(device), recipe) });

/** Whether an attach is acknowledged, and the description of the error if there is one. */
async function tryAttach(
  client: RawClient,
  device: string,
  payload = "{}",
  messageId = 7,
): Promise<readonly unknown[]> {
  const before = client.heard.length;
  client.send(publish(`/devices/${device}/attach`, payload, messageId));
  const heard = (await client.settle()).slice(before);
  const failures = errorsIn(heard).map((error) => error["description"]);
  return [heard.some(({ cmd }) => cmd === "puback"), ...failures];
}

async function connectGateway(id = "gw-01"): Promise<RawClient> {
  const client = await connectAs(cloud, id);
  client.send(subscribe(1, [`/devices/${id}/errors`, 0]));
  await client.next("suback");
  return client;
}

test("ASSOCIATION_ONLY lets in what is bound, whatever its token", async () => {
  cloud = await openPlant();
  const client = await connectGateway();
  expect(await tryAttach(client, "sensor-7", "")).toEqual([true]);
  expect(await tryAttach(client, "pump-2", token("ghost-1"))).toEqual([true]);
  expect(await tryAttach(client, "loose-9", token("loose-9"))).toEqual([false, "device is not bound to the gateway"]);
  expect(await tryAttach(client, "ghost-1")).toEqual([false, "device does not exist"]);
  expect(await tryAttach(client, "gw-01")).toEqual([false, "a gateway cannot be attached"]);
  expect(cloud.attached("gw-01")).toEqual(["sensor-7", "pump-2"]);
});

test("DEVICE_AUTH_TOKEN_ONLY lets in who has a good token, bound or not", async () => {
  cloud = await openPlant({ authMethod: "DEVICE_AUTH_TOKEN_ONLY" });
  const client = await connectGateway();
  expect(await tryAttach(client, "loose-9", token("loose-9"))).toEqual([true]);
  expect(await tryAttach(client, "sensor-7", `{ 'authorization' : ${mintToken(identityOf("sensor-7"))} }`)).toEqual([
    true,
  ]);
  expect(await tryAttach(client, "pump-2")).toEqual([false, "device token is missing"]);
  expect(await tryAttach(client, "pump-2", token("loose-9"))).toEqual([
    false,
    "device token is not accepted: signature does not verify",
  ]);
  expect(await tryAttach(client, "pump-2", token("pump-2", { iat: -7200, exp: -3600 }))).toEqual([
    false,
    "device token is not accepted: token has expired",
  ]);
});

test("ASSOCIATION_AND_DEVICE_AUTH_TOKEN wants both", async () => {
  cloud = await openPlant({ authMethod: "ASSOCIATION_AND_DEVICE_AUTH_TOKEN" });
  const client = await connectGateway();
  expect(await tryAttach(client, "sensor-7", token("sensor-7"))).toEqual([true]);
  expect(await tryAttach(client, "pump-2")).toEqual([false, "device token is missing"]);
  expect(await tryAttach(client, "loose-9", token("loose-9"))).toEqual([false, "device is not bound to the gateway"]);
});

test("an unspecified method lets nobody in", async () => {
  cloud = await openPlant({ authMethod: "GATEWAY_AUTH_METHOD_UNSPECIFIED" });
  const client = await connectGateway();
  expect(await tryAttach(client, "sensor-7", token("sensor-7"))).toEqual([
    false,
    "no device may use the gateway: its authentication method is unspecified",
  ]);
});

test("an error names the packet that caused it, beside and below mqtt_message_info, and only who subscribed hears it", async () => {
  cloud = await openPlant();
  const deaf = await connectAs(cloud, "gw-01");
  expect(await tryAttach(deaf, "loose-9")).toEqual([false]);
  expect(await cloud.next("error")).toMatchObject({ code: "GATEWAY_ATTACHMENT_ERROR", delivered: false });
  deaf.send(subscribe(1, ["/devices/gw-01/errors", 0]));
  await tryAttach(deaf, "loose-9", "{}", 12);
  const info = { message_type: "PUBLISH", topic: "/devices/loose-9/attach", packet_id: 12 };
  expect(errorsIn(deaf.heard)).toEqual([
    {
      error_type: "GATEWAY_ATTACHMENT_ERROR",
      device_id: "loose-9",
      description: "device is not bound to the gateway",
      ...info,
      mqtt_message_info: info,
    },
  ]);
});

test("an attached device is attached again without being judged again", async () => {
  cloud = await openPlant({ authMethod: "DEVICE_AUTH_TOKEN_ONLY" });
  const client = await connectGateway();
  await tryAttach(client, "sensor-7", token("sensor-7"));
  expect(await tryAttach(client, "sensor-7")).toEqual([true]);
  expect(cloud.attached("gw-01")).toEqual(["sensor-7"]);
});

test("with any device, those that do not exist are created and bound, unless their ids are not allowed", async () => {
  cloud = await openPlant({ anyDevice: true, strict: false });
  const client = await connectGateway();
  expect(await tryAttach(client, "Device%20A")).toEqual([true]);
  expect(await tryAttach(client, "loose-9")).toEqual([true]);
  expect(await tryAttach(client, "google-thing")).toEqual([false, "device does not exist"]);
  expect(await tryAttach(client, "Device A")).toEqual([false, "topic has an invalid device id"]);
  expect(await tryAttach(client, "ab")).toEqual([false, "topic has an invalid device id"]);
});

test("attachments end with the connection and with a detach", async () => {
  cloud = await openPlant();
  const client = await connectGateway();
  await tryAttach(client, "sensor-7");
  await tryAttach(client, "pump-2");
  client.send(publish("/devices/pump-2/detach", "whatever", 9));
  await client.settle();
  expect(cloud.attached("gw-01")).toEqual(["sensor-7"]);
  client.send(publish("/devices/pump-2/events", "x", 10));
  await client.settle();
  expect(errorsIn(client.heard)).toMatchObject([
    { error_type: "GATEWAY_DEVICE_NOT_FOUND", device_id: "pump-2", packet_id: 10 },
  ]);
  client.end();
  await cloud.next("closed");
  expect(cloud.attached("gw-01")).toEqual([]);
  expect(cloud.gatewayOf("sensor-7")).toBeUndefined();
});

test("a device that attaches elsewhere is detached here, with an error", async () => {
  cloud = await openPlant();
  cloud.bind("gw-02", "sensor-7");
  const first = await connectGateway();
  await tryAttach(first, "sensor-7");
  const second = await connectGateway("gw-02");
  expect(await tryAttach(second, "sensor-7")).toEqual([true]);
  await first.settle();
  expect(errorsIn(first.heard)).toMatchObject([
    { error_type: "GATEWAY_DETACHMENT_DEVICE_ERROR", device_id: "sensor-7" },
  ]);
  expect(cloud.gatewayOf("sensor-7")).toBe("gw-02");
});

test("unbind() and block() detach, block() closes", async () => {
  cloud = await openPlant();
  const client = await connectGateway();
  await tryAttach(client, "sensor-7");
  await tryAttach(client, "pump-2");
  cloud.unbind("gw-01", "sensor-7");
  cloud.block("pump-2");
  await client.settle();
  expect(errorsIn(client.heard).map((error) => [error["error_type"], error["device_id"]])).toEqual([
    ["GATEWAY_DETACHMENT_DEVICE_ERROR", "sensor-7"],
    ["GATEWAY_DETACHMENT_DEVICE_ERROR", "pump-2"],
  ]);
  expect(await tryAttach(client, "sensor-7")).toEqual([false, "device is not bound to the gateway"]);
  expect(await tryAttach(client, "pump-2")).toEqual([false, "device is blocked"]);
  cloud.block("gw-01");
  await client.closed;
  expect(await cloud.next("closed")).toMatchObject({ device: "gw-01", reason: "blocked" });
});

test("an attach is swallowed, or revoked after its PUBACK, as the faults say", async () => {
  cloud = await openPlant();
  cloud.faults.swallowAttach.add("sensor-7");
  cloud.faults.revokeAttach.add("pump-2");
  const client = await connectGateway();
  expect(await tryAttach(client, "sensor-7")).toEqual([false]);
  expect(await tryAttach(client, "pump-2")).toEqual([true, "device may not be attached after all"]);
  expect(cloud.attached("gw-01")).toEqual([]);
  expect(await tryAttach(client, "sensor-7")).toEqual([true]);
  expect(await tryAttach(client, "pump-2")).toEqual([true]);
});

test("what vendors' samples do wrong is let pass with a warning", async () => {
  cloud = await openPlant();
  const client = await connectGateway();
  client.send({ ...publish("/devices/sensor-7/attach", "{ 'authorization' : x }", 2), retain: true });
  await client.settle();
  expect(cloud.records.flatMap((record) => (record.kind === "warning" ? [record.warning] : []))).toEqual([
    "retain-ignored",
    "attach-payload-not-json",
  ]);
});
