import { connectAsync, type MqttClient } from "mqtt";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  openUpstream,
  type UpstreamConnection,
  type UpstreamConnectionOptions,
} from "../../src/upstream/connection.ts";
import { mosquittoPath, startAedes, startMosquitto, type TestBroker, type TestBrokerOptions, user } from "./brokers.ts";
import { createRecorder, packet } from "./recorder.ts";

/** What the connection does with any broker, tried with other people's. */
function describeUpstream(name: string, start: (options?: TestBrokerOptions) => Promise<TestBroker>): void {
  describe.each([3, 4, 5] as const)(`upstream connection to ${name}, MQTT level %i`, (protocol) => {
    let broker: TestBroker;
    let observer: MqttClient;
    const opened: UpstreamConnection[] = [];

    beforeEach(async () => {
      broker = await start();
      observer = await connectAsync(broker.url, { ...user, protocolVersion: 4 });
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((connection) => connection.close()));
      await observer.endAsync(true);
      await broker.stop();
    });

    function open(options: Partial<UpstreamConnectionOptions> = {}) {
      const recorder = createRecorder();
      const connection = openUpstream(
        {
          ...{ url: broker.url, protocol, keepaliveMs: 60_000, connectTimeoutMs: 5000 },
          login: async () => ({ clientId: "gw-01", ...user }),
          reconnects: [{ reason: "default", firstMs: 20, capMs: 20, jitterMs: 0 }],
          ...options,
        },
        recorder.handlers,
      );
      opened.push(connection);
      return { connection, ...recorder };
    }

    function heard(count: number): Promise<string[]> {
      const payloads: string[] = [];
      return new Promise((resolve) => {
        observer.on("message", (_topic, payload) => {
          if (payloads.push(payload.toString()) === count) resolve(payloads);
        });
      });
    }

    test("publish() of 1,000 packets in one turn: all arrive and are acknowledged, in order", async () => {
      await observer.subscribeAsync("/devices/+/events", { qos: 1 });
      const { connection, next, take } = open();
      await next("opened");
      const arrived = heard(1000);
      for (let i = 0; i < 1000; i++) connection.publish(packet(`/devices/d-${i % 7}/events`, `${i}`), i);
      const expected = Array.from({ length: 1000 }, (_, i) => i);
      expect((await take("acknowledged", 1000)).map(({ token, code }) => [token, code & 0x80])).toEqual(
        expected.map((token) => [token, 0]),
      );
      expect(await arrived).toEqual(expected.map(String));
      expect(connection.lastProvenMs).toBeGreaterThan(0);
    });

    test("publish() carries any bytes and any topic text", async () => {
      await observer.subscribeAsync("#", { qos: 1 });
      const { connection, next } = open();
      await next("opened");
      const payload = Uint8Array.from({ length: 300 }, (_, i) => i);
      const message = new Promise<[string, Buffer]>((resolve) => {
        observer.on("message", (topic, bytes) => resolve([topic, bytes]));
      });
      connection.publish(packet("v1/Gerät ☃ 𝄞", payload), 1);
      expect(await message).toEqual(["v1/Gerät ☃ 𝄞", Buffer.from(payload)]);
      expect(await next("acknowledged")).toMatchObject({ token: 1, code: 0 });
    });

    test("subscribe() reports a code per filter, and unsubscribe() ends it", async () => {
      const { connection, next } = open();
      await next("opened");
      connection.subscribe(
        [
          { filter: "a/config", qos: 1 },
          { filter: "a/commands/#", qos: 0 },
        ],
        7,
      );
      expect(await next("subscribed")).toEqual({ kind: "subscribed", token: 7, codes: [1, 0] });
      await observer.publishAsync("a/config", "one", { qos: 1 });
      expect(await next("received")).toMatchObject({ topic: "a/config", payload: "one", qos: 1 });
      connection.unsubscribe(["a/config"]);
      connection.subscribe([{ filter: "a/other", qos: 1 }], 8);
      await next("subscribed");
      await observer.publishAsync("a/config", "not heard", { qos: 1 });
      await observer.publishAsync("a/commands/x", "two", { qos: 0 });
      expect(await next("received")).toMatchObject({ topic: "a/commands/x", payload: "two", qos: 0, inbound: 0 });
    });

    test("acknowledge() answers inbound packets in any order, and one that waits holds up none", async () => {
      const { connection, next, take } = open();
      await next("opened");
      connection.subscribe([{ filter: "a/#", qos: 1 }], 1);
      await next("subscribed");
      for (let i = 0; i < 5; i++) await observer.publishAsync(`a/${i}`, `${i}`, { qos: 1 });
      const [waiting, ...others] = await take("received", 5);
      for (const { inbound } of others.reverse()) connection.acknowledge(inbound);
      // The broker goes on only within its window: 5 of 10 would be open if the four were not acknowledged.
      for (let i = 5; i < 25; i++) {
        await observer.publishAsync(`a/${i}`, `${i}`, { qos: 1 });
        const received = await next("received");
        expect(received.payload).toBe(`${i}`);
        connection.acknowledge(received.inbound);
      }
      connection.publish(packet("b", "still flows"), 9);
      expect(await next("acknowledged")).toMatchObject({ token: 9 });
      connection.acknowledge(waiting?.inbound ?? 0);
      connection.acknowledge(waiting?.inbound ?? 0);
    });

    test("a broker that goes away and comes back: unacknowledged tokens are reported once, and it connects again", async () => {
      const { connection, next, told } = open();
      await next("opened");
      connection.publish(packet("a", "1"), 1);
      await next("acknowledged");
      const { port } = new URL(broker.url);
      await broker.stop();
      const closed = await next("closed");
      expect(["closed", "reset", "disconnect-139"]).toContain(closed.reason);
      expect(closed.unacknowledged).toEqual([]);
      expect(await next("closed")).toMatchObject({ reason: "refused", unacknowledged: [] });
      broker = await start({ port: Number(port) });
      await next("opened");
      connection.publish(packet("a", "2"), 2);
      expect(await next("acknowledged")).toMatchObject({ token: 2 });
      expect(told.filter(({ kind }) => kind === "acknowledged")).toEqual([]);
    });

    test("a wrong password is a CONNACK reason", async () => {
      const { next, connection } = open({ login: async () => ({ clientId: "gw-01", ...user, password: "wrong" }) });
      const { reason, detail } = await next("closed");
      expect(["connack-4", "connack-5", "connack-134", "connack-135"]).toContain(reason);
      expect(detail).toContain("CONNACK");
      expect(detail).not.toContain("wrong");
      expect(connection.state).toBe("waiting");
    });

    test("a second connection with the same client id ends the first one", async () => {
      const { next } = open({ reconnects: [{ reason: "default", firstMs: 60_000, capMs: 60_000, jitterMs: 0 }] });
      await next("opened");
      const other = open();
      await other.next("opened");
      const { reason } = await next("closed");
      expect(protocol === 5 ? ["identity-conflict", "closed"] : ["closed", "reset"]).toContain(reason);
    });

    test("reconnect() starts a clean session, and what it received before is not acknowledged on it", async () => {
      const { connection, next } = open();
      await next("opened");
      connection.subscribe([{ filter: "a", qos: 1 }], 1);
      await next("subscribed");
      await observer.publishAsync("a", "before", { qos: 1 });
      const { inbound } = await next("received");
      connection.reconnect("attach-timeout");
      connection.publish(packet("b", "too late"), 5);
      expect(await next("closed")).toMatchObject({ reason: "attach-timeout", unacknowledged: [5] });
      await next("opened");
      connection.acknowledge(inbound);
      connection.publish(packet("b", "after"), 6);
      expect(await next("acknowledged")).toMatchObject({ token: 6 });
    });

    test("close() waits for outstanding acknowledgements, then nothing is told any more", async () => {
      const { connection, next, take, told } = open();
      await next("opened");
      for (let i = 0; i < 8; i++) connection.publish(packet("a", `${i}`), i);
      await connection.close({ drainMs: 5000 });
      expect((await take("acknowledged", 8)).map(({ token }) => token)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      expect(await next("closed")).toMatchObject({ reason: "shutdown", unacknowledged: [] });
      expect(connection.state).toBe("closed");
      connection.publish(packet("a"), 99);
      await connection.close();
      expect(told).toEqual([]);
    });
  });
}

describeUpstream("aedes", startAedes);
// Where mosquitto is not installed, aedes has to do.
if (mosquittoPath !== undefined) {
  describeUpstream("mosquitto", startMosquitto);

  describe("upstream connection to mosquitto, MQTT 5 limits", () => {
    test("a packet above the server's Maximum Packet Size is answered with 0x95 and costs nothing else", async () => {
      const broker = await startMosquitto();
      const { handlers, next, take } = createRecorder();
      const connection = openUpstream(
        {
          ...{ url: broker.url, protocol: 5, keepaliveMs: 60_000, connectTimeoutMs: 5000, reconnects: [] },
          login: async () => ({ clientId: "gw-01", ...user }),
        },
        handlers,
      );
      await next("opened");
      connection.publish(packet("a", "before"), 1);
      connection.publish(packet("a", new Uint8Array(65_536)), 2);
      connection.publish(packet("a", "after"), 3);
      const answers = await take("acknowledged", 3);
      expect(answers.map(({ token, code }) => [token, code]).sort()).toEqual([
        [1, 16],
        [2, 0x95],
        [3, 16],
      ]);
      await connection.close();
      await broker.stop();
    });
  });
}
