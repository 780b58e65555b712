import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as mqtt from "mqtt-packet";
import { expect, onTestFinished } from "vitest";
import { type Cloud, type CloudOptions, openCloud } from "../../src/cloud/cloud.ts";
import { type CloudDialect, clientIdOf, variants } from "../../src/cloud/variant.ts";
import { formatMistake } from "../../src/config/mistake.ts";
import { loadConfig } from "../../src/config.ts";
import type { ReloadStatus } from "../../src/message/status.ts";
import { mintToken, type TokenRecipe } from "../cloud/identity.ts";
import { gatewayRsa, identities, identityOf } from "../cloud/plant.ts";
import { openRawClient, type RawClient } from "../cloud/raw-client.ts";
import { openRunning, type RunningBridge } from "./harness.ts";

/** A bridge that takes the place of one IoT Core cloud, and a stand-in for the one behind it. */
export interface RegistryPlant {
  readonly cloud: Cloud;
  readonly bridge: RunningBridge;
  readonly folder: string;
  readonly local: CloudDialect;
  readonly registry: string;
  /** Closes the bridge and opens it again with the same files. */
  restart(): Promise<RegistryPlant>;
  /** Has the bridge take over other rules, or other keys of `gateways[0].local`. */
  reload(changes: Pick<RegistryPlantOptions, "gateway" | "rules">): Promise<ReloadStatus>;
  /** The client id of the local side. */
  clientIdOf(name: string): string;
  /** A topic of the local side. */
  topic(device: string, rest: string): string;
  /** A raw client that is past CONNACK. */
  connect(name: string, options?: ConnectOptions): Promise<RawClient>;
}

export interface ConnectOptions extends Partial<mqtt.IConnectPacket> {
  readonly token?: TokenRecipe;
  /** Whose key signs; the device's own if left out. */
  readonly signer?: string;
}

export interface RegistryPlantOptions {
  readonly local: CloudDialect;
  readonly upstream?: CloudDialect;
  readonly registry?: string;
  /** Keys of the `local` section. */
  readonly options?: object;
  /** Keys of `gateways[0].local`. */
  readonly gateway?: object;
  readonly rules?: object;
  /** More devices bound to `gw-01`. */
  readonly crowd?: readonly string[];
  /** Devices that connect by themselves. */
  readonly plain?: readonly string[];
  readonly cloud?: Partial<CloudOptions>;
  readonly directory?: string;
}

const place = { project: "acme-iot", location: "us-central1", registry: "plant-1", subscription: "sub-77" };

/**
 * The registry of the vectors: `gw-01` with `sensor-7`, `pump-2` and `dev-1001` bound to it, `loose-9` not, `ghost-1`
 * blocked; and `gw-02`, which has no list. The stand-in lets `gw-01` attach all of them.
 */
export async function openRegistryPlant(options: RegistryPlantOptions): Promise<RegistryPlant> {
  const { local, upstream = local, registry = place.registry, crowd = [], plain = [] } = options;
  const folder = mkdtempSync(join(tmpdir(), "dragoman-registry-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "keys"));
  for (const [id, { privateKey, publicPem }] of Object.entries(identities)) {
    writeFileSync(join(folder, "keys", `${id}.pem`), privateKey.export({ type: "pkcs8", format: "pem" }));
    writeFileSync(join(folder, "keys", `${id}.pub.pem`), publicPem);
  }
  writeFileSync(join(folder, "keys", "rsa.pub.pem"), gatewayRsa.publicPem);

  const known = (id: string) => ({ id, publicKeys: [identityOf(id).publicPem] });
  const cloud = await openCloud({
    dialect: upstream,
    ...place,
    devices: [
      ...["sensor-7", "pump-2", "loose-9"].map(known),
      { ...known("gw-01"), gateway: { bound: ["sensor-7", "pump-2", "dev-1001", "loose-9", ...crowd] } },
      { ...known("gw-02"), gateway: { bound: ["roamer-1"] } },
    ],
    limits: { messagesPerSecond: Number.POSITIVE_INFINITY, bytesPerSecond: Number.POSITIVE_INFINITY },
    ...options.cloud,
  });
  onTestFinished(() => cloud.close());

  const configFile = join(folder, "dragoman.yaml");
  const keys = (id: string) => ({ publicKeys: [`file:keys/${id}.pub.pem`] });
  const own = (id: string) => ({ privateKey: `file:keys/${id}.pem`, algorithm: "ES256" });
  const entriesWith = (gateway: object | undefined) => [
    {
      id: "gw-01",
      local: {
        publicKeys: ["file:keys/gw-01.pub.pem", "file:keys/rsa.pub.pem"],
        numericId: "2581234567890001",
        devices: {
          "sensor-7": { ...keys("sensor-7"), numericId: "2581234567890007" },
          "pump-2": keys("pump-2"),
          "dev-1001": {},
          "loose-9": { ...keys("loose-9"), bound: false },
          "ghost-1": { blocked: true },
          ...Object.fromEntries(crowd.map((id) => [id, {}])),
        },
        ...options.gateway,
        ...gateway,
      },
      upstream: own("gw-01"),
    },
    { id: "gw-02", local: keys("gw-02"), upstream: own("gw-02") },
    ...plain.map((id) => ({ id, local: { ...keys(id), gateway: false }, upstream: own(id) })),
  ];
  const configWith = ({ gateway, rules }: Pick<RegistryPlantOptions, "gateway" | "rules">) => ({
    local: {
      ...{ dialect: local, listen: ["mqtt://127.0.0.1:0"] },
      ...{ ...parametersOf(local), registry },
      ...options.options,
    },
    upstream: {
      ...{ dialect: upstream, url: cloud.urls[0], ...parametersOf(upstream) },
      ...{ settle: "20ms", limits: { messagesPerSecond: 100_000, attached: 100_000 } },
    },
    gateways: entriesWith(gateway),
    spool: { directory: options.directory ?? "memory" },
    admin: false,
    rules: rules ?? options.rules ?? {},
  });
  // JSON is YAML too.
  writeFileSync(configFile, JSON.stringify(configWith({})));
  return open();

  async function open(): Promise<RegistryPlant> {
    const loaded = await loadConfig(configFile, { env: {} });
    if ("mistakes" in loaded) throw new Error(loaded.mistakes.map(formatMistake).join("\n"));
    const bridge = await openRunning(loaded.config);
    const localId = (name: string) => clientIdOf(variants[local], { ...place, registry }, name);
    return {
      ...{ cloud, bridge, folder, local, registry },
      restart: async () => {
        await bridge.close({ drainMs: 0 });
        return open();
      },
      reload: async (changes) => {
        writeFileSync(configFile, JSON.stringify(configWith(changes)));
        return bridge.reload(await loadConfig(configFile, { env: {} }));
      },
      clientIdOf: localId,
      topic: (device, rest) => `${local === "omnicore" ? `/${registry}` : "/devices"}/${device}/${rest}`,
      async connect(name, { token = {}, signer, ...fields } = {}) {
        const client = await openRawClient(bridge.url);
        onTestFinished(() => client.end());
        const aud = local === "omnicore" ? place.subscription : place.project;
        client.send({
          ...{ cmd: "connect", clientId: localId(name), username: "unused", keepalive: 60, clean: true },
          password: Buffer.from(mintToken(identityOf(signer ?? name), { aud, ...token })),
          ...fields,
        });
        expect(await client.next("connack")).toMatchObject({ returnCode: 0, sessionPresent: false });
        return client;
      },
    };
  }
}

function parametersOf(dialect: CloudDialect): object {
  const { project, location, registry, subscription } = place;
  return dialect === "omnicore" ? { subscription, registry } : { project, location, registry };
}
