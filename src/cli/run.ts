import type { Command } from "commander";
import { type Bridge, openBridge } from "../bridge.ts";
import { formatMistake } from "../config/mistake.ts";
import { type Config, loadConfig } from "../config.ts";
import type { Log } from "../message/log.ts";
import type { Io } from "./io.ts";
import { configFor, defaultFile } from "./load.ts";
import { openLog } from "./log.ts";
import { openServiceManager } from "./service-manager.ts";
import { packageVersion } from "./version.ts";

/** How long a stopping bridge goes on sending what waits. */
const drainMs = 10_000;

/** Adds `dragoman run`: the bridge itself. */
export function addRunCommand(program: Command, io: Io): void {
  program
    .command("run")
    .description("run the bridge until SIGINT or SIGTERM; SIGHUP reads the configuration again")
    .argument("[file]", "configuration file", defaultFile)
    .addHelpText(
      "after",
      `
Logs are JSON lines on stderr; the one with "msg":"ready" names the addresses once gateways can connect.
Exit codes: 0 stopped as asked, 1 could not run, 2 mistakes in the configuration.`,
    )
    .action(async (file: string) => {
      io.exitCode = await run(file, io);
    });
}

async function run(file: string, io: Io): Promise<number> {
  const config = await configFor(file, io);
  if (config === undefined) return 2;
  const log = openLog(config.log, io);
  const manager = openServiceManager(io, log);
  const open = async (next: Config): Promise<Bridge> => {
    const bridge = await openBridge(next, { log, version: packageVersion() });
    log.info({ listen: bridge.listen, ...(bridge.admin === undefined ? {} : { admin: bridge.admin }) }, "ready");
    return bridge;
  };

  // Whoever waits for "ready" may send a signal at once, and a supervisor sends one when it likes.
  const stop = new Promise<void>((resolve) => {
    io.onSignal("SIGINT", resolve);
    io.onSignal("SIGTERM", resolve);
  });
  const opened = open(config).then((bridge) => ({ config, bridge }));
  let running = opened;
  const broken = new Promise<never>((_, reject) => {
    io.onSignal("SIGHUP", () => {
      manager.reloading();
      running = running.then((before) => reload(before, { file, io, log, open }));
      running.then(manager.ready, () => undefined);
      running.catch(reject);
    });
  });
  broken.catch(() => undefined); // told below, unless the first opening failed already
  await opened;
  manager.ready();
  await Promise.race([stop, broken]);

  log.info({}, "stopping");
  manager.stopping();
  const { bridge } = await running;
  await bridge.close({ drainMs });
  const { pending, held, quarantined } = bridge.ledger();
  log.info({ pending, held, quarantined }, "stopped");
  await manager.close();
  return 0;
}

interface Reload {
  readonly file: string;
  readonly io: Io;
  readonly log: Log;
  readonly open: (config: Config) => Promise<Bridge>;
}

/**
 * Reads the configuration again and, if it is right, goes on with it. Gateways have to connect again; what was acknowledged
 * to them is in the spool. A bad file changes nothing.
 */
async function reload(
  running: { readonly config: Config; readonly bridge: Bridge },
  { file, io, log, open }: Reload,
): Promise<{ readonly config: Config; readonly bridge: Bridge }> {
  const loaded = await loadConfig(file, { env: io.env });
  if ("mistakes" in loaded) {
    for (const mistake of loaded.mistakes) log.error({ mistake: formatMistake(mistake) }, "reload-refused");
    return running;
  }
  await running.bridge.close({ drainMs: 0 });
  try {
    const bridge = await open(loaded.config);
    log.info({ file }, "reloaded");
    return { config: loaded.config, bridge };
  } catch (error) {
    log.error({ file, err: error }, "reload-failed");
    return { config: running.config, bridge: await open(running.config) };
  }
}
