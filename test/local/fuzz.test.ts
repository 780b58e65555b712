import { once } from "node:events";
import { connect } from "node:net";
import fc from "fast-check";
import { generate, type Packet as MqttPacket } from "mqtt-packet";
import { afterEach, expect, test } from "vitest";
import { FrameReader } from "../../src/mqtt/frame-reader.ts";
import { connectPacket, enter, gateway, publishPacket, secret, start, stopAll } from "./harness.ts";

afterEach(stopAll);

/** Few ids, so that they are used again while they are taken. */
const packetId = fc.integer({ min: 1, max: 4 });

const packet: fc.Arbitrary<MqttPacket> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom(0, 1, 2), packetId, fc.string()).map(toPublish) },
  fc.constant<MqttPacket>({ cmd: "pingreq" }),
  fc.tuple(fc.constantFrom("puback", "pubrec", "pubrel", "pubcomp"), packetId).map(toConfirmation),
  packetId.map(toSubscribe),
  packetId.map((messageId): MqttPacket => ({ cmd: "unsubscribe", messageId, unsubscriptions: ["v1/gateway/rpc"] })),
  fc.constant<MqttPacket>(connectPacket(4, { username: "T1" })),
);

/** Where a byte is changed, and to what; most packets stay as they are. */
const change = fc.option(fc.record({ at: fc.nat(), to: fc.nat(255) }), { freq: 3, nil: undefined });

const talk = fc.record({
  protocol: fc.constantFrom(3, 4, 5),
  hello: change,
  parts: fc.array(fc.oneof({ weight: 8, arbitrary: fc.tuple(packet, change) }, fc.uint8Array({ maxLength: 80 })), {
    maxLength: 12,
  }),
  /** The lengths of the pieces that it is sent in, over and over. */
  pieces: fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 5 }),
});

test("openListener() acknowledges only what the sink took, whatever it is sent, and serves the others meanwhile", async () => {
  /** What the sink took on the connection that is open, as the header and packet id of its acknowledgement. */
  let taken: string[] = [];
  let connected = 0;
  const { port, listener } = await start({
    // One changed byte makes neither token the other.
    gateways: [gateway("one", { token: secret("T1") }), gateway("two", { token: secret("witness") })],
    wiring: {
      connected: () => connected++,
      disconnected: () => connected--,
      publish: (from, { payload, qos }, exchange) => {
        setImmediate(() => {
          const isTaken = payload.length % 5 !== 4;
          if (isTaken && from.gateway === "one") taken.push(`${qos === 1 ? 0x40 : 0x50} ${exchange.packetId}`);
          exchange.answer({ kind: isTaken ? "acknowledge" : "silence" });
        });
      },
    },
  });
  const witness = await enter(port, 4, { username: "witness" });
  await fc.assert(
    fc.asyncProperty(talk, async ({ protocol, hello, parts, pieces }) => {
      taken = [];
      const print = (one: MqttPacket): Buffer => generate(one, { protocolVersion: protocol });
      const bytes = Buffer.concat([
        bend(print(connectPacket(protocol, { username: "T1" })), hello),
        ...parts.map((part) => (Array.isArray(part) ? bend(print(part[0]), part[1]) : part)),
      ]);
      const socket = connect(port, "127.0.0.1").setNoDelay(true);
      const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
      const answers: string[] = [];
      const reader = new FrameReader(1000, {
        frame: (header, body, at) => answers.push(`${header} ${body.length > at + 1 ? body.readUInt16BE(at) : 0}`),
        oversized: () => answers.push("oversized"),
        malformed: (reason) => answers.push(reason),
      });
      socket.on("error", () => {}).on("data", (chunk) => reader.push(chunk));
      await Promise.race([once(socket, "connect"), closed]);
      for (let at = 0, index = 0; at < bytes.length; index++) {
        const end = at + (pieces[index % pieces.length] ?? 1);
        socket.write(bytes.subarray(at, end));
        at = end;
        if (index < 20) await new Promise(setImmediate);
      }
      for (let round = 0; round < 2; round++) {
        witness.send({ cmd: "pingreq" });
        expect(await witness.next()).toMatchObject({ cmd: "pingresp" });
      }
      socket.end();
      await closed;
      const known = new Set([0x20, 0x40, 0x50, 0x70, 0x90, 0xb0, 0xd0, 0xe0]);
      expect(answers.filter((answer) => !known.has(Number(answer.split(" ")[0])))).toEqual([]);
      expect(answers.filter((answer) => answer.startsWith("64 ")).length).toBeLessThanOrEqual(
        taken.filter((one) => one.startsWith("64 ")).length,
      );
      // A PUBREC is sent again when its PUBLISH is; there is none without one that was taken.
      const acknowledged = answers.filter((answer) => answer.startsWith("64 ") || answer.startsWith("80 "));
      expect(acknowledged.filter((answer) => !taken.includes(answer))).toEqual([]);
    }),
    { numRuns: 1000, interruptAfterTimeLimit: 3_000 },
  );
  await expect.poll(() => connected, { timeout: 10_000 }).toBe(1);
  expect(listener.clients()).toMatchObject([{ gateway: "two" }]);
  const other = await enter(port, 5);
  other.send(publishPacket("a", 1, 1));
  expect(await other.next()).toMatchObject({ cmd: "puback", messageId: 1 });
}, 30_000);

function bend(bytes: Buffer, to: { readonly at: number; readonly to: number } | undefined): Buffer {
  if (to !== undefined) bytes[to.at % bytes.length] = to.to;
  return bytes;
}

function toPublish([qos, id, text]: [0 | 1 | 2, number, string]): MqttPacket {
  return publishPacket(text, qos, qos === 0 ? undefined : id);
}

function toConfirmation([cmd, messageId]: ["puback" | "pubrec" | "pubrel" | "pubcomp", number]): MqttPacket {
  return { cmd, messageId };
}

function toSubscribe(messageId: number): MqttPacket {
  return { cmd: "subscribe", messageId, subscriptions: [{ topic: "v1/gateway/rpc", qos: 1 }] };
}
