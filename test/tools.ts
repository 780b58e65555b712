import { execFileSync } from "node:child_process";
import { describe } from "vitest";

/** Programs of other people that tests use, and how to find out whether they are there. */
const probes = {
  mosquitto_pub: ["mosquitto_pub", "--help"],
  mosquitto_sub: ["mosquitto_sub", "--help"],
  paho: ["/usr/bin/python3", "-c", "import paho.mqtt.client"],
  promtool: ["promtool", "--version"],
  python3: ["/usr/bin/python3", "--version"],
  go: ["go", "version"],
  "systemd-notify": ["systemd-notify", "--version"],
  "systemd-analyze": ["systemd-analyze", "--version"],
  chromium: ["/usr/bin/chromium", "--version"],
} as const;

export type Tool = keyof typeof probes;

/**
 * Groups tests that need such programs. Where one is missing they are shown as skipped, with its name; in CI they run and
 * fail all the same.
 */
export function describeWith(tools: readonly Tool[], name: string, body: () => void): void {
  const missing = tools.filter((tool) => !isInstalled(tool));
  const isLeftOut = missing.length > 0 && process.env["CI"] !== "true";
  describe.skipIf(isLeftOut)(isLeftOut ? `${name} (left out: ${missing.join(", ")} not installed)` : name, body);
}

function isInstalled(tool: Tool): boolean {
  const [command, ...args] = probes[tool];
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch (error) {
    // mosquitto_pub and mosquitto_sub print their help and end with 1.
    return typeof (error as { status?: unknown }).status === "number" && tool !== "paho";
  }
}
