import type * as mqtt from "mqtt-packet";
import { onTestFinished } from "vitest";
import {
  openThingsBoard,
  type ThingsBoardCloud,
  type ThingsBoardOptions,
} from "../../../src/cloud/thingsboard/thingsboard-cloud.ts";
import { publish } from "../plant.ts";
import { openRawClient, type RawClient } from "../raw-client.ts";

export const levels = [3, 4, 5] as const;
export type Level = (typeof levels)[number];

/** Two gateways and a plain device, each with `token-of-` its name; closed when the test ends. */
export async function openTenant(options: Partial<ThingsBoardOptions> = {}): Promise<ThingsBoardCloud> {
  const token = (name: string) => ({ kind: "token", token: `token-of-${name}` }) as const;
  const cloud = await openThingsBoard({
    ...options,
    devices: [
      { name: "gw-01", gateway: true, credentials: token("gw-01") },
      { name: "gw-02", gateway: true, credentials: token("gw-02") },
      { name: "plain", credentials: token("plain") },
      ...(options.devices ?? []),
    ],
  });
  onTestFinished(() => cloud.close());
  return cloud;
}

export function connectPacket(protocol: Level, fields: Partial<mqtt.IConnectPacket> = {}): mqtt.IConnectPacket {
  const protocolId = protocol === 3 ? "MQIsdp" : "MQTT";
  return {
    cmd: "connect",
    protocolId,
    protocolVersion: protocol,
    clientId: "c",
    clean: true,
    keepalive: 60,
    ...fields,
  };
}

/** A raw client that has sent this CONNECT, and what it was answered. */
export async function tryConnect(
  cloud: ThingsBoardCloud,
  protocol: Level,
  fields: Partial<mqtt.IConnectPacket> = {},
): Promise<{ client: RawClient; connack: mqtt.IConnackPacket; code: number | undefined }> {
  const client = await openRawClient(cloud.urls[0] ?? "", protocol);
  onTestFinished(() => client.end());
  client.send(connectPacket(protocol, fields));
  const connack = await client.next("connack");
  return { client, connack, code: protocol === 5 ? connack.reasonCode : connack.returnCode };
}

/** A raw client that is connected as `name`. */
export async function connectAs(
  cloud: ThingsBoardCloud,
  name: string,
  protocol: Level = 4,
  fields: Partial<mqtt.IConnectPacket> = {},
): Promise<RawClient> {
  const { client, code } = await tryConnect(cloud, protocol, { username: `token-of-${name}`, ...fields });
  if (code !== 0) throw new Error(`CONNACK ${code}`);
  return client;
}

/** Publishes at QoS 1 and waits for the PUBACK; its reason code. */
export async function say(client: RawClient, topic: string, payload: unknown): Promise<number> {
  client.send(publish(topic, typeof payload === "string" ? payload : JSON.stringify(payload), 1));
  return (await client.next("puback")).reasonCode ?? 0;
}

/** The next publish heard, its payload parsed. */
export async function hear(client: RawClient): Promise<{ topic: string; qos: number; body: unknown }> {
  const { topic, qos, payload } = await client.next("publish");
  return { topic, qos, body: JSON.parse(payload.toString()) as unknown };
}

/** What a closing connection said last, in order. */
export async function lastWords(client: RawClient): Promise<readonly (readonly [string, number | undefined])[]> {
  await client.closed;
  return client.heard
    .filter(({ cmd }) => cmd === "puback" || cmd === "disconnect")
    .map((packet) => [packet.cmd, "reasonCode" in packet ? packet.reasonCode : undefined]);
}
