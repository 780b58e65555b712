import type { Bridge } from "../bridge.ts";
import { type Loaded, loadConfig } from "../config.ts";
import type { BridgeLog } from "./bridge-log.ts";
import type { Io } from "./io.ts";
import type { ServiceManager } from "./service-manager.ts";
import { watchFiles } from "./watch-files.ts";

export interface FollowOptions {
  readonly file: string;
  readonly io: Pick<Io, "env" | "onSignal">;
  readonly log: BridgeLog;
  readonly manager: ServiceManager;
  /** What the bridge is opened with. */
  readonly loaded: Loaded;
  /** A signal may come before it is open. */
  readonly opened: Promise<Bridge>;
}

/**
 * Reads the configuration again at SIGHUP, and when a file of it has changed, and gives it to the bridge: one time after the
 * other.
 *
 * @returns How to stop that.
 */
export function followConfig({ file, io, log, manager, loaded, opened }: FollowOptions): () => void {
  let isOver = false;
  let files = loaded.files;
  let running: Promise<void> = Promise.resolve();
  const again = () => {
    running = running.then(reload).catch(() => undefined); // the bridge did not open: that is told elsewhere
  };
  const watch = watchFiles(again);
  const silence = io.onSignal("SIGHUP", again);
  if ("config" in loaded && loaded.config.reload.watch) void watch.watch(files);
  return () => {
    isOver = true;
    watch.close();
    silence();
  };

  async function reload(): Promise<void> {
    const bridge = await opened;
    if (isOver) return;
    manager.reloading();
    await watch.mark();
    const next = await loadConfig(file, { env: io.env });
    const { outcome } = await bridge.reload(next);
    if ("config" in next && outcome !== "refused") log.configure(next.config.log);
    // Of a file that cannot be read nobody knows what it would have named.
    files = "config" in next ? next.files : [...new Set([...files, ...next.files])];
    if ("config" in loaded && loaded.config.reload.watch) await watch.watch(files);
    if (!isOver) manager.ready();
  }
}
