import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { ThingsBoardReceived } from "../../../src/cloud/thingsboard/records.ts";
import type { ThingsBoardCloud } from "../../../src/cloud/thingsboard/thingsboard-cloud.ts";
import { publish, subscribe } from "../plant.ts";
import type { RawClient } from "../raw-client.ts";
import { connectAs, hear, type Level, levels, openTenant, say } from "./tenant.ts";

interface Vector {
  readonly id: string;
  readonly direction: "up" | "down";
  readonly topic: string;
  readonly qos: 0 | 1;
  readonly payload: unknown;
  readonly raw?: boolean;
  readonly pre?: string;
  readonly meaning: Readonly<Record<string, unknown>> & {
    readonly kind: string;
    readonly device?: string | null;
    readonly reaction: { readonly v3: string; readonly v5: string };
  };
}

const vectors: readonly Vector[] = JSON.parse(
  readFileSync(new URL("../../vectors/thingsboard-vectors.json", import.meta.url), "utf8"),
);
const up = vectors.filter(({ direction }) => direction === "up");
const down = vectors.filter(({ direction }) => direction === "down");

describe.each(levels)("at MQTT level %i the stand-in takes", (level) => {
  test.each(up.map((vector) => [vector.id, vector] as const))("%s", async (_id, vector) => {
    const cloud = await openTenant({ now: () => 1_800_000_000_000 });
    const client = await connectAs(cloud, "gw-01", level);
    if (vector.pre === "Device A attached") await say(client, "v1/gateway/connect", { device: "Device A" });
    const before = client.heard.length;
    const after = cloud.records.at(-1);
    client.send(publish(vector.topic, payloadOf(vector, level), 7, vector.qos));

    const reaction = vector.meaning.reaction[level === 5 ? "v5" : "v3"];
    if (/close/.test(reaction)) await client.closed;
    else await client.settle();
    expect(reactionOf(client, before)).toEqual(readReaction(reaction, level));
    const seen = cloud.received().slice(cloud.received().indexOf(after as ThingsBoardReceived) + 1);
    checkMeaning(vector, seen, cloud);
  });
});

/** What a reaction's words say: the codes of PUBACKs and DISCONNECTs, and whether the connection is closed. */
function readReaction(words: string, level: Level): object {
  const code = (packet: string) => new RegExp(`${packet} 0x(\\d\\d)`).exec(words)?.[1];
  const isAcknowledged = /PUBACK/.test(words) && !/no PUBACK/.test(words);
  const disconnect = code("DISCONNECT");
  return {
    pubacks: isAcknowledged ? [level === 5 ? Number.parseInt(code("PUBACK") ?? "", 16) : undefined] : [],
    disconnects: disconnect === undefined ? [] : [Number.parseInt(disconnect, 16)],
    isClosed: /close/.test(words),
  };
}

function reactionOf(client: RawClient, before: number): object {
  const codesOf = (cmd: "puback" | "disconnect") =>
    client.heard.slice(before).flatMap((packet) => (packet.cmd === cmd ? [packet.reasonCode] : []));
  return { pubacks: codesOf("puback"), disconnects: codesOf("disconnect"), isClosed: client.isClosed() };
}

function checkMeaning(vector: Vector, seen: readonly ThingsBoardReceived[], cloud: ThingsBoardCloud): void {
  const { meaning } = vector;
  const said = seen.filter(({ kind }) => kind !== "attach" && kind !== "detach");
  switch (meaning.kind) {
    case "connect":
      expect(seen).toMatchObject([{ kind: "attach", device: meaning.device, type: meaning["type"], isImplied: false }]);
      return;
    case "disconnect":
      expect(seen.map(({ kind }) => kind)).toEqual(meaning["noop"] === true ? [] : ["detach"]);
      expect(cloud.attached("gw-01")).toEqual([]);
      return;
    case "telemetry": {
      const points = (meaning["devices"] ?? { [meaning.device ?? ""]: meaning["points"] }) as Record<string, unknown[]>;
      const wanted = Object.entries(points).flatMap(([device, list]) => list.map((point) => ({ device, point })));
      expect(said.map((record) => ({ device: record.device, point: pointOf(record) }))).toEqual(wanted);
      if (meaning["metrics"] !== undefined) {
        const { metadata } = said[0] as Extract<ThingsBoardReceived, { kind: "telemetry" }>;
        const latency = (metadata?.publishedTs ?? 0) - (metadata?.receivedTs ?? 0);
        expect([{ connector: metadata?.connector, gwLatency: latency }]).toEqual(meaning["metrics"]);
      }
      if (meaning["attaches"] === true) {
        expect(seen[0]).toMatchObject({
          kind: "attach",
          isImplied: true,
          isNew: true,
          type: meaning["createsWithType"],
        });
      }
      return;
    }
    case "attributes":
      expect(said.map((record) => [record.device, typedValues(record)])).toEqual([[meaning.device, meaning["values"]]]);
      return;
    case "attributesRequest": {
      const isOwn = meaning.device === null;
      const keys = isOwn
        ? [...(meaning["clientKeys"] as string[]), ...(meaning["sharedKeys"] as string[])]
        : meaning["keys"];
      const scope = isOwn || meaning["scope"] === "all" ? "both" : meaning["scope"];
      expect(said).toMatchObject([
        {
          kind: "attributesRequest",
          device: meaning.device ?? "gw-01",
          id: meaning["id"],
          scope,
          keys: keys === "all" ? [] : keys,
        },
      ]);
      return;
    }
    case "commandResponse":
      expect(said).toMatchObject([
        {
          kind: "reply",
          device: meaning.device,
          id: meaning["id"],
          data: JSON.stringify((vector.payload as { data: unknown }).data),
        },
      ]);
      return;
    case "claim":
      expect(Object.fromEntries(said.map((record) => [record.device, record]))).toMatchObject(
        meaning["devices"] as object,
      );
      return;
    default:
      expect(said).toEqual([]);
  }
}

function pointOf(record: ThingsBoardReceived): object {
  if (record.kind !== "telemetry") throw new Error(`a ${record.kind} where telemetry was wanted`);
  if (record.isServerTime) expect(record.tsMs).toBe(1_800_000_000_000);
  return { ts: record.isServerTime ? "server" : record.tsMs, values: typedValues(record) };
}

function typedValues(record: ThingsBoardReceived): object {
  if (record.kind !== "telemetry" && record.kind !== "attributes") throw new Error(`a ${record.kind} has no values`);
  return Object.fromEntries(
    [...record.stored].map(([key, { type, text }]) => [key, { [type]: JSON.parse(text) as unknown }]),
  );
}

function payloadOf(vector: Vector, level: Level): string {
  if (vector.id === "up-tele-oversize") {
    // Remaining length 65,537: two bytes of length before the topic, two of packet id, and one of properties in MQTT 5.
    const around = 2 + vector.topic.length + 2 + (level === 5 ? 1 : 0);
    return `{"A":[{"t":1}]}`.padEnd(65_537 - around);
  }
  return vector.raw === true ? (vector.payload as string) : JSON.stringify(vector.payload);
}

/** How the platform is brought to send each down vector. */
const provocations: Readonly<Record<string, (cloud: ThingsBoardCloud, client: RawClient) => unknown>> = {
  "down-aresp-value": (cloud, client) => {
    cloud.setShared("Device A", '{"attribute1":"value1"}');
    return say(client, "v1/gateway/attributes/request", {
      id: 1,
      device: "Device A",
      client: false,
      key: "attribute1",
    });
  },
  "down-aresp-missing": (_cloud, client) =>
    say(client, "v1/gateway/attributes/request", { id: 3, device: "Device A", client: true, keys: ["a", "b"] }),
  "down-aresp-json-value": async (_cloud, client) => {
    await say(client, "v1/gateway/attributes", { "Device A": { cfg: { x: [1, 2] } } });
    return say(client, "v1/gateway/attributes/request", { id: 4, device: "Device A", client: true, keys: ["cfg"] });
  },
  "down-attr-update": async (cloud, client) => {
    await say(client, "v1/gateway/connect", { device: "Device A" });
    cloud.setShared("Device A", '{"attribute1":"value1","attribute2":42,"attribute3":null}');
  },
  "down-attr-deleted": async (cloud, client) => {
    cloud.setShared("Device A", '{"attribute1":"value1","attribute2":42}');
    await say(client, "v1/gateway/connect", { device: "Device A" });
    cloud.deleteShared("Device A", ["attribute1", "attribute2"]);
  },
  "down-rpc-scalar": (cloud, client) => command(cloud, client, 7, "setValue", "true"),
  "down-rpc-null": (cloud, client) => command(cloud, client, 8, "reboot", "null"),
  "down-rpc-dup": async (cloud, client) => {
    await command(cloud, client, 7, "setValue", "true");
    await client.next("publish");
    await say(client, "v1/gateway/disconnect", { device: "Device A" });
    await say(client, "v1/gateway/connect", { device: "Device A" });
  },
  "down-disconnect-v5": async (cloud, client) => {
    await say(client, "v1/gateway/connect", { device: "Device A" });
    cloud.expel("Device A", 150);
  },
  "down-limits": (_cloud, client) =>
    say(client, "v1/devices/me/rpc/request/1", { method: "getSessionLimits", params: { timeout: 5000 } }),
  "down-self-rename": async (cloud, client) => {
    await say(client, "v1/gateway/connect", { device: "Old" });
    await skipCalls(cloud, "gw-01", 4);
    cloud.renameDevice("Old", "New");
    await subscribeToOwnCommands(client);
  },
  "down-self-delete": async (cloud, client) => {
    await say(client, "v1/gateway/connect", { device: "Device A" });
    await skipCalls(cloud, "gw-01", 5);
    await subscribeToOwnCommands(client);
    cloud.removeDevice("Device A");
  },
  "down-self-aresp": async (cloud, client) => {
    await say(client, "v1/devices/me/attributes", { a: 1, z: 2 });
    cloud.setShared("gw-01", '{"c":"x","d":1}');
    await say(client, "v1/devices/me/attributes/request/12", { clientKeys: "a,b", sharedKeys: "c" });
  },
};

test.each(down.map((vector) => [vector.id, vector] as const))("the stand-in sends %s", async (id, vector) => {
  const cloud = await openTenant({
    rateLimits: {
      gatewayDevice: {
        messages: "20:1,600:60",
        telemetryMessages: "20:1,600:60",
        telemetryDataPoints: "200:1,6000:60",
      },
      gateway: { messages: "100:1", telemetryMessages: "100:1", telemetryDataPoints: "1000:1" },
    },
  });
  const client = await connectAs(cloud, "gw-01", 5);
  await provocations[id]?.(cloud, client);
  const wanted = { topic: vector.topic, qos: vector.qos, body: vector.payload };
  expect(await hear(client)).toEqual(id === "down-rpc-dup" ? { ...wanted, topic: "v1/gateway/rpc" } : wanted);
});

async function command(cloud: ThingsBoardCloud, client: RawClient, id: number, method: string, params: string) {
  await say(client, "v1/gateway/connect", { device: "Device A" });
  await skipCalls(cloud, "Device A", id);
  void cloud.sendRpc("Device A", method, params);
  for (let n = 0; n < id; n++) await client.next("publish");
}

/** Uses up ids: commands that nobody answers. */
async function skipCalls(cloud: ThingsBoardCloud, device: string, count: number): Promise<void> {
  const calls = Array.from({ length: count }, () => cloud.sendRpc(device, "noop", "{}", { timeoutMs: 1 }));
  await Promise.all(calls);
}

async function subscribeToOwnCommands(client: RawClient): Promise<void> {
  client.send(subscribe(9, ["v1/devices/me/rpc/request/+", 1]));
  await client.next("suback");
}
