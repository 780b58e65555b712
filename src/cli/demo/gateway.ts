import { connectAsync, type MqttClient } from "mqtt";
import { dialectNamed } from "../../mappings.ts";
import type { DeviceId, UpMessage } from "../../message/message.ts";
import { loadPrivateKey } from "../../upstream/key.ts";
import { createToken } from "../../upstream/token.ts";
import { accessToken, gatewayId, type IotCoreDialect, place } from "./identity.ts";

/** A simulated gateway with one device behind it. Each promise resolves when its packet is acknowledged. */
export interface DemoGateway {
  connectDevice(): Promise<unknown>;
  telemetry(): Promise<unknown>;
  state(): Promise<unknown>;
  /** Resolves when a configuration that is not empty has come. */
  configured(): Promise<unknown>;
  /** Resolves when a command has come and been answered, where the gateway answers commands. */
  commanded(): Promise<unknown>;
  end(): Promise<unknown>;
}

/** A gateway that speaks the ThingsBoard gateway API over MQTT 5. */
export async function connectThingsBoardGateway(url: string, device: string): Promise<DemoGateway> {
  const client = await connectAsync(url, { username: accessToken, protocolVersion: 5, reconnectPeriod: 0 });
  const next = listen(client);
  const say = (topic: string, payload: object) => client.publishAsync(topic, JSON.stringify(payload), { qos: 1 });
  const configured = next("v1/gateway/attributes");
  const commanded = next("v1/gateway/rpc").then((payload) => {
    const { data } = JSON.parse(payload.toString()) as { data: { id: number } };
    return say("v1/gateway/rpc", { device, id: data.id, data: { success: true } });
  });
  await client.subscribeAsync(["v1/gateway/attributes", "v1/gateway/rpc"], { qos: 1 });
  return {
    connectDevice: () => say("v1/gateway/connect", { device }),
    telemetry: () =>
      say("v1/gateway/telemetry", { [device]: [{ ts: 1483228800000, values: { temperature: 42, humidity: 80 } }] }),
    state: () => say("v1/gateway/attributes", { [device]: { serial: "S-1", firmware: "1.2" } }),
    configured: () => configured,
    commanded: () => commanded,
    end: () => client.endAsync(),
  };
}

/** A gateway that was written for the IoT Core family, with a JWT for its password. */
export async function connectIotCoreGateway(
  url: string,
  device: string,
  { dialect, privateKey }: { readonly dialect: IotCoreDialect; readonly privateKey: string },
): Promise<DemoGateway> {
  const bound = dialectNamed(dialect).bind({ ...place, gateway: gatewayId });
  const { audience = "", clientId = "" } = bound;
  const key = loadPrivateKey(privateKey, "ES256");
  const token = await createToken({ key, algorithm: "ES256", audience, lifetimeMs: 3_600_000, nowMs: Date.now() });
  const login = { clientId, username: "unused", password: token.jwt };
  const client = await connectAsync(url, { ...login, protocolVersion: 4, reconnectPeriod: 0 });
  const id = device as DeviceId;
  const say = async (message: UpMessage) => {
    const encoded = bound.encode(message);
    if (encoded.kind === "unrepresentable") throw new Error(encoded.reason);
    await client.publishAsync(encoded.packet.topic, Buffer.from(encoded.packet.payload), { qos: 1 });
  };
  const filters = [...bound.filtersFor("config", id), ...bound.filtersFor("command", id)].map(({ filter }) => filter);
  const [configured, commanded] = filters.map(listen(client));
  return {
    async connectDevice() {
      await say({ kind: "attach", device: id });
      await client.subscribeAsync(filters, { qos: 1 });
    },
    telemetry: () => say({ kind: "telemetry", device: id, body: Buffer.from('{"temperature":42,"humidity":80}') }),
    state: () => say({ kind: "state", device: id, body: Buffer.from('{"serial":"S-1","firmware":"1.2"}') }),
    configured: async () => configured,
    commanded: async () => commanded,
    end: () => client.endAsync(),
  };
}

/** Gives a function that waits for the first message with a payload on a topic or, where it ends in `/#`, below it. */
function listen(client: MqttClient): (filter: string) => Promise<Buffer> {
  const waiting = new Map<string, (payload: Buffer) => void>();
  client.on("message", (topic, payload) => {
    if (payload.length === 0) return;
    for (const [wanted, resolve] of waiting) {
      if (topic !== wanted && !topic.startsWith(`${wanted}/`)) continue;
      waiting.delete(wanted);
      resolve(payload);
    }
  });
  return (filter) => new Promise((resolve) => waiting.set(filter.replace(/\/#$/, ""), resolve));
}
