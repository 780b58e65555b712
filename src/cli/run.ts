import type { Command } from "commander";
import { openBridge } from "../bridge.ts";
import { openBridgeLog } from "./bridge-log.ts";
import { followConfig } from "./follow-config.ts";
import { expectShortLives, growHeapSlowly } from "./garbage-collector.ts";
import type { Io } from "./io.ts";
import { defaultFile, loadedFor } from "./load.ts";
import { manual } from "./manual.ts";
import { openServiceManager } from "./service-manager.ts";
import { packageVersion } from "./version.ts";

/** How long a stopping bridge goes on sending what waits. */
const drainMs = 10_000;

/** So many gateways leave a heap behind that is worth to be kept small while they log in; and how long that takes at most. */
const many = 500;
const startMs = 60_000;

/** Adds `dragoman run`: the bridge itself. */
export function addRunCommand(program: Command, io: Io): void {
  program
    .command("run")
    .description("run the bridge until SIGINT or SIGTERM; SIGHUP or a changed file reads the configuration again")
    .argument("[file]", "configuration file", defaultFile)
    .addHelpText(
      "after",
      manual({
        notes: `Logs are JSON lines on stderr; the one with "msg":"ready" names the addresses once gateways can connect.`,
        examples: [
          "dragoman run",
          ["dragoman run /etc/dragoman/dragoman.yaml 2> dragoman.log", "logs as JSON lines"],
          ["kill -HUP PID", "read the configuration again at once"],
          ["kill -USR2 PID", "log at debug, or as configured again"],
        ],
        exitCodes: { 0: "stopped as asked", 1: "could not run", 2: "mistakes in the configuration, or wrong use" },
      }),
    )
    .action(async (file: string) => {
      io.exitCode = await run(file, io);
    });
}

async function run(file: string, io: Io): Promise<number> {
  expectShortLives();
  const loaded = await loadedFor(file, io);
  if (loaded === undefined) return 2;
  const { config } = loaded;
  const growHeapFreely = config.gateways.length >= many ? growHeapSlowly(startMs) : () => undefined;
  const log = openBridgeLog(config.log, io);
  io.onSignal("SIGUSR2", log.toggle);
  const manager = openServiceManager(io, log);

  // Whoever waits for "ready" may send a signal at once, and a supervisor sends one when it likes.
  const stop = new Promise<void>((resolve) => {
    io.onSignal("SIGINT", resolve);
    io.onSignal("SIGTERM", resolve);
  });
  const opened = openBridge(config, {
    log,
    logControl: log,
    version: packageVersion(),
    loggedIn: growHeapFreely,
  });
  const unfollow = followConfig({ file, io, log, manager, loaded, opened });
  const bridge = await opened;
  log.info({ listen: bridge.listen, ...(bridge.admin === undefined ? {} : { admin: bridge.admin }) }, "ready");
  manager.ready();
  await stop;
  unfollow();

  log.info({}, "stopping");
  manager.stopping();
  await bridge.close({ drainMs });
  const { pending, held, quarantined } = bridge.ledger();
  log.flush();
  log.info({ pending, held, quarantined }, "stopped");
  await manager.close();
  return 0;
}
