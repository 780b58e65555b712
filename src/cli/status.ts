import type { Command } from "commander";
import { adminSchema } from "../admin/options.ts";
import { fetchStatus } from "./admin-client.ts";
import type { Io } from "./io.ts";
import { manual } from "./manual.ts";
import { isDegraded, statusText } from "./status-text.ts";

interface StatusFlags {
  readonly url: string;
  readonly token?: string;
  readonly json?: boolean;
  readonly all?: boolean;
}

/** Adds `dragoman status`: how a running bridge is, for people and, by its exit code, for scripts. */
export function addStatusCommand(program: Command, io: Io): void {
  program
    .command("status")
    .description("show links, devices, ledger and backlog of a running bridge")
    .option("--url <url>", "where its admin server listens", adminSchema.properties.listen.default)
    .option("--token <token>", "its token; DRAGOMAN_ADMIN_TOKEN keeps it out of process lists")
    .option("--json", "print the status as JSON")
    .option("--all", "list every gateway and device")
    .addHelpText(
      "after",
      manual({
        examples: [
          "dragoman status",
          ["dragoman status --json | jq .ledger", "for scripts"],
          ["dragoman status --url http://plant-1:9464", "another machine; the token in DRAGOMAN_ADMIN_TOKEN"],
        ],
        exitCodes: { 0: "healthy", 1: "not reachable", 2: "wrong use", 3: "degraded" },
      }),
    )
    .action(async (flags: StatusFlags) => {
      const token = flags.token ?? io.env["DRAGOMAN_ADMIN_TOKEN"];
      const status = await fetchStatus({ url: flags.url, ...(token ? { token } : {}) });
      const look = {
        nowMs: Date.now(),
        isColoured: io.stdout.isTTY === true && !io.env["NO_COLOR"],
        maxRows: flags.all ? Number.POSITIVE_INFINITY : 20,
      };
      io.stdout.write(flags.json ? `${JSON.stringify(status, undefined, 2)}\n` : statusText(status, look));
      io.exitCode = isDegraded(status) ? 3 : 0;
    });
}
