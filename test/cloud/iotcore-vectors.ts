import { readFileSync } from "node:fs";
import type * as mqtt from "mqtt-packet";
import { expect } from "vitest";
import type { CloudDialect } from "../../src/cloud/variant.ts";
import { mintToken, type TokenRecipe } from "./identity.ts";
import { errorsIn, gatewayRsa, identityOf, publish, subscribe } from "./plant.ts";
import type { RawClient } from "./raw-client.ts";

/** A packet to or from a cloud of the IoT Core family, what it means, and what a client sees happen. */
export interface Vector {
  readonly id: string;
  readonly variant: CloudDialect;
  readonly direction: "up" | "down";
  readonly packet?: "CONNECT" | "SUBSCRIBE" | "PUBACK" | "PUBREC" | "CONNACK";
  readonly topic: string | null;
  readonly qos: 0 | 1 | 2 | null;
  readonly payload: string | { readonly $repeat: string; readonly $times: number } | null;
  readonly packetId?: number;
  readonly connect?: {
    clientId: string;
    username: string;
    password: string;
    protocolLevel: 3 | 4 | 5;
    keepAlive: number;
    clean: boolean;
    will?: mqtt.IConnectPacket["will"];
  };
  readonly jwt?: TokenRecipe & { readonly key: string };
  readonly context?: string;
  readonly meaning: { readonly kind: string; readonly device: string | null; readonly subfolder?: string };
  readonly expect: Expectation & {
    readonly strict?: Expectation;
    readonly lenient?: true | { readonly coalesce: true };
  };
}

export interface Expectation {
  readonly connack?: number | null;
  readonly sessionPresent?: boolean;
  readonly closesOther?: boolean;
  readonly suback?: number;
  readonly puback?: boolean;
  readonly close?: boolean;
  readonly error?: string;
  readonly errorTopic?: string;
  readonly attached?: readonly string[];
  readonly sinkAttributes?: Readonly<Record<string, string>>;
  readonly warn?: string;
  readonly deliver?: "latest-config-once";
  readonly deviceAckTime?: "set";
  readonly lastErrorStatus?: boolean;
  readonly stored?: boolean;
  readonly deliverOnly?: "no-subfolder";
}

const vectors: readonly Vector[] = JSON.parse(
  readFileSync(new URL("../vectors/iotcore-vectors.json", import.meta.url), "utf8"),
);

/** The vectors that a client sends. */
export const upVectors = vectors.filter(({ direction }) => direction === "up");

/** The CONNECT of a vector, with a fresh token where it has one. */
export function connectOf(vector: Vector): mqtt.IConnectPacket {
  const { connect } = vector;
  if (connect === undefined) throw new Error("vector has no connect");
  const level = connect.protocolLevel;
  return {
    cmd: "connect",
    protocolId: level === 3 ? "MQIsdp" : "MQTT",
    protocolVersion: level,
    clientId: connect.clientId,
    username: connect.username,
    password: Buffer.from(tokenOf(vector) ?? ""),
    keepalive: connect.keepAlive,
    clean: connect.clean,
    ...(connect.will === undefined ? {} : { will: connect.will }),
  };
}

/** Sends what the vector's client sends once it is connected. */
export async function sendPacket(vector: Vector, client: RawClient, configTopic: string): Promise<void> {
  const topic = vector.topic ?? "";
  switch (vector.packet) {
    case undefined:
      client.send(publish(topic, payloadOf(vector), 3000, vector.qos ?? 1));
      return;
    case "SUBSCRIBE":
      client.send(subscribe(3000, [topic, vector.qos ?? 1]));
      return;
    case "PUBACK": {
      let messageId = vector.packetId ?? 0;
      if (/sent at QoS 1 with packet id/.test(vector.context ?? "")) {
        client.send(subscribe(3000, [configTopic, 1]));
        messageId = (await client.next("publish")).messageId ?? 0;
      }
      client.send({ cmd: "puback", messageId });
      return;
    }
    case "PUBREC":
      client.send({ cmd: "pubrec", messageId: vector.packetId ?? 0 });
      return;
    default:
      throw new Error(`cannot send ${vector.packet}`);
  }
}

/** Expects of what a client heard: the grant and the configuration, where the vector names one, and its error or none. */
export function expectAnswers(answers: readonly mqtt.Packet[], expected: Expectation): void {
  const subacks = answers.filter((packet) => packet.cmd === "suback").map((packet) => packet.granted);
  if (expected.suback !== undefined && expected.close !== true) expect(subacks).toEqual([[expected.suback]]);
  expect(errorsIn(answers).map((error) => error["error_type"])).toEqual(
    expected.error === undefined ? [] : [expected.error],
  );
  const published = answers.filter((packet) => packet.cmd === "publish");
  if (expected.errorTopic !== undefined) expect(published).toMatchObject([{ topic: expected.errorTopic, qos: 0 }]);
  if (expected.deliver !== undefined) expect(published.map(({ payload }) => payload.toString())).toEqual(['{"n":4}']);
}

export function payloadOf(vector: Vector): Buffer {
  const { payload } = vector;
  if (payload === null) return Buffer.alloc(0);
  if (typeof payload === "string") return Buffer.from(payload.replace(/\$\{jwt\}/, tokenOf(vector) ?? ""));
  return Buffer.from(payload.$repeat.repeat(payload.$times));
}

function tokenOf({ jwt }: Vector): string | undefined {
  if (jwt === undefined) return undefined;
  return mintToken(jwt.alg === "RS256" ? gatewayRsa : identityOf(jwt.key), jwt);
}
