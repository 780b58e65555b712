import { connectAsync } from "mqtt";
import { onTestFinished } from "vitest";
import { ecIdentity, mintToken } from "../cloud/identity.ts";
import { createFeed } from "./feed.ts";
import { connectGateway } from "./gateway-client.ts";
import { place, placeOf } from "./pair-cloud.ts";

/** A gateway of any cloud, in words that all have. */
export interface PairGateway {
  attach(device: string): Promise<void>;
  detach(device: string): Promise<void>;
  telemetry(device: string | undefined, values: object): Promise<void>;
  state(device: string | undefined, values: object): Promise<void>;
  /** The first configuration of the device in which this key has a value. */
  config(device: string, key: string): Promise<unknown>;
  /** Takes the next call of a method for the device, answers it where answers are usual, and gives its parameters. */
  obey(device: string, method: string): Promise<unknown>;
}

/** What the configuration says about a gateway's credentials, and the gateway that has them. */
export interface PairLocal {
  readonly local: object;
  readonly gatewayLocal: object;
  connect(url: string): Promise<PairGateway>;
}

export function pairLocal(dialect: string): PairLocal {
  return dialect === "thingsboard" ? thingsBoardLocal() : registryLocal(dialect);
}

function thingsBoardLocal(): PairLocal {
  const token = "token-of-the-gateway";
  return {
    local: { dialect: "thingsboard" },
    gatewayLocal: { token },
    connect: (url) => connectThingsBoardGateway(url, token),
  };
}

function registryLocal(dialect: string): PairLocal {
  const identity = ecIdentity();
  return {
    local: { dialect, ...placeOf(dialect) },
    gatewayLocal: { publicKeys: [identity.publicPem] },
    connect: (url) => connectRegistryGateway(url, dialect, mintToken(identity)),
  };
}

async function connectThingsBoardGateway(url: string, token: string): Promise<PairGateway> {
  const gateway = await connectGateway(url, { token });
  const heard = async <Message>(topic: string, fits: (message: Message) => boolean): Promise<Message> => {
    const found = await gateway.heard.next((one) => one.topic === topic && fits(JSON.parse(one.text) as Message));
    return JSON.parse(found.text) as Message;
  };
  return {
    attach: (device) => gateway.say("v1/gateway/connect", { device }),
    detach: (device) => gateway.say("v1/gateway/disconnect", { device }),
    telemetry: (device, values) =>
      device === undefined
        ? gateway.say("v1/devices/me/telemetry", values)
        : gateway.say("v1/gateway/telemetry", { [device]: [{ ts: 1483228800000, values }] }),
    state: (device, values) =>
      device === undefined
        ? gateway.say("v1/devices/me/attributes", values)
        : gateway.say("v1/gateway/attributes", { [device]: values }),
    async config(device, key) {
      type Update = { device: string; data: Record<string, unknown> };
      const isIt = (update: Update) => update.device === device && key in update.data;
      return (await heard<Update>("v1/gateway/attributes", isIt)).data;
    },
    async obey(device, method) {
      type Call = { device: string; data: { id: number; method: string; params: unknown } };
      const isIt = (call: Call) => call.device === device && call.data.method === method;
      const { data } = await heard<Call>("v1/gateway/rpc", isIt);
      await gateway.say("v1/gateway/rpc", { device, id: data.id, data: { done: true } });
      return data.params;
    },
  };
}

/** Written as the vendors' samples are: a token as password, attach, then the device's own topics. */
async function connectRegistryGateway(url: string, dialect: string, token: string): Promise<PairGateway> {
  const { project, location, registry, subscription } = place;
  const isOmnicore = dialect === "omnicore";
  const clientId = isOmnicore
    ? `subscriptions/${subscription}/registries/${registry}/devices/gw-01`
    : `projects/${project}/locations/${location}/registries/${registry}/devices/gw-01`;
  const client = await connectAsync(url, {
    ...{ clientId, username: "unused", password: token },
    ...{ protocolVersion: 4, reconnectPeriod: 0 },
  });
  onTestFinished(() => client.endAsync(true));
  const heard = createFeed<{ topic: string; text: string }>();
  client.on("message", (topic, payload) => heard.push({ topic, text: payload.toString() }));
  const base = (device = "gw-01") => (isOmnicore ? `/${registry}/${device}` : `/devices/${device}`);
  const say = async (topic: string, payload: string | object) => {
    const text = typeof payload === "string" ? payload : JSON.stringify(payload);
    await client.publishAsync(topic, text, { qos: 1 });
  };
  await client.subscribeAsync(`${base()}/errors`, { qos: 0 });
  return {
    async attach(device) {
      await say(`${base(device)}/attach`, "{}");
      await client.subscribeAsync([`${base(device)}/config`, `${base(device)}/commands/#`], { qos: 1 });
    },
    detach: (device) => say(`${base(device)}/detach`, "{}"),
    telemetry: (device, values) => say(`${base(device)}/events`, values),
    state: (device, values) => say(`${base(device)}/state`, values),
    async config(device, key) {
      const found = await heard.next(
        ({ topic, text }) => topic === `${base(device)}/config` && text.includes(`"${key}"`),
      );
      return JSON.parse(found.text) as unknown;
    },
    async obey(device, method) {
      const found = await heard.next(({ topic }) => topic === `${base(device)}/commands/${method}`);
      return JSON.parse(found.text) as unknown;
    },
  };
}
