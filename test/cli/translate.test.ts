import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runProgram } from "../../src/cli/program.ts";
import { openPlant } from "../bridge/harness.ts";
import { testIo } from "./test-io.ts";

const both = ["--from", "thingsboard", "--to", "clearblade"];
const telemetry = '{"Device A":[{"ts":1483228800000,"values":{"temperature":42,"humidity":80}}]}';
const body = '[{"ts":1483228800000,"values":{"temperature":42,"humidity":80}}]';

/** Runs `dragoman translate`; its JSON lines, its diagnostics and its exit code. */
async function translate(args: readonly string[], stdin?: string) {
  const io = testIo(stdin === undefined ? {} : { stdin });
  const code = await runProgram(["translate", ...args], io);
  const lines = io
    .out()
    .split("\n")
    .filter((line) => line !== "");
  return { code, packets: lines.map((line) => JSON.parse(line) as Record<string, unknown>), err: io.err() };
}

describe("dragoman translate, in front of ThingsBoard", () => {
  const sides = ["--from", "google", "--to", "thingsboard"];

  test.each([
    ['{"t":1}', '{"t":1}'],
    ["5", '{"value":5}'],
    ["text", '{"raw":"dGV4dA=="}'],
  ])("prints the telemetry %s as a point, after the connect", async (payload, values) => {
    const { code, packets } = await translate([...sides, "/devices/sensor-7/events", payload]);
    expect(code).toBe(0);
    expect(packets[0]).toEqual({ topic: "v1/gateway/connect", qos: 1, payload: '{"device":"sensor-7"}' });
    expect(packets[1]?.["topic"]).toBe("v1/gateway/telemetry");
    expect(String(packets[1]?.["payload"]).replace(/"ts":\d+/, '"ts":1')).toBe(
      `{"sensor-7":[{"ts":1,"values":${values}}]}`,
    );
  });

  test.each([
    ["/devices/sensor-7/state", '{"on":true}', "v1/gateway/attributes", '{"sensor-7":{"on":true}}'],
    ["/devices/gateway/state", '{"on":true}', "v1/devices/me/attributes", '{"on":true}'],
    [
      "/devices/sensor-7/events",
      '[{"ts":1,"values":{"a":12345678901234567890}}]',
      "v1/gateway/telemetry",
      '{"sensor-7":[{"ts":1,"values":{"a":12345678901234567890}}]}',
    ],
  ])("prints what is published to %s for an attached device", async (topic, payload, upstream, printed) => {
    const { packets } = await translate([...sides, "--device-attached", "sensor-7", "--", topic, payload]);
    expect(packets).toEqual([{ topic: upstream, qos: 1, payload: printed }]);
  });

  test.each([
    ["v1/gateway/attributes", '{"device":"sensor-7","data":{"a":1}}', "/devices/sensor-7/config", '{"a":1}'],
    [
      "v1/gateway/rpc",
      '{"device":"sensor-7","data":{"id":1,"method":"led.set","params":{"on":true}}}',
      "/devices/sensor-7/commands/led/set",
      '{"on":true}',
    ],
    ["v1/devices/me/rpc/request/4", '{"method":"reboot","params":{}}', "/devices/gateway/commands/reboot", "{}"],
  ])("prints what a packet on %s is for the gateway", async (topic, payload, local, printed) => {
    const { packets } = await translate([...sides, "--down", "--device-attached", "sensor-7", "--", topic, payload]);
    expect(packets).toEqual([{ topic: local, qos: 1, payload: printed }]);
  });

  test("prints the error that a removed device is to the gateway", async () => {
    const told = '{"method":"gateway_device_deleted","params":"sensor-7"}';
    const { packets } = await translate(
      [...sides, "--down", "--device-attached", "sensor-7", "--", "v1/devices/me/rpc/request/4"].concat(told),
    );
    expect(packets).toEqual([
      { topic: "/devices/gateway/errors", qos: 0, payload: expect.stringContaining("GATEWAY_DETACHMENT_DEVICE_ERROR") },
    ]);
  });
});

describe("dragoman translate, of the gateway's packets", () => {
  test("prints the attach and the telemetry", async () => {
    expect(await translate([...both, "v1/gateway/telemetry", telemetry])).toEqual({
      ...{ code: 0, err: "" },
      packets: [
        { topic: "/devices/Device%20A/attach", qos: 1, payload: "{}" },
        { topic: "/devices/Device%20A/events", qos: 1, payload: body },
      ],
    });
  });

  test("leaves the attach out for devices named as attached", async () => {
    const { packets } = await translate([...both, "v1/gateway/telemetry", telemetry, "--device-attached", "Device A"]);
    expect(packets).toEqual([{ topic: "/devices/Device%20A/events", qos: 1, payload: body }]);
    const before = await translate([...both, "--device-attached", "Device A", "v1/gateway/telemetry", telemetry]);
    expect(before).toEqual({ code: 0, err: "", packets });
    const two = await translate(
      [...both, "--device-attached", "Device A", "--device-attached", "b 2", "--", "v1/gateway/telemetry"].concat(
        '{"Device A":[{"ts":1,"values":{"t":1}}],"b 2":[{"ts":1,"values":{"t":1}}]}',
      ),
    );
    expect(two.packets.map(({ topic }) => topic)).toEqual(["/devices/Device%20A/events", "/devices/b%202/events"]);
  });

  test.each([
    ["google", "/devices/Device%20A"],
    ["clearblade", "/devices/Device%20A"],
    ["omnicore", "/registry/Device%20A"],
  ])("to %s uses its topics, with parameters standing as their names", async (dialect, base) => {
    const { packets } = await translate(["--from", "thingsboard", "--to", dialect, "v1/gateway/telemetry", telemetry]);
    expect(packets.map(({ topic }) => topic)).toEqual([`${base}/attach`, `${base}/events`]);
  });

  test("of the gateway itself needs no attach", async () => {
    const { packets } = await translate([...both, "v1/devices/me/attributes", '{"cpuCount":2}']);
    expect(packets).toEqual([{ topic: "/devices/gateway/state", qos: 1, payload: '{"cpuCount":2}' }]);
  });

  test("reads JSON lines on stdin, one world for all of them", async () => {
    const lines = [
      { topic: "v1/gateway/connect", payload: '{"device":"Device A"}' },
      { topic: "v1/gateway/attributes", payload: '{"Device A":{"a":1}}', qos: 0 },
      { topic: "v1/gateway/attributes", payload: '{"Device A":{"b":2}}' },
      { topic: "v1/gateway/telemetry", payload64: Buffer.from(telemetry).toString("base64") },
      { topic: "v1/gateway/disconnect", payload: '{"device":"Device A"}' },
    ];
    const stdin = `${lines.map((line) => JSON.stringify(line)).join("\n")}\n\n`;
    expect(await translate(both, stdin)).toEqual({
      ...{ code: 0, err: "" },
      packets: [
        { topic: "/devices/Device%20A/attach", qos: 1, payload: "{}" },
        { topic: "/devices/Device%20A/state", qos: 1, payload: '{"a":1}' },
        { topic: "/devices/Device%20A/state", qos: 1, payload: '{"a":1,"b":2}' },
        { topic: "/devices/Device%20A/events", qos: 1, payload: body },
        { topic: "/devices/Device%20A/detach", qos: 1, payload: "" },
      ],
    });
  });

  test.each([
    ["what cannot be read", ["v1/gateway/telemetry", "{"], /not understood: /],
    ["what is only partly fine", ["v1/gateway/telemetry", '{"a 1":[{"ts":1,"values":{}}],"b":1}'], /wanted/],
    ["what can have no id", ["v1/gateway/connect", JSON.stringify({ device: "n".repeat(300) })], /alias/],
  ])("exits 1 for %s, and says why in one line", async (_what, packet, why) => {
    const { code, err } = await translate([...both, ...packet]);
    expect(code).toBe(1);
    expect(err).toMatch(why);
    expect(err.trim().split("\n")).toHaveLength(1);
  });

  test.each([
    ["unknownTopic, no rule of the dialect has this topic", "sensors/1", "{}"],
    ["empty", "v1/gateway/telemetry", '{"A":[]}'],
    ["unsupported", "v1/gateway/claim", '{"A":{"secretKey":"s"}}'],
    ["withheld", "v1/devices/me/attributes", '{"general_configuration":{}}'],
    ["unmatched", "v1/gateway/rpc", '{"device":"A","id":1,"data":1}'],
  ])("exits 0 for what a rule lets go as %s, and says so", async (reason, topic, payload) => {
    expect(await translate([...both, topic, payload])).toEqual({
      ...{ code: 0, packets: [] },
      err: `dragoman: "${topic}": dropped: ${reason}\n`,
    });
  });

  test("--explain adds which rule read it, at its line, the variables, and which rule printed it", async () => {
    const { packets } = await translate([...both, "--explain", "v1/gateway/telemetry", telemetry]);
    expect(packets.at(-1)).toMatchObject({
      topic: "/devices/Device%20A/events",
      explain: {
        read: { rule: { file: expect.stringContaining("thingsboard.yaml"), line: expect.any(Number) } },
        printedBy: { name: "telemetry", file: expect.stringContaining("google.yaml"), line: expect.any(Number) },
      },
    });
    expect(JSON.stringify(packets.at(-1))).toContain("1483228800000");
  });

  test("--explain of a packet that nothing fits names the near misses", async () => {
    const { code, packets } = await translate([...both, "--explain", "v1/gateway/telemetri", telemetry]);
    expect(code).toBe(0);
    expect(packets).toHaveLength(1);
    expect(JSON.stringify(packets[0])).toContain("v1/gateway/telemetry");
  });
});

describe("dragoman translate --down, of the cloud's packets", () => {
  test.each([
    [
      "a configuration",
      ["/devices/Device%20A/config", '{"interval":30}'],
      [{ topic: "v1/gateway/attributes", qos: 1, payload: '{"device":"Device A","data":{"interval":30}}' }],
    ],
    ["an empty configuration", ["/devices/Device%20A/config", ""], []],
    [
      "a command in a folder",
      ["/devices/Device%20A/commands/led/set", '{"on":true}'],
      [
        {
          ...{ topic: "v1/gateway/rpc", qos: 1 },
          payload: '{"device":"Device A","data":{"id":1,"method":"led.set","params":{"on":true}}}',
        },
      ],
    ],
  ])("prints what the gateway gets for %s", async (_what, packet, packets) => {
    expect(await translate([...both, "--down", ...packet])).toEqual({ code: 0, err: "", packets });
  });

  test("compares configurations with those before", async () => {
    const lines = ['{"a":1,"b":2}', '{"a":1}', '{"a":1}'].map((payload) =>
      JSON.stringify({ topic: "/devices/pump-2/config", payload }),
    );
    const { packets } = await translate([...both, "--down"], lines.join("\n"));
    expect(packets.map(({ payload }) => payload)).toEqual([
      '{"device":"pump-2","data":{"a":1,"b":2}}',
      '{"device":"pump-2","data":{"deleted":["b"]}}',
    ]);
  });

  test("says so of a topic that is not the cloud's", async () => {
    const { code, packets, err } = await translate([...both, "--down", "v1/gateway/rpc", "{}"]);
    expect([code, packets]).toEqual([0, []]);
    expect(err).toBe('dragoman: "v1/gateway/rpc": dropped: unknownTopic, no rule of the dialect has this topic\n');
  });
});

describe("dragoman translate --config", () => {
  test("takes dialects, parameters and rules from the file", async () => {
    const plant = await openPlant({
      ...{ dialect: "omnicore", gateways: ["gw-01", "gw-02"] },
      rules: { telemetry: { shape: "flat" } },
    });
    const config = ["--config", plant.configFile];
    const { code, packets } = await translate([...config, "v1/gateway/telemetry", telemetry]);
    expect([code, packets]).toEqual([
      0,
      [
        { topic: "/plant-1/Device%20A/attach", qos: 1, payload: "{}" },
        {
          ...{ topic: "/plant-1/Device%20A/events", qos: 1 },
          payload: '{"ts":1483228800000,"temperature":42,"humidity":80}',
        },
      ],
    ]);
    const own = await translate([...config, "--gateway", "gw-02", "v1/devices/me/attributes", '{"a":1}']);
    expect(own.packets.map(({ topic }) => topic)).toEqual(["/plant-1/gw-02/state"]);
  });

  test("exits 2 for a gateway or a dialect that is not in it, and for its mistakes", async () => {
    const plant = await openPlant();
    const config = ["--config", plant.configFile];
    const unknown = await translate([...config, "--gateway", "gw-9", "x", "y"]);
    expect([unknown.code, unknown.err]).toEqual([
      2,
      `dragoman: Cannot find gateway "gw-9" in "${plant.configFile}": wanted one of "gw-01"\n`,
    ]);
    expect((await translate([...config, "--to", "google", "x", "y"])).code).toBe(2);
    plant.configure({ upstream: { settle: "soon" } });
    const wrong = await translate([...config, "x", "y"]);
    expect(wrong.code).toBe(2);
    expect(wrong.err).toMatch(new RegExp(`^${plant.configFile}:1:\\d+: [^\\n]+\\n$`));
  });
});

describe("dragoman translate exits 2", () => {
  test.each([
    [
      "without dialects",
      ["x", "y"],
      "Cannot translate without --from: wanted one of clearblade, google, omnicore, thingsboard",
    ],
    ["for an unknown dialect", ["--from", "thingsbord", "--to", "google", "x"], 'Cannot find dialect "thingsbord"'],
    ["for an unknown option", [...both, "--upside", "x"], "unknown option '--upside'"],
  ])("%s", async (_what, args, message) => {
    const { code, packets, err } = await translate(args);
    expect([code, packets]).toEqual([2, []]);
    expect(err).toContain(message);
  });

  test.each([
    ["not JSON", "nonsense"],
    ["no topic", '{"payload":"x"}'],
    ["a payload that is no text", '{"topic":"a","payload":{}}'],
    ["a QoS that there is not", '{"topic":"a","payload":"","qos":3}'],
    ["not an object", "null"],
  ])("for a line on stdin with %s, naming the line", async (_what, line) => {
    const { code, err } = await translate(
      both,
      `{"topic":"v1/gateway/connect","payload":"{\\"device\\":\\"A 1\\"}"}\n${line}\n`,
    );
    expect(code).toBe(2);
    expect(err).toMatch(/^dragoman: Cannot read line 2 of stdin: [^\n]+\n$/);
  });
});

test("--explain names the lines of the deployment's own mapping", async () => {
  const plant = await openPlant({ mapping: "plant.yaml" });
  const rules = "rules:\n  heat: { keys: { temperature: t } }\n  noise: { drop: [debug], lossy: noise }\n";
  writeFileSync(
    join(plant.folder, "plant.yaml"),
    `mapping: plant\nnames: [{ local: Device A, upstream: boiler }]\n${rules}`,
  );
  const config = ["--config", plant.configFile, "--explain"];
  const file = join(plant.folder, "plant.yaml");
  const name = { name: "Device A", file, line: 2 };
  const heat = { name: "heat", file, line: 4 };
  const up = await translate([...config, "--device-attached", "Device A", "--", "v1/gateway/telemetry", telemetry]);
  expect(up.packets).toMatchObject([{ topic: "/devices/boiler/events", explain: { mappedBy: [name, heat] } }]);
  const down = await translate([...config, "--down", "/devices/boiler/config", '{"t":1}']);
  expect(down.packets).toMatchObject([{ payload: '{"device":"Device A","data":{"temperature":1}}' }]);
  expect(down.packets).toMatchObject([{ explain: { mappedBy: [name, heat] } }]);
  const dropped = await translate([...config, "v1/gateway/attributes", '{"x":{"debug":1}}']);
  expect(dropped).toMatchObject({
    ...{ code: 0, err: 'dragoman: "v1/gateway/attributes": dropped: noise\n' },
    packets: [{ explain: { mappedBy: [{ name: "noise", file, line: 5 }] } }],
  });
});
