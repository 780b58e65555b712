import type { Config } from "../config.ts";
import type { RunningBridge } from "../doctor/running-bridge.ts";
import { DragomanError } from "../errors.ts";
import type { BridgeStatus } from "../message/status.ts";
import { spoolOwner } from "../spool/open-spool.ts";
import { fetchStatus } from "./admin-client.ts";
import type { Io } from "./io.ts";
import { type AdminFlags, addressOf } from "./spool-access.ts";

/**
 * Finds out whether a bridge runs with this configuration, by the lock on its spool and by its admin server, and asks it
 * how it is. Changes nothing, and fails at nothing.
 */
export async function findRunningBridge(config: Config, flags: AdminFlags, io: Io): Promise<RunningBridge> {
  const owner = await ownerOf(config);
  if (typeof owner === "object") return { runs: "perhaps", why: owner.why };
  const isInMemory = config.spool.directory === "memory";
  if (owner === undefined && !isInMemory) return { runs: "no" };
  const answer = await ask(config, flags, io);
  if ("status" in answer) {
    const isOurs = answer.status.gateways.some(({ id }) => config.gateways.some((gateway) => gateway.id === id));
    if (isOurs) return { runs: "yes", status: answer.status };
  }
  if (owner === undefined) return { runs: "no" };
  const why = "why" in answer ? answer.why : "what answers at its admin server's address is another bridge";
  return { runs: "yes", why: `process ${owner} has the spool open, and cannot be asked: ${why}` };
}

async function ownerOf({ spool }: Config): Promise<string | undefined | { readonly why: string }> {
  try {
    return await spoolOwner(spool.directory);
  } catch (error) {
    return { why: (error as Error).message };
  }
}

async function ask(
  config: Config,
  flags: AdminFlags,
  io: Io,
): Promise<{ readonly status: BridgeStatus } | { readonly why: string }> {
  const address = flags.url === undefined ? addressOf(config) : { url: flags.url };
  if ("why" in address) return address;
  const ownToken = config.admin === false ? undefined : config.admin.token?.reveal();
  const token = flags.token ?? io.env["DRAGOMAN_ADMIN_TOKEN"] ?? ownToken;
  try {
    return { status: await fetchStatus({ url: address.url, ...(token === undefined ? {} : { token }) }) };
  } catch (error) {
    if (error instanceof DragomanError && error.code === "ERR_ADMIN") return { why: error.message };
    throw error;
  }
}
