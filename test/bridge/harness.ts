import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFailed, onTestFinished } from "vitest";
import type { TraceEvent } from "../../src/bridge/trace.ts";
import { type Bridge, openBridge } from "../../src/bridge.ts";
import { type Cloud, type CloudOptions, openCloud } from "../../src/cloud/cloud.ts";
import type { CloudDialect } from "../../src/cloud/variant.ts";
import { formatMistake } from "../../src/config/mistake.ts";
import { type Config, loadConfig } from "../../src/config.ts";
import { type LogEvent, type LogLevel, logEvents } from "../../src/message/log.ts";
import { ecIdentity } from "../cloud/identity.ts";
import { createFeed, type Feed } from "./feed.ts";

/** Sections of the configuration file; each is laid over the harness's own. */
export interface ConfigSections {
  readonly local?: object;
  readonly upstream?: object;
  readonly rules?: object;
  readonly mapping?: string;
  readonly spool?: object;
  readonly log?: object;
  readonly admin?: object | false;
  /** Files are not watched unless it says so: a test that writes them says when they are read. */
  readonly reload?: object;
  /** Those of the plant's gateways that are configured; left out: all. */
  readonly only?: readonly string[];
}

export interface PlantOptions extends ConfigSections {
  readonly dialect?: CloudDialect;
  /** Ids of the gateways; default `gw-01`. */
  readonly gateways?: readonly string[];
  /** Devices that may be attached, by the id they have in the cloud; left out: any. */
  readonly bound?: readonly string[];
  readonly cloud?: Partial<CloudOptions>;
}

/** A stand-in cloud, and a folder with the configuration of a bridge to it. */
export interface Plant {
  readonly cloud: Cloud;
  readonly folder: string;
  readonly configFile: string;
  /** The access token of a gateway. */
  tokenOf(gateway: string): string;
  /** The private key of a gateway, in PEM. */
  keyOf(gateway: string): string;
  /** Another private key, good for each of them. */
  readonly spareKey: string;
  /** Writes the configuration anew, with these sections changed. */
  configure(sections: ConfigSections): void;
  /** Closes the cloud; all its connections go. */
  stopCloud(): Promise<void>;
  /** Opens it again on the same port, with nothing remembered. */
  startCloud(options?: Partial<CloudOptions>): Promise<Cloud>;
  /** Runs the bridge in this process; `tweaks` stand in for options of the upstream, also where the file could not say so. */
  open(tweaks?: Partial<Config["upstream"]["options"]>): Promise<RunningBridge>;
  /** Reads the configuration again. */
  load(): ReturnType<typeof loadConfig>;
}

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface RunningBridge extends Bridge {
  readonly url: string;
  readonly log: Feed<LogLine>;
  readonly trace: readonly TraceEvent[];
}

const place = { project: "acme-iot", location: "us-central1", registry: "plant-1", subscription: "sub-77" };
const keys = new Map<string, ReturnType<typeof ecIdentity>>();
const spare = ecIdentity();

/** Everything is closed and removed when the test ends. */
export async function openPlant(options: PlantOptions = {}): Promise<Plant> {
  const { dialect = "clearblade", gateways = ["gw-01"], bound } = options;
  const folder = mkdtempSync(join(tmpdir(), "dragoman-bridge-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const tokens = new Map(gateways.map((id) => [id, `token-of-${id}-${randomBytes(6).toString("hex")}`]));
  for (const id of gateways) if (!keys.has(id)) keys.set(id, ecIdentity());
  const keyOf = (id: string) => pemOf(keys.get(id) ?? missing(id));
  const tokenOf = (id: string) => tokens.get(id) ?? missing(id);
  mkdirSync(join(folder, "keys"));
  mkdirSync(join(folder, "tokens"));
  for (const id of gateways) {
    writeFileSync(join(folder, "keys", `${id}.pem`), keyOf(id));
    writeFileSync(join(folder, "tokens", id), `${tokenOf(id)}\n`);
  }

  const cloudOptions = (more: Partial<CloudOptions> = {}): CloudOptions => ({
    dialect,
    ...place,
    devices: gateways.map((id) => ({
      id,
      publicKeys: [keys.get(id)?.publicPem ?? missing(id), spare.publicPem],
      gateway: bound === undefined ? {} : { bound },
    })),
    anyDevice: bound === undefined,
    limits: { messagesPerSecond: Number.POSITIVE_INFINITY, bytesPerSecond: Number.POSITIVE_INFINITY },
    ...options.cloud,
    ...more,
  });
  let cloud = await openCloud(cloudOptions());
  onTestFinished(() => cloud.close());
  const url = cloud.urls[0] as string;

  const configFile = join(folder, "dragoman.yaml");
  const configure = (sections: ConfigSections) => {
    const merged = { ...options, ...sections };
    const parameters =
      dialect === "omnicore"
        ? { subscription: place.subscription, registry: place.registry }
        : { project: place.project, location: place.location, registry: place.registry };
    // JSON is YAML too.
    const text = JSON.stringify({
      local: { dialect: "thingsboard", listen: ["mqtt://127.0.0.1:0"], ...merged.local },
      // The stand-in is asked for no more than 100 messages a second unless a test wants just that.
      upstream: {
        ...{ dialect, url, ...parameters, settle: "20ms", limits: { messagesPerSecond: 100_000 } },
        ...merged.upstream,
      },
      gateways: (merged.only ?? gateways).map((id) => ({
        id,
        local: { token: `file:tokens/${id}` },
        upstream: { privateKey: `file:keys/${id}.pem`, algorithm: "ES256" },
      })),
      spool: { directory: "spool", ...merged.spool },
      admin: merged.admin === false ? false : { listen: "http://127.0.0.1:0", ...merged.admin },
      rules: merged.rules ?? {},
      reload: { watch: false, ...merged.reload },
      ...(merged.mapping === undefined ? {} : { mapping: merged.mapping }),
      log: { level: "debug", ...merged.log },
    });
    writeFileSync(configFile, `${text}\n`);
  };
  configure({});

  const plant: Plant = {
    get cloud() {
      return cloud;
    },
    folder,
    configFile,
    tokenOf,
    keyOf,
    spareKey: pemOf(spare),
    configure,
    stopCloud: () => cloud.close(),
    async startCloud(more) {
      cloud = await openCloud(cloudOptions({ listen: [url], ...more }));
      return cloud;
    },
    load: () => loadConfig(configFile, { env: {} }),
    async open(tweaks = {}) {
      const loaded = await loadConfig(configFile, { env: {} });
      if ("mistakes" in loaded) throw new Error(loaded.mistakes.map(formatMistake).join("\n"));
      const { upstream } = loaded.config;
      return openRunning({ ...loaded.config, upstream: { ...upstream, options: { ...upstream.options, ...tweaks } } });
    },
  };
  onTestFailed(() => {
    const records = cloud.records.slice(-40).map((record) => JSON.stringify(record, payloadsAsText));
    console.error(`the cloud's last records:\n${records.join("\n")}`);
  });
  return plant;
}

/** Expects something to become true of what `look` sees; looks again until it does. */
export function eventually<T>(look: () => T) {
  return expect.poll(look, { timeout: 60_000, interval: 20 });
}

/** A bridge in this process whose connection upstream comes back at once. */
export async function openRunning(config: Config): Promise<RunningBridge> {
  const log = createFeed<LogLine>();
  const trace: TraceEvent[] = [];
  const undocumented: string[] = [];
  const at = (level: LogLevel) => (fields: object, msg: LogEvent) => {
    const levels: readonly LogLevel[] = logEvents[msg];
    if (!levels.includes(level)) undocumented.push(`"${msg}" at level ${level}`);
    log.push({ ...fields, level, msg });
  };
  const bridge = await openBridge(impatient(config), {
    log: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") },
    trace: (event) => trace.push(event),
    version: "test",
  });
  onTestFinished(() => bridge.close({ drainMs: 0 }));
  onTestFinished(() => expect(undocumented).toEqual([]));
  onTestFailed(() => {
    console.error(
      `the bridge's log:\n${log.all
        .slice(-40)
        .map((line) => JSON.stringify(line))
        .join("\n")}`,
    );
  });
  return {
    ...bridge,
    // The dialect of the harness, or every reload would change it.
    reload: (loaded) => bridge.reload("config" in loaded ? { config: impatient(loaded.config) } : loaded),
    url: bridge.listen[0] as string,
    log,
    trace,
  };
}

/** Reconnects are tried every 20 ms, where a real bridge waits for seconds. */
function impatient(config: Config): Config {
  const reconnects = ["default", "token-expired", "elimination"].map((reason) => ({
    reason,
    firstMs: 20,
    capMs: 20,
    jitterMs: 0,
  }));
  return { ...config, upstream: { ...config.upstream, dialect: { ...config.upstream.dialect, reconnects } } };
}

function pemOf({ privateKey }: ReturnType<typeof ecIdentity>): string {
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

function payloadsAsText(key: string, value: unknown): unknown {
  return key === "payload" ? Buffer.from((value as { data: number[] }).data).toString() : value;
}

function missing(id: string): never {
  throw new Error(`no gateway "${id}" in this plant`);
}
