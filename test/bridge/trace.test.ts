import { expect, test } from "vitest";
import { pairOf } from "../../src/bridge/pairing.ts";
import { Trace, type TraceEvent, type TraceSides } from "../../src/bridge/trace.ts";
import { dialectNamed } from "../../src/mappings.ts";
import type { DeviceId } from "../../src/message/message.ts";
import type { TraceFilter, TraceLine } from "../../src/message/trace.ts";

const { local, upstream } = pairOf(dialectNamed("thingsboard"), dialectNamed("google"));
const sides: TraceSides = {
  ...{ local, upstream },
  nameOf: (id) => (id === "Device%20A" ? ("Device A" as DeviceId) : undefined),
};

/** A packet as a link tells of it. */
function came(side: TraceEvent["side"], topic: string, payload: string | Uint8Array, gateway = "gw-01"): TraceEvent {
  const packet = { topic, payload: Buffer.from(payload), qos: 1 } as const;
  const decoded = side === "local" ? local.decode("up", packet) : upstream.decode("down", packet);
  return {
    ...{ gateway, side, direction: "in", packet, decoded },
    messages: decoded.kind === "messages" ? decoded.messages : [],
    ...(decoded.kind === "unknownTopic" ? {} : { rule: decoded.rule }),
  };
}

function listening(filter: TraceFilter = {}, now: () => number = () => 1000) {
  const trace = new Trace({ now });
  const lines: TraceLine[] = [];
  let missed = 0;
  const end = trace.listen(filter, {
    line: (line) => lines.push(line),
    missed: () => {
      missed += 1;
    },
  });
  return { trace, lines, end, missed: () => missed };
}

const telemetry = came("local", "v1/gateway/telemetry", '{"Device A":[{"ts":1,"values":{"t":1}}]}');

test("nothing is made while nobody listens", () => {
  const { trace, lines, end } = listening();
  expect(trace.isOn).toBe(true);
  end();
  expect(trace.isOn).toBe(false);
  trace.tell(telemetry, sides);
  expect(lines).toEqual([]);
});

test.each([
  [{}, 4],
  [{ gateway: "gw-01" }, 3],
  [{ gateway: "gw-02" }, 1],
  [{ kind: "telemetry" }, 2],
  [{ device: "Device A" }, 3],
  [{ device: "Device A", kind: "config" }, 1],
  [{ device: "Device B" }, 0],
] as const)("of four packets %j wants %i, devices by their local name on both sides", (filter, count) => {
  const { trace, lines, missed } = listening(filter);
  trace.tell(telemetry, sides);
  trace.tell({ ...telemetry, gateway: "gw-02" }, sides);
  trace.tell(came("upstream", "/devices/Device%20A/config", "{}"), sides);
  trace.tell(came("local", "v1/gateway/unheard-of", "{}"), sides);
  expect([lines.length, missed()]).toEqual([count, 0]);
});

test("only so many lines are made in a second, and large packets count as several; the rest is counted", () => {
  let nowMs = 1000;
  const { trace, lines, missed } = listening({}, () => nowMs);
  for (let count = 0; count < 600; count++) trace.tell(telemetry, sides);
  expect([lines.length, missed()]).toEqual([500, 100]);
  nowMs = 2000;
  const large = came(
    "local",
    "v1/gateway/telemetry",
    JSON.stringify({ A: [{ ts: 1, values: { t: "x".repeat(1e6) } }] }),
  );
  for (let count = 0; count < 100; count++) trace.tell(large, sides);
  expect(lines.length).toBeLessThan(510);
  expect(lines.length + missed()).toBe(700);
});

test("a packet that cannot be shown is counted, and goes its way", () => {
  const { trace, lines, missed } = listening();
  const broken = {
    ...sides,
    mapping: undefined,
    nameOf: () => {
      throw new Error("a defect");
    },
  };
  expect(trace.tell(came("upstream", "/devices/a/config", "{}"), broken)).toBe(1);
  expect([lines.length, missed()]).toEqual([0, 1]);
});

test("a payload is text cut at 4 KiB between characters, or base64", () => {
  const { trace, lines } = listening();
  trace.tell(came("local", "v1/gateway/telemetry", `{"A":[{"ts":1,"values":{"t":"x${"é".repeat(4000)}"}}]}`), sides);
  trace.tell(came("upstream", "/devices/Device%20A/commands/x", new Uint8Array([0xff, 0])), sides);
  const [long, bytes] = lines;
  expect(long?.payload).toMatch(/^\{"A":\[\{"ts":1,"values":\{"t":"xé+$/);
  expect(Buffer.byteLength(long?.payload ?? "")).toBeGreaterThan(4000);
  expect(Buffer.byteLength(long?.payload ?? "")).toBeLessThanOrEqual(4096);
  expect(long).toMatchObject({ cut: true, bytes: 8035 });
  expect(bytes).toMatchObject({ payload: "/wA=", encoding: "base64", bytes: 2 });
  expect(JSON.stringify(lines).length).toBeLessThan(10_000);
});

test("what was not understood names the nearest rule, its line and the first difference", () => {
  const { trace, lines } = listening();
  trace.tell(came("local", "v1/gateway/telemetri", '{"password":"p1"}'), sides);
  trace.tell(came("local", "v1/gateway/telemetry", '{"Device A":[{"ts":1,"values":{"t":1}}],"Device B":5}'), sides);
  expect(lines[0]).toMatchObject({
    payload: '{"password":"•••"}',
    messages: [],
    unread: {
      reason: "no rule has this topic",
      nearest: {
        file: expect.stringContaining("thingsboard.yaml"),
        line: expect.any(Number),
        difference: expect.stringMatching(/^level 3/),
      },
    },
  });
  expect(lines[1]).toMatchObject({
    messages: [{ kind: "telemetry", device: "Device A" }],
    unread: { reason: expect.stringContaining('at "/Device B"') },
  });
});

test("a line stays small, however long the packet and its topic", () => {
  const { trace, lines } = listening();
  const long = "x".repeat(50_000);
  trace.tell(came("local", `v1/gateway/${long}`, long), sides);
  const devices = Object.fromEntries(
    Array.from({ length: 300 }, (_, n) => [`${n}${long.slice(0, 500)}`, [{ values: { n } }]]),
  );
  trace.tell(came("local", "v1/gateway/telemetry", JSON.stringify(devices)), sides);
  expect(lines.map(({ messages }) => messages.length)).toEqual([0, 20]);
  trace.tell(came("local", "v1/devices/me/attributes", JSON.stringify({ password: "p-1", other: [long] })), sides);
  expect(lines[2]).toMatchObject({ payload: '{"password":"•••","other":["•••"', cut: true });
  for (const line of lines) expect(JSON.stringify(line).length).toBeLessThan(40_000);
});

test("secrets are masked in payload, meaning and variables", () => {
  const { trace, lines } = listening();
  trace.tell(came("local", "v1/gateway/claim", '{"Device A":{"secretKey":"k-1"}}'), sides);
  trace.tell(came("local", "v1/devices/me/attributes", '{"MQTT":{"password":"p-1"}}'), sides);
  expect(lines.map(({ payload }) => payload)).toEqual([
    '{"Device A":{"secretKey":"•••"}}',
    '{"MQTT":{"password":"•••"}}',
  ]);
  expect(JSON.stringify(lines)).not.toMatch(/k-1|p-1/);
});
