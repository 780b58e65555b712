import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { TraceEvent } from "../../bridge/trace.ts";
import { type Bridge, openBridge } from "../../bridge.ts";
import { formatMistake } from "../../config/mistake.ts";
import { loadConfig } from "../../config.ts";
import { DragomanError } from "../../errors.ts";
import type { Log } from "../../message/log.ts";
import { makeKeys } from "../key-pair.ts";
import { packageVersion } from "../version.ts";
import { type DemoCloud, openIotCoreDemo, openThingsBoardDemo } from "./cloud.ts";
import { exampleConfig, exampleMark } from "./example-config.ts";
import { connectIotCoreGateway, connectThingsBoardGateway, type DemoGateway } from "./gateway.ts";
import { accessToken, gatewayId, isIotCore } from "./identity.ts";

export interface DemoOptions {
  /** The dialects of the gateway and of the cloud. */
  readonly local: string;
  readonly upstream: string;
  /** Folder for the example configuration, its keys and its spool. */
  readonly folder: string;
  /** Where the gateway connects; 0 takes any free port. */
  readonly port: number;
  readonly log: Log;
  readonly trace?: (event: TraceEvent) => void;
}

/** A stand-in cloud and a bridge in front of it, both in this process. */
export interface DemoWorld {
  readonly cloud: DemoCloud;
  readonly bridge: Bridge;
  /** The configuration the bridge runs on, for looking at. */
  readonly configFile: string;
  connectGateway(): Promise<DemoGateway>;
  close(): Promise<void>;
}

/**
 * Opens the example: makes keys, writes a configuration as a user would, and runs it.
 *
 * @throws {DragomanError} `ERR_USAGE` for a pair that is not supported, and as `openBridge` does.
 */
export async function openDemo(options: DemoOptions): Promise<DemoWorld> {
  const { local, upstream } = options;
  const folder = resolve(options.folder);
  await forgetEarlierDemo(folder);
  const localKeys = makeKeys();
  const upstreamKeys = makeKeys();
  await mkdir(join(folder, "keys"), { recursive: true });
  await writeFile(join(folder, "keys", `${gatewayId}.pem`), upstreamKeys.privateKey, { mode: 0o600 });
  await writeFile(join(folder, "keys", `${gatewayId}.pub.pem`), localKeys.publicKey);

  const device = isIotCore(local) ? "sensor-7" : "Device A";
  const cloud = isIotCore(upstream)
    ? await openIotCoreDemo(upstream, {
        publicKey: upstreamKeys.publicKey,
        device: encodeURIComponent(device),
        isAnswered: !isIotCore(local),
      })
    : await openThingsBoardDemo({ device });
  try {
    const configFile = join(folder, "dragoman.yaml");
    await writeFile(configFile, exampleConfig({ local, upstream, port: options.port, upstreamUrl: cloud.url }));
    const loaded = await loadConfig(configFile, { env: { DEMO_TOKEN: accessToken } });
    if ("mistakes" in loaded) {
      const [first] = loaded.mistakes;
      const why = first === undefined ? "" : `: ${formatMistake(first)}`;
      throw new DragomanError("ERR_USAGE", `Cannot show "${local}:${upstream}"${why}`);
    }
    const bridge = await openBridge(loaded.config, {
      log: options.log,
      version: packageVersion(),
      ...(options.trace === undefined ? {} : { trace: options.trace }),
    });
    const url = bridge.listen[0] ?? "";
    return {
      cloud,
      bridge,
      configFile,
      connectGateway: () =>
        isIotCore(local)
          ? connectIotCoreGateway(url, device, { dialect: local, privateKey: localKeys.privateKey })
          : connectThingsBoardGateway(url, device),
      async close() {
        await bridge.close({ drainMs: 2000 });
        await cloud.close();
      },
    };
  } catch (error) {
    await cloud.close();
    throw error;
  }
}

/** The stand-in cloud begins anew each time, and so must what is remembered of it; in a folder of ours only. */
async function forgetEarlierDemo(folder: string): Promise<void> {
  const config = await readFile(join(folder, "dragoman.yaml"), "utf8").catch(() => "");
  if (config.startsWith(exampleMark)) await rm(join(folder, "spool"), { recursive: true, force: true });
}
