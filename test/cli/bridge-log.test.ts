import { describe, expect, test } from "vitest";
import { openBridgeLog } from "../../src/cli/bridge-log.ts";
import { testIo } from "./test-io.ts";

function open(level: "info" | "debug" | "error" = "info") {
  const io = testIo();
  const log = openBridgeLog({ level }, io);
  const lines = () =>
    io
      .err()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  const names = () => lines().map(({ level: at, msg }) => `${at} ${msg}`);
  return { log, lines, names };
}

describe("openBridgeLog()", () => {
  test("writes from its level up, which can be changed, and says so whatever the level", () => {
    const { log, names } = open("error");
    log.warn({ gateway: "a" }, "device-held");
    log.level = "debug";
    log.level = "debug";
    log.debug({ gateway: "a" }, "device-attached");
    log.level = "silent";
    log.error({ gateway: "a" }, "internal-error");
    expect(names()).toEqual(["info log-changed", "debug device-attached", "info log-changed"]);
  });

  test("toggle() goes to debug and back to what the configuration says now", () => {
    const { log } = open("info");
    log.toggle();
    expect(log.level).toBe("debug");
    log.toggle();
    expect(log.level).toBe("info");
    log.toggle();
    log.configure({ level: "info" });
    expect(log.level).toBe("debug");
    log.configure({ level: "warn" });
    expect(log.level).toBe("warn");
    log.toggle();
    log.toggle();
    expect(log.level).toBe("warn");
  });

  test("insist() writes at debug whatever the level, and is never held back", () => {
    const { log, names } = open("error");
    for (let index = 0; index < 30; index++) log.insist({ gateway: "a" }, "packet");
    expect(names()).toEqual(Array.from({ length: 30 }, () => "debug packet"));
  });

  test("flush() writes what was held back of repeats; what is below the level counts as nothing", () => {
    const { log, lines } = open();
    for (let index = 0; index < 25; index++) {
      log.warn({ gateway: "a", index }, "packet-not-understood");
      log.debug({ gateway: "a" }, "device-attached");
    }
    expect(log.suppressed).toEqual({ "packet-not-understood": 15 });
    log.flush();
    expect(lines()).toHaveLength(11);
    expect(lines().at(-1)).toMatchObject({ msg: "packet-not-understood", level: "warn", index: 24, repeated: 15 });
  });
});
