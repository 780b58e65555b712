import { mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Aedes, type AuthorizePublishHandler } from "aedes";
import { connect, type MqttClient } from "mqtt";
import { answerWith } from "./child.ts";
import { portOf } from "./port.ts";

/**
 * How to run the baseline: `acknowledge` says when a gateway gets its PUBACK: at once, when a plain file that nobody
 * reads is synced, or when the upstream gave its own.
 */
export interface BaselineOptions {
  readonly upstreamPort: number;
  readonly tokens: readonly string[];
  readonly acknowledge: "received" | "disk" | "upstream";
  /** Whether to wait until every upstream connection is open. */
  readonly awaitUpstream: boolean;
}

/**
 * The bridge one would write in an afternoon: aedes in front, JSON taken apart and built anew, one MQTT.js client per
 * gateway upstream. No spool, no authentication, no attach protocol, no metrics.
 */
answerWith<BaselineOptions>(async (options) => {
  const upstreams = new Map<string, MqttClient>();
  for (const token of options.tokens) {
    upstreams.set(
      token,
      connect(`mqtt://127.0.0.1:${options.upstreamPort}`, { clientId: token, reconnectPeriod: 1000 }),
    );
  }
  for (const upstream of upstreams.values()) upstream.on("error", () => {});
  if (options.awaitUpstream) {
    await Promise.all([...upstreams.values()].map((upstream) => new Promise((done) => upstream.once("connect", done))));
  }

  const journal = options.acknowledge === "disk" ? await openJournal() : () => Promise.resolve();
  const gateways = new Map<string, string>();
  const translate: AuthorizePublishHandler = (client, packet, callback) => {
    const upstream = upstreams.get(gateways.get(client?.id ?? "") ?? "");
    if (upstream === undefined) return callback(new Error("unknown gateway"));
    const sent = packetsFor(packet.topic, packet.payload.toString()).map(({ topic, payload }) =>
      upstream.publishAsync(topic, payload, { qos: 1 }),
    );
    if (options.acknowledge === "received") return callback(null);
    const safe = options.acknowledge === "disk" ? journal(packet.payload as Buffer) : Promise.all(sent);
    safe.then(
      () => callback(null),
      (error: Error) => callback(error),
    );
  };

  const broker = await Aedes.createBroker({
    authenticate: (client, username, _password, callback) => {
      gateways.set(client.id, username ?? "");
      callback(null, upstreams.has(username ?? ""));
    },
    authorizePublish: translate,
    authorizeForward: () => null,
  });
  return { port: await portOf(createServer(broker.handle)) };
});

/** Appends to a file; resolves once that is synced. What comes during a sync shares the next one. */
async function openJournal(): Promise<(record: Buffer) => Promise<void>> {
  const folder = mkdtempSync(fileURLToPath(new URL("../../journal-", import.meta.url)));
  const file = await open(join(folder, "log"), "a");
  // The open file stays usable, and the folder is gone however this process ends.
  rmSync(folder, { recursive: true });
  let batch: Buffer[] = [];
  let running = Promise.resolve();
  let next: Promise<void> | undefined;
  return (record) => {
    batch.push(record);
    next ??= running.then(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      const records = batch;
      batch = [];
      running = next ?? running;
      next = undefined;
      await file.writev(records);
      await file.datasync();
    });
    return next;
  };
}

function packetsFor(topic: string, payload: string): { topic: string; payload: string }[] {
  const body = JSON.parse(payload) as Record<string, unknown>;
  if (topic === "v1/gateway/connect") return [{ topic: `/devices/${String(body["device"])}/attach`, payload: "{}" }];
  return Object.entries(body).flatMap(([device, points]) =>
    (points as unknown[]).map((point) => ({ topic: `/devices/${device}/events`, payload: JSON.stringify(point) })),
  );
}
