import { formatMistake, type Mistake } from "../config/mistake.ts";
import type { Config } from "../config.ts";
import type { LocalKnown, LocalListener } from "../local/listener.ts";
import type { Log } from "../message/log.ts";
import type { ReloadStatus } from "../message/status.ts";
import type { AdminPlace } from "./admin-place.ts";
import type { Links } from "./links.ts";
import { planReload } from "./plan-reload.ts";

/** A configuration that was read again, as `loadConfig` gives it. */
export type Reloaded = { readonly config: Config } | { readonly mistakes: readonly Mistake[] };

export interface ReloaderParts {
  readonly links: Links;
  readonly listener: Pick<LocalListener, "prepare">;
  readonly admin: AdminPlace;
  readonly knownTo: (config: Config) => LocalKnown;
  readonly log: Log;
  readonly now: () => number;
}

/**
 * Brings a running bridge from one configuration to the next. What can fail is done first and taken back if something does;
 * then each gateway is changed between two of its messages, and those that nothing changed for notice nothing.
 */
export class Reloader {
  #config: Config;
  #last: ReloadStatus | undefined;
  #inForceMs: number;
  readonly #parts: ReloaderParts;
  #isClosed = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(config: Config, parts: ReloaderParts) {
    this.#config = config;
    this.#parts = parts;
    this.#inForceMs = parts.now();
  }

  /** What the bridge runs with. */
  get config(): Config {
    return this.#config;
  }

  get last(): ReloadStatus | undefined {
    return this.#last;
  }

  /** Changes nothing any more; resolves when what was begun is over. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
  }

  /** One at a time, in the order of calls. */
  reload(reloaded: Reloaded): Promise<ReloadStatus> {
    const done = this.#running.then(async () => {
      const result = await this.#apply(reloaded);
      const atMs = this.#parts.now();
      if (result.outcome !== "refused") this.#inForceMs = atMs;
      this.#last = { atMs, inForceMs: this.#inForceMs, ...result };
      this.#tell(this.#last);
      return this.#last;
    });
    this.#running = done.catch(() => undefined);
    return done;
  }

  async #apply(reloaded: Reloaded): Promise<Omit<ReloadStatus, "atMs" | "inForceMs">> {
    if (this.#isClosed) return { outcome: "refused", mistakes: ["Cannot reload: the bridge is closed"] };
    if ("mistakes" in reloaded) return { outcome: "refused", mistakes: reloaded.mistakes.map(formatMistake) };
    const { admin, knownTo, links, listener } = this.#parts;
    const plan = planReload(this.#config, reloaded.config);
    const { config, changes, needsRestart } = plan;
    let change: () => Promise<void>;
    try {
      change = links.prepare(plan);
      const ready = await listener.prepare(config.local.options, knownTo(config));
      try {
        await admin.move(config.admin);
      } catch (error) {
        await ready.abort();
        throw error;
      }
      ready.commit();
    } catch (error) {
      return { outcome: "refused", mistakes: [error instanceof Error ? error.message : String(error)], changes };
    }
    this.#config = config;
    await change();
    return needsRestart.length === 0
      ? { outcome: "applied", changes }
      : { outcome: "needs-restart", changes, needsRestart };
  }

  #tell({ outcome, mistakes = [], changes = [], needsRestart = [] }: ReloadStatus): void {
    const { log } = this.#parts;
    for (const mistake of mistakes) log.error({ mistake }, "reload-refused");
    if (outcome === "refused") return;
    log.info({ changes }, "reloaded");
    if (needsRestart.length > 0) log.warn({ options: needsRestart }, "reload-needs-restart");
  }
}
