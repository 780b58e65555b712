import { connectAsync } from "mqtt";
import { generate } from "mqtt-packet";
import type { Packet } from "../../src/message/packet.ts";
import { openUpstream } from "../../src/upstream/connection.ts";
import { publishBound, writePublish } from "../../src/upstream/publish-encoder.ts";
import { startChild } from "../pipeline/child.ts";
import type { SinkQuestion } from "../pipeline/sink.ts";
import { median, type Timing, timeInTurn } from "../timing.ts";

const publishes = 30_000;
const rounds = 5;
/** Unacknowledged at once, the default of `upstream.inFlight`. */
const window = 256;

const packet: Packet = {
  topic: "/devices/Device%20A/events",
  payload: Buffer.from('{"ts":1800000000000,"values":{"temperature":21.5,"humidity":48,"status":"ok"}}'),
  qos: 1,
};

/** Publishing and being acknowledged, as processor time of this process; the sink has one of its own. */
export async function measure(): Promise<readonly Timing[]> {
  return [...measureEncoders(), ...(await measureConnections())];
}

function measureEncoders(): readonly Timing[] {
  const target = Buffer.alloc(publishBound(packet));
  const { topic } = packet;
  const payload = Buffer.from(packet.payload);
  const timings = timeInTurn({
    "write a PUBLISH": () => writePublish(target, 0, { packet, id: 7, protocol: 4 }),
    "generate it by mqtt-packet": () =>
      generate({ cmd: "publish", topic, payload, qos: 1, dup: false, retain: false, messageId: 7 }),
  });
  return [
    { name: "write a PUBLISH", ns: timings["write a PUBLISH"], against: "generate it by mqtt-packet" },
    { name: "generate it by mqtt-packet", ns: timings["generate it by mqtt-packet"] },
  ];
}

async function measureConnections(): Promise<readonly Timing[]> {
  const sink = await startChild("./sink.js");
  try {
    const { port } = (await sink.ask({ kind: "listen" } satisfies SinkQuestion)) as { port: number };
    const url = `mqtt://127.0.0.1:${port}`;
    const ours = await openOurs(url);
    const theirs = await openMqttJs(url);
    const samples = { ours: [] as number[], theirs: [] as number[] };
    for (let round = -1; round < rounds; round++) {
      const oursNs = await processorNs(ours.run);
      const theirsNs = await processorNs(theirs.run);
      if (round < 0) continue;
      samples.ours.push(oursNs);
      samples.theirs.push(theirsNs);
    }
    await Promise.all([ours.close(), theirs.close()]);
    const against = "publish and PUBACK, MQTT.js";
    return [
      { name: "publish and PUBACK, upstream connection", ns: median(samples.ours), against },
      { name: against, ns: median(samples.theirs) },
    ];
  } finally {
    await sink.stop();
  }
}

/** Processor time per publish, all threads. */
async function processorNs(run: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / publishes;
}

interface Publisher {
  run(): Promise<void>;
  close(): Promise<void>;
}

async function openOurs(url: string): Promise<Publisher> {
  let acknowledged = () => {};
  let opened = () => {};
  const isOpen = new Promise<void>((resolve) => {
    opened = resolve;
  });
  const connection = openUpstream(
    {
      ...{ url, protocol: 4, keepaliveMs: 60_000, connectTimeoutMs: 10_000, reconnects: [] },
      login: async () => ({ clientId: "bench-ours" }),
    },
    {
      ...{ opened, closed: () => undefined, received: () => undefined, subscribed: () => undefined },
      acknowledged: () => acknowledged(),
    },
  );
  await isOpen;
  let token = 0;
  return {
    run: () =>
      inWindow((answered) => {
        acknowledged = answered;
        connection.publish(packet, ++token);
      }),
    close: () => connection.close(),
  };
}

async function openMqttJs(url: string): Promise<Publisher> {
  const client = await connectAsync(url, { clientId: "bench-theirs", protocolVersion: 4 });
  const payload = Buffer.from(packet.payload);
  return {
    run: () => inWindow((answered) => client.publish(packet.topic, payload, { qos: 1 }, answered)),
    close: () => client.endAsync(true),
  };
}

/** Publishes all, `window` of them unacknowledged at a time. */
function inWindow(publish: (answered: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    let sent = 0;
    let left = publishes;
    const answered = () => {
      left -= 1;
      if (left === 0) resolve();
      else if (sent < publishes) send();
    };
    const send = () => {
      sent += 1;
      publish(answered);
    };
    while (sent < window) send();
  });
}
