import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LedgerDocument } from "../../src/admin/ledger.ts";
import { type Cloud, type CloudOptions, openCloud } from "../../src/cloud/cloud.ts";
import { imbalanceOf } from "../../src/message/fate.ts";
import { ecIdentity } from "../cloud/identity.ts";
import { type BridgeProcess, startBridge } from "./bridge-process.ts";
import { type FaultProxy, openFaultProxy } from "./fault-proxy.ts";
import { createGateway, type Gateway } from "./gateway.ts";
import { createJournal, type Journal } from "./journal.ts";
import { copyProgram } from "./program.ts";
import type { Random } from "./random.ts";
import { polled } from "./waiting.ts";

/** What a scenario needs otherwise than all the others. */
export interface WorldOptions {
  readonly upstream?: object;
  readonly spool?: object;
  readonly cloud?: Partial<CloudOptions>;
  /** The last device of each gateway exists in the cloud, but is not bound to its gateway. */
  readonly hasStranger?: boolean;
  readonly padding?: number;
  readonly patienceMs?: number;
}

/** Gateways, a proxy, the bridge as a process, a proxy, and the cloud. */
export interface World {
  readonly cloud: Cloud;
  readonly gateways: readonly Gateway[];
  /** Between the gateways and the bridge. */
  readonly local: FaultProxy;
  /** Between the bridge and the cloud. */
  readonly upstream: FaultProxy;
  readonly journal: Journal;
  readonly random: Random;
  readonly bridge: BridgeProcess;
  /** Ends the bridge with a signal and starts it again, on the spool that it left. */
  restart(signal: NodeJS.Signals): Promise<number | null>;
  /** How often the bridge has ended by itself; it is started again, as a supervisor would. */
  readonly revivals: number;
  /** Waits until the journal has caught up (`Journal.caughtUp`), and notes how long that took, from now or from before. */
  recover(sinceMs?: number): Promise<void>;
  readonly recoveriesMs: readonly number[];
  /** Ends the load, waits until nothing is on its way any more, and gives the ledger. */
  settle(): Promise<LedgerDocument>;
  close(): Promise<void>;
}

/** Publishes per gateway that the bridge may have unacknowledged. */
export const inFlight = 64;

const place = { project: "acme-iot", location: "us-central1", registry: "plant-1" };
const gatewayCount = 3;
const devicesEach = 4;
/** Of each gateway. */
const messagesPerSecond = 100;

/**
 * @param root Folder of the project, with `dist/` built.
 */
export async function openWorld(root: string, random: Random, options: WorldOptions = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "dragoman-chaos-"));
  const opened: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const close = async () => {
    for (const undo of opened.splice(0).reverse()) await undo();
  };
  try {
    const plants = Array.from({ length: gatewayCount }, (_, index) => plantOf(index + 1));
    const journal = createJournal();
    const cloud = await openCloud(cloudOptions(plants, journal, options));
    opened.push(() => cloud.close());
    const upstream = await openFaultProxy(cloud.urls[0], random);
    opened.push(() => upstream.close());
    const local = await openFaultProxy(undefined, random);
    opened.push(() => local.close());

    const program = copyProgram(root, folder);
    const configFile = writeConfig(folder, plants, { ...options, url: upstream.url });
    let revivals = 0;
    const start = async (): Promise<BridgeProcess> => {
      const started = await startBridge(program, configFile);
      local.targetUrl = started.url;
      const revived = started.died.then(async () => {
        revivals += 1;
        bridge = await start();
        if (opened.length === 0) await bridge.end("SIGKILL");
      });
      // Where it cannot be started again, the scenario will wait in vain and say so.
      revived.catch(() => undefined);
      return started;
    };
    let bridge = await start();
    opened.push(() => bridge.end("SIGKILL"));

    const gateways = plants.map(({ id, token, devices }) =>
      createGateway({
        id,
        url: local.url,
        token,
        devices,
        rate: messagesPerSecond,
        padding: options.padding ?? 0,
        patienceMs: options.patienceMs ?? 20_000,
        journal,
        random,
      }),
    );
    opened.push(() => {
      for (const gateway of gateways) gateway.close();
    });
    const recoveriesMs: number[] = [];
    return {
      cloud,
      gateways,
      local,
      upstream,
      journal,
      random,
      recoveriesMs,
      close,
      get bridge() {
        return bridge;
      },
      async restart(signal) {
        const code = await bridge.end(signal);
        bridge = await start();
        return code;
      },
      get revivals() {
        return revivals;
      },
      async recover(sinceMs = performance.now()) {
        await journal.caughtUp();
        recoveriesMs.push(performance.now() - sinceMs);
      },
      async settle() {
        for (const gateway of gateways) gateway.stop();
        await polled(
          async () => gateways.filter(({ isIdle }) => !isIdle).length,
          (busy) => busy === 0,
        );
        await journal.complete();
        return polled(bridge.ledger, ({ pending }) => pending === 0);
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What is wrong with a ledger after all is done, or nothing. */
export function troubleOf(ledger: LedgerDocument, wanted: { readonly quarantined: number }): string | undefined {
  for (const [name, each] of [["all", ledger] as const, ...Object.entries(ledger.gateways)]) {
    const imbalance = imbalanceOf(each);
    if (imbalance !== 0) return `${name}: ${imbalance} without a fate`;
  }
  const { pending, held, quarantined, dropped } = ledger;
  const isAsWanted =
    pending === 0 && held === 0 && quarantined === wanted.quarantined && Object.keys(dropped).length === 0;
  return isAsWanted ? undefined : JSON.stringify({ pending, held, quarantined, dropped });
}

interface Plant {
  readonly id: string;
  readonly token: string;
  readonly devices: readonly string[];
  readonly identity: ReturnType<typeof ecIdentity>;
}

function plantOf(number: number): Plant {
  const id = `gw-0${number}`;
  const devices = Array.from({ length: devicesEach }, (_, index) => `pump-${number}${index + 1}`);
  return { id, devices, token: `token-of-${id}-${randomBytes(6).toString("hex")}`, identity: ecIdentity() };
}

function cloudOptions(plants: readonly Plant[], journal: Journal, options: WorldOptions): CloudOptions {
  return {
    ...{ dialect: "clearblade", ...place, keepRecords: 1000, limits: false },
    devices: [
      ...plants.map(({ id, identity, devices }) => ({
        id,
        publicKeys: [identity.publicPem],
        gateway: { bound: options.hasStranger ? devices.slice(0, -1) : devices },
      })),
      ...(options.hasStranger ? plants.map(({ devices }) => ({ id: devices.at(-1) as string })) : []),
    ],
    onRecord(record) {
      if (record.kind === "telemetry") journal.arrived(record);
      else if (record.kind === "closed") journal.interrupted(record.connection);
    },
    ...options.cloud,
  };
}

function writeConfig(
  folder: string,
  plants: readonly Plant[],
  { upstream, spool, url }: WorldOptions & { readonly url: string },
): string {
  for (const name of ["keys", "tokens"]) mkdirSync(join(folder, name));
  for (const { id, token, identity } of plants) {
    const pem = identity.privateKey.export({ type: "pkcs8", format: "pem" });
    writeFileSync(join(folder, "keys", `${id}.pem`), pem);
    writeFileSync(join(folder, "tokens", id), token);
  }
  const file = join(folder, "dragoman.yaml");
  // JSON is YAML too.
  const text = JSON.stringify({
    local: { dialect: "thingsboard", listen: ["mqtt://127.0.0.1:0"] },
    upstream: {
      ...{ dialect: "clearblade", url, ...place, inFlight, settle: "20ms" },
      limits: { messagesPerSecond: 100_000 },
      ...upstream,
    },
    gateways: plants.map(({ id }) => ({
      id,
      local: { token: `file:tokens/${id}` },
      upstream: { privateKey: `file:keys/${id}.pem`, algorithm: "ES256" },
    })),
    spool: { directory: "spool", ...spool },
    admin: { listen: "http://127.0.0.1:0" },
  });
  writeFileSync(file, text);
  return file;
}
