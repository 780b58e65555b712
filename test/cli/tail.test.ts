import { describe, expect, test } from "vitest";
import { openAdmin } from "../../src/admin/admin.ts";
import type { Io } from "../../src/cli/io.ts";
import { runProgram } from "../../src/cli/program.ts";
import { tracedText } from "../../src/cli/tail-text.ts";
import { Secret } from "../../src/message/secret.ts";
import type { TraceLine } from "../../src/message/trace.ts";
import { sampleGateway, sampleStatus } from "../admin/sample-status.ts";
import { connectGateway } from "../bridge/gateway-client.ts";
import { eventually, openPlant } from "../bridge/harness.ts";
import { testIo } from "./test-io.ts";

const rule = { name: "telemetry", file: "/opt/dragoman/mappings/thingsboard.yaml", line: 93 };
const line: TraceLine = {
  ...{ id: 7, atMs: new Date(2026, 10, 21, 3, 4, 5, 60).getTime(), gateway: "gw-01", side: "local", direction: "in" },
  ...{ topic: "v1/gateway/telemetry", payload: '{"A":[{"ts":1,"values":{}}]}', bytes: 28, qos: 1, records: [12] },
  rule,
  variables: { device: "A", points: '[{"ts":1,"values":{}}]' },
  messages: [{ kind: "telemetry", device: "A", text: '{"points":[{"ts":1,"values":{}}]}' }],
};

describe("tracedText()", () => {
  test("shows a packet, below it what it means, the rule with its line, and the record", () => {
    expect(tracedText(line, { isColoured: false })).toBe(
      `03:04:05.060  gw-01  gateway ▶          v1/gateway/telemetry  {"A":[{"ts":1,"values":{}}]}
              telemetry "A" {"points":[{"ts":1,"values":{}}]}
              by telemetry (thingsboard.yaml:93), record 12
`,
    );
  });

  test("says why a packet was not understood and which rule was nearest, and writes no control characters", () => {
    const nearest = {
      rule: "telemetry",
      file: "tb.yaml",
      line: 93,
      topic: "v1/t",
      difference: 'level 3 is "\u001b[2J"',
    };
    const { rule: _, records: __, variables: ___, ...rest } = line;
    const unread = { reason: "no rule has this topic", nearest };
    const text = tracedText(
      { ...rest, topic: "v1/\u001b]0;x", payload: "AP8=", encoding: "base64", bytes: 2, messages: [], unread },
      { isColoured: false },
    );
    expect(text).toBe(
      `03:04:05.060  gw-01  gateway ▶          v1/\\u001b]0;x  base64 AP8= (2 bytes)
              not understood: no rule has this topic
              nearest: telemetry (tb.yaml:93): level 3 is "\\u001b[2J"
`,
    );
  });
});

/** Runs `dragoman tail` until it is interrupted. */
function startTail(args: readonly string[]) {
  const base = testIo();
  const handlers: (() => void)[] = [];
  const io: Io = {
    ...base,
    onSignal: (_, handler) => {
      handlers.push(handler);
      return () => undefined;
    },
  };
  const ended = runProgram(["tail", ...args], io);
  return {
    ended,
    out: base.out,
    err: base.err,
    interrupt: () => {
      for (const handler of handlers) handler();
    },
  };
}

describe("dragoman tail", () => {
  test("shows what passes a running bridge, only what is asked for, until it is interrupted", async () => {
    const plant = await openPlant();
    const bridge = await plant.open();
    const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
    const where = ["--url", bridge.admin ?? ""];
    const all = startTail([...where, "--json"]);
    const some = startTail([...where, "--gateway", "gw-01", "--device", "Device B", "--kind", "telemetry"]);
    const say = (device: string) => gateway.say("v1/gateway/telemetry", { [device]: [{ ts: 1, values: { t: 1 } }] });
    await eventually(async () => {
      await say("Device A");
      await say("Device B");
      return all.out().includes('"Device A"') && some.out().includes("Device B");
    }).toBe(true);
    all.interrupt();
    some.interrupt();
    expect(await Promise.all([all.ended, some.ended])).toEqual([0, 0]);
    const lines = all
      .out()
      .trim()
      .split("\n")
      .map((text) => JSON.parse(text) as TraceLine);
    expect(lines.every(({ gateway: id }) => id === "gw-01")).toBe(true);
    expect(new Set(lines.map(({ side, direction }) => `${side} ${direction}`))).toContain("upstream out");
    expect(some.out()).toContain('telemetry "Device B"');
    expect(some.out()).not.toContain("Device A");
    expect(some.out()).not.toContain("attach");
  });

  test("says what is wrong with a kind or a gateway, and how it was ended", async () => {
    const admin = await openAdmin(
      { listen: "http://127.0.0.1:0", token: new Secret("s3cret") },
      {
        ...{ status: () => sampleStatus([sampleGateway("gw-1")]), ledgers: () => ({}) },
        ledger: () => sampleGateway("gw-1").ledger,
      },
    );
    const where = ["--url", admin.url, "--token", "s3cret"];
    const kind = startTail([...where, "--kind", "temperature"]);
    expect([await kind.ended, kind.err()]).toEqual([
      2,
      expect.stringContaining('Cannot show kind "temperature": wanted'),
    ]);
    const gateway = startTail([...where, "--gateway", "gw-2"]);
    expect([await gateway.ended, gateway.err()]).toEqual([
      2,
      'dragoman: Cannot find gateway "gw-2": wanted one of "gw-1"\n',
    ]);
    const refused = startTail(["--url", admin.url]);
    expect([await refused.ended, refused.err()]).toEqual([1, expect.stringContaining("it wants a token")]);
    const open = startTail(where);
    await admin.close();
    expect([await open.ended, open.err()]).toEqual([1, expect.stringMatching(/^dragoman: Cannot /)]);
    const gone = startTail(where);
    expect([await gone.ended, gone.err()]).toEqual([1, expect.stringContaining("nothing listens there")]);
  });
});
