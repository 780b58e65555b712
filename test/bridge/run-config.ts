import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { formatMistake } from "../../src/config/mistake.ts";
import { loadConfig } from "../../src/config.ts";
import { openRunning, type RunningBridge } from "./harness.ts";

/** The parts of a configuration that differ from test to test; secrets may stand in it. */
export interface SmallConfig {
  readonly local: object;
  readonly upstream: object;
  readonly gateways: readonly object[];
  readonly rules?: object;
}

/** Runs a bridge in this process, on a port and with a spool of its own, until the test ends. */
export async function runConfig({ local, ...sections }: SmallConfig): Promise<RunningBridge> {
  const folder = mkdtempSync(join(tmpdir(), "dragoman-bridge-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "dragoman.yaml");
  // JSON is YAML too.
  const text = JSON.stringify({
    local: { listen: ["mqtt://127.0.0.1:0"], ...local },
    ...sections,
    spool: { directory: "spool" },
    admin: false,
    allowInlineSecrets: true,
  });
  writeFileSync(file, text);
  const loaded = await loadConfig(file, { env: {} });
  if ("mistakes" in loaded) throw new Error(loaded.mistakes.map(formatMistake).join("\n"));
  return openRunning(loaded.config);
}
