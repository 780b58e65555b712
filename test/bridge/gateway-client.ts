import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { onTestFinished } from "vitest";
import { createFeed, type Feed } from "./feed.ts";

export interface Heard {
  readonly topic: string;
  readonly text: string;
  readonly qos: number;
}

/** An MQTT.js client that plays a ThingsBoard gateway. */
export interface GatewayClient {
  readonly client: MqttClient;
  readonly heard: Feed<Heard>;
  /** Publishes and waits for the PUBACK (at QoS 1); rejects with its code where that is a refusal. */
  say(topic: string, payload: string | Uint8Array | object, qos?: 0 | 1 | 2): Promise<void>;
  /** The next message on this topic, of those after `after`. */
  next(topic: string, after?: Heard): Promise<Heard>;
  end(): Promise<void>;
}

/** What a gateway hears its devices' traffic on. */
export const gatewayFilters = ["v1/gateway/attributes", "v1/gateway/attributes/response", "v1/gateway/rpc"] as const;

/** All that a gateway hears: its own traffic, and then its devices'. */
export const allFilters = [
  "v1/devices/me/attributes",
  "v1/devices/me/attributes/response/+",
  "v1/devices/me/rpc/request/+",
  "v1/devices/me/rpc/response/+",
  ...gatewayFilters,
] as const;

export interface GatewayClientOptions extends IClientOptions {
  readonly token: string;
  /** Default `gatewayFilters`. */
  readonly filters?: readonly string[];
  readonly filterQos?: 0 | 1;
}

/** Connects, with MQTT 5 unless told otherwise, and subscribes. It does not come back by itself. */
export async function connectGateway(url: string, options: GatewayClientOptions): Promise<GatewayClient> {
  const { token, filters = gatewayFilters, filterQos = 1, ...rest } = options;
  const client = await connectAsync(url, { username: token, protocolVersion: 5, reconnectPeriod: 0, ...rest });
  onTestFinished(() => client.endAsync(true));
  const heard = createFeed<Heard>();
  client.on("message", (topic, payload, { qos }) => heard.push({ topic, text: payload.toString(), qos }));
  if (filters.length > 0) await client.subscribeAsync([...filters], { qos: filterQos });
  return {
    client,
    heard,
    async say(topic, payload, qos = 1) {
      const isPlain = typeof payload === "string" || payload instanceof Uint8Array;
      await client.publishAsync(topic, isPlain ? Buffer.from(payload) : JSON.stringify(payload), { qos });
    },
    next: (topic, after) => heard.next((message) => message.topic === topic, after),
    end: () => client.endAsync(),
  };
}
