import { existsSync, realpathSync } from "node:fs";
import { shownDocument } from "../admin/repair.ts";
import { boundDialects } from "../bridge/bound-dialects.ts";
import { createRepair } from "../bridge/repair.ts";
import type { Config } from "../config.ts";
import { DragomanError } from "../errors.ts";
import type { RepairOutcome, RepairStep, ShownMessage, SpoolRepair, WaitingPage } from "../message/repair.ts";
import { hasSpool, openSpool } from "../spool/open-spool.ts";
import { adminUrl, askAdmin, whyRefused, whyUnreachable } from "./admin-client.ts";
import type { Io } from "./io.ts";

/** A message as JSON: `payload` where it is text, else `payload64`. */
export type ShownDocument = Omit<ShownMessage, "payload"> & { readonly payload?: string; readonly payload64?: string };

/** What is held or quarantined, in a running bridge or in the files of one that is stopped. */
export interface SpoolAccess {
  readonly isRunning: boolean;
  readonly gateways: readonly string[];
  list(step: RepairStep): Promise<WaitingPage>;
  show(message: { readonly gateway: string; readonly id: string }): Promise<ShownDocument | undefined>;
  retry(step: RepairStep): Promise<RepairOutcome>;
  /** With a filter that fits everything, everything. */
  discard(step: RepairStep): Promise<RepairOutcome>;
  close(): Promise<void>;
}

export interface AdminFlags {
  readonly url?: string;
  readonly token?: string;
}

/**
 * Reaches a spool: through the admin server of the bridge that has it open, else in its files.
 *
 * @param config Where the spool is; left out where `--url` says whom to ask.
 * @throws {DragomanError} `ERR_ADMIN` when the bridge runs and cannot be asked; `ERR_SPOOL_FAILED`.
 */
export async function reachSpool(config: Config | undefined, flags: AdminFlags, io: Io): Promise<SpoolAccess> {
  const ownToken = config === undefined || config.admin === false ? undefined : config.admin.token?.reveal();
  const token = flags.token ?? io.env["DRAGOMAN_ADMIN_TOKEN"] ?? ownToken;
  if (flags.url !== undefined || config === undefined) return requireBridge(flags.url ?? "", token);
  const address = addressOf(config);
  const found = "url" in address ? await findBridge(address.url, token) : address;
  if ("access" in found && found.directory === folderOf(config)) return found.access;
  const why = "why" in found ? found.why : "what answers there has another spool";
  try {
    return await openFiles(config, io);
  } catch (error) {
    if (!(error instanceof DragomanError) || error.code !== "ERR_SPOOL_LOCKED") throw error;
    throw new DragomanError(
      "ERR_ADMIN",
      `Cannot ask the bridge that has spool "${config.spool.directory}" open: ${why}, wanted --url with the "admin" of the line in its log that says "ready"`,
      { cause: error },
    );
  }
}

/** Where the bridge of this configuration would answer, or why nobody can know. */
export function addressOf({ admin }: Config): { readonly url: string } | { readonly why: string } {
  if (admin === false) return { why: 'its admin server is turned off ("admin: false")' };
  const url = new URL(admin.listen);
  if (url.port === "0") return { why: "its admin server takes any free port" };
  // Everywhere is no place to connect to.
  if (url.hostname === "0.0.0.0") url.hostname = "127.0.0.1";
  if (url.hostname === "[::]") url.hostname = "[::1]";
  return { url: url.origin };
}

type Found = { readonly access: SpoolAccess; readonly directory: string } | { readonly why: string };

/** @throws {DragomanError} when a bridge answers and refuses. */
async function findBridge(base: string, token: string | undefined): Promise<Found> {
  const url = adminUrl(base, "/spool");
  url.search = "?limit=1";
  let response: Response;
  try {
    response = await askAdmin(url, { token });
  } catch (error) {
    return { why: `"${base}": ${whyUnreachable(error)}` };
  }
  if (response.status === 401 || response.status === 403) throw refused(base, response.status, token);
  const answer = (await response.json().catch(() => undefined)) as Partial<Overview> | undefined;
  if (response.status !== 200 || typeof answer?.directory !== "string" || !Array.isArray(answer.gateways)) {
    return { why: `what answers at "${base}" is not the admin server of a dragoman` };
  }
  return { access: overHttp({ base, token, gateways: answer.gateways }), directory: answer.directory };
}

interface Overview {
  readonly directory: string;
  readonly gateways: readonly string[];
}

async function requireBridge(base: string, token: string | undefined): Promise<SpoolAccess> {
  const found = await findBridge(base, token);
  if ("access" in found) return found.access;
  throw new DragomanError("ERR_ADMIN", `Cannot ask a bridge for its spool: ${found.why}`);
}

function refused(base: string, status: number, token: string | undefined): DragomanError {
  return new DragomanError("ERR_ADMIN", `Cannot ask "${base}" for its spool: ${whyRefused(status, token)}`);
}

function overHttp({ base, token, gateways }: { base: string; token: string | undefined; gateways: readonly string[] }) {
  const ask = async (path: string, options: { readonly search?: string; readonly body?: object }): Promise<unknown> => {
    const url = adminUrl(base, path);
    url.search = options.search ?? "";
    const { body } = options;
    const response = await askAdmin(url, { token, ...(body === undefined ? {} : { body }) }).catch((error: unknown) => {
      throw new DragomanError("ERR_ADMIN", `Cannot ask "${base}" for its spool: ${whyUnreachable(error)}`);
    });
    const answer = (await response.json().catch(() => undefined)) as { readonly error?: string } | undefined;
    if (response.status === 200) return answer;
    if (response.status === 404) return undefined;
    if (response.status === 401 || response.status === 403) throw refused(base, response.status, token);
    const state = answer?.error ?? whyRefused(response.status, token);
    throw new DragomanError("ERR_ADMIN", `Cannot do that in the bridge at "${base}": ${state}`);
  };
  const nothing: RepairOutcome = { done: 0, kept: 0, examples: [], idle: [] };
  return {
    isRunning: true,
    gateways,
    async list(step) {
      const search = new URLSearchParams();
      for (const [key, value] of Object.entries(queryOf(step))) search.set(key, String(value));
      return ((await ask("/spool", { search: `?${search}` })) as WaitingPage | undefined) ?? { messages: [] };
    },
    async show({ gateway, id }) {
      const path = ["", "spool", gateway, ...id.split(".")].map(encodeURIComponent).join("/");
      return (await ask(path, { search: "?payload=whole" })) as ShownDocument | undefined;
    },
    async retry(step) {
      return ((await ask("/spool/retry", { body: queryOf(step) })) as RepairOutcome | undefined) ?? nothing;
    },
    async discard(step) {
      const body = { ...queryOf(step), all: true };
      return ((await ask("/spool/discard", { body })) as RepairOutcome | undefined) ?? nothing;
    },
    close: async () => undefined,
  } satisfies SpoolAccess;
}

function queryOf({ filter, limit, after }: RepairStep): object {
  const { seq, index, ...rest } = filter;
  const id = seq === undefined ? {} : { id: index === undefined ? String(seq) : `${seq}.${index}` };
  return { ...rest, ...id, limit, ...(after === undefined ? {} : { after }) };
}

async function openFiles(config: Config, io: Io): Promise<SpoolAccess> {
  const { directory } = config.spool;
  if (directory === "memory") {
    throw new DragomanError("ERR_SPOOL_FAILED", 'Cannot open spool "memory": no bridge runs that has it');
  }
  if (!hasSpool(directory)) {
    io.stderr.write(`dragoman: there is no spool at "${directory}" yet\n`);
    return overFiles(undefined);
  }
  const spool = await openSpool(config.spool);
  if (spool.setAside !== undefined) io.stderr.write(`dragoman: a damaged spool was moved to "${spool.setAside}"\n`);
  const repair = createRepair({ directory, spool, dialects: boundDialects(config) });
  return { ...overFiles(repair), close: () => spool.close() };
}

function overFiles(repair: SpoolRepair | undefined): SpoolAccess {
  const nothing: RepairOutcome = { done: 0, kept: 0, examples: [], idle: [] };
  return {
    isRunning: false,
    gateways: repair?.gateways() ?? [],
    list: async (step) => repair?.list(step) ?? { messages: [] },
    async show({ gateway, id }) {
      const [seq, index] = id.split(".").map(Number);
      const shown = repair?.show(gateway, { seq: seq ?? 0, index: index ?? 0 });
      return shown && (shownDocument(shown, { isWhole: true }) as ShownDocument);
    },
    retry: async (step) => (await repair?.retry(step)) ?? nothing,
    discard: async (step) => (await repair?.discard(step)) ?? nothing,
    close: async () => undefined,
  };
}

/** What a bridge calls the spool of this configuration. */
function folderOf({ spool: { directory } }: Config): string {
  return directory !== "memory" && existsSync(directory) ? realpathSync(directory) : directory;
}
