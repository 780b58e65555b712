import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { pairOf } from "../../../src/bridge/pairing.ts";
import { compileDeployment } from "../../../src/dialect/deployment/compile-deployment.ts";
import type { Deployment } from "../../../src/dialect/deployment/deployment.ts";
import { dialectNamed } from "../../../src/mappings.ts";
import { createTranslator, type Translator } from "../../../src/translate.ts";
import { deploymentOf } from "./compile.ts";

const now = () => 1700000000000;

function translatorOf(from: string, to: string, deployment: Deployment): Translator {
  return createTranslator({ ...pairOf(dialectNamed(from), dialectNamed(to), deployment), now });
}

type Outcome = readonly (string | readonly [string, string])[];

/** What is sent, as topic and payload, and then the fates. */
function up(translator: Translator, topic: string, payload: string): Outcome {
  const { sent, fates } = translator.up({ topic, payload: Buffer.from(payload), qos: 1 });
  return [
    ...sent.map(({ packet }) => [packet.topic, Buffer.from(packet.payload).toString()] as const),
    ...fates.map((fate) => ("reason" in fate ? `${fate.kind}: ${fate.reason}` : fate.kind)),
  ];
}

function down(translator: Translator, topic: string, payload: string): Outcome {
  const { sent } = translator.down({ topic, payload: Buffer.from(payload), qos: 1 });
  return sent.map(({ packet }) => [packet.topic, Buffer.from(packet.payload).toString()] as const);
}

const text = `
names: [{ local: Device A, upstream: boiler-1 }]
rules:
  r: { keys: { t: { to: temperature, factor: 0.1 } } }
  lab: { when: { device: "lab-*" }, drop: all, lossy: lab }
`;

describe("a ThingsBoard gateway in front of ClearBlade", () => {
  const open = (more = "") => translatorOf("thingsboard", "clearblade", deploymentOf(`${text}${more}`));

  test("telemetry, state, configuration, questions and drops", () => {
    const translator = open();
    expect(
      up(
        translator,
        "v1/gateway/telemetry",
        '{"Device A":[{"ts":1,"values":{"t":215,"u":1.0}}],"lab-1":[{"values":{}}]}',
      ),
    ).toEqual([
      ["/devices/boiler-1/attach", "{}"],
      ["/devices/boiler-1/events", '[{"ts":1,"values":{"temperature":21.5,"u":1.0}}]'],
      "dropped: lab",
    ]);
    expect(up(translator, "v1/gateway/attributes", '{"Device A":{"t":1}}')).toEqual([
      ["/devices/boiler-1/state", '{"temperature":0.1}'],
    ]);
    expect(down(translator, "/devices/boiler-1/config", '{"temperature":12.3}')).toEqual([
      ["v1/gateway/attributes", '{"device":"Device A","data":{"t":123}}'],
    ]);
    expect(down(translator, "/devices/boiler-1/config", "{}")).toEqual([
      ["v1/gateway/attributes", '{"device":"Device A","data":{"deleted":["t"]}}'],
    ]);
    expect(up(translator, "v1/gateway/telemetry", '{"Device A":[{"ts":1,"values":{"temperature":1}}]}')).toEqual([
      'quarantined: unrepresentable: the key "temperature" would read back as "t"',
    ]);
  });

  test("what is called like another device upstream waits for an alias, and a stranger gets nothing", () => {
    const translator = open();
    up(translator, "v1/gateway/connect", '{"device":"Device A"}');
    expect(up(translator, "v1/gateway/telemetry", '{"boiler-1":[{"ts":1,"values":{}}]}')).toEqual([
      'held: its id would be "boiler-1", which is that of "Device A": give one of the devices an alias',
    ]);
    expect(down(translator, "/devices/Device%20A/commands", '{"method":"go"}')).toEqual([
      ["v1/gateway/rpc", expect.not.stringContaining('"device":"Device A"')],
    ]);
  });

  test("a shape and folders", () => {
    const translator = open(
      "  alarms: { keys: { alarm: { folder: alarms } } }\ntelemetry: { shape: { at: $ts, ...: $values } }",
    );
    expect(
      up(
        translator,
        "v1/gateway/telemetry",
        '{"x-1":[{"ts":1,"values":{"t":215,"alarm":1}},{"ts":2,"values":{"at":1}}]}',
      ),
    ).toEqual([
      ["/devices/x-1/attach", "{}"],
      ["/devices/x-1/events", '{"at":1,"temperature":21.5}'],
      ["/devices/x-1/events/alarms", '{"at":1,"alarm":1}'],
      "quarantined: unrepresentable",
    ]);
  });
});

describe("an IoT Core gateway in front of ThingsBoard", () => {
  const translator = translatorOf(
    "google",
    "thingsboard",
    deploymentOf(`${text}telemetry: { shape: { at: $ts, v: $values } }`),
  );
  const event = (body: string) => up(translator, "/devices/Device A/events", body);
  const telemetry = (points: string) => [["v1/gateway/telemetry", `{"boiler-1":${points}}`]];

  test("bodies of every form", () => {
    up(translator, "/devices/Device A/attach", "");
    expect(event('{"t":215}')).toEqual(telemetry('[{"ts":1700000000000,"values":{"temperature":21.5}}]'));
    expect(event('[{"ts":1,"values":{"t":1}}]')).toEqual(telemetry('[{"ts":1,"values":{"temperature":0.1}}]'));
    expect(event('{"at":5,"v":{"t":1}}')).toEqual(telemetry('[{"ts":5,"values":{"temperature":0.1}}]'));
    expect(event("21.5")).toEqual(telemetry('[{"ts":1700000000000,"values":{"value":21.5}}]'));
    expect(up(translator, "/devices/Device A/state", '{"t":1}')).toEqual([
      ["v1/gateway/attributes", '{"boiler-1":{"temperature":0.1}}'],
    ]);
  });
});

describe("equal clouds", () => {
  test("ThingsBoard to ThingsBoard: points, attributes, and both ways of asking for them", () => {
    const translator = translatorOf("thingsboard", "thingsboard", deploymentOf(text));
    up(translator, "v1/gateway/connect", '{"device":"Device A"}');
    expect(up(translator, "v1/gateway/telemetry", '{"Device A":[{"ts":1,"values":{"t":215}}]}')).toEqual([
      ["v1/gateway/telemetry", '{"boiler-1":[{"ts":1,"values":{"temperature":21.5}}]}'],
    ]);
    expect(down(translator, "v1/gateway/attributes", '{"device":"boiler-1","data":{"temperature":1}}')).toEqual([
      ["v1/gateway/attributes", '{"device":"Device A","data":{"t":10}}'],
    ]);
    expect(
      up(translator, "v1/gateway/attributes/request", '{"id":1,"device":"Device A","client":false,"key":"t"}'),
    ).toEqual([["v1/gateway/attributes/request", '{"id":1,"device":"boiler-1","client":false,"key":"temperature"}']]);
    expect(down(translator, "v1/gateway/attributes/response", '{"id":1,"device":"boiler-1","value":21.5}')).toEqual([
      ["v1/gateway/attributes/response", '{"id":1,"device":"Device A","value":215}'],
    ]);
  });

  test("IoT Core to IoT Core: JSON bodies are changed, others stay as they are", () => {
    const translator = translatorOf("google", "clearblade", deploymentOf(text));
    up(translator, "/devices/Device A/attach", "");
    expect(up(translator, "/devices/Device A/events/a", '{"t":215}')).toEqual([
      ["/devices/boiler-1/events/a", '{"temperature":21.5}'],
    ]);
    expect(up(translator, "/devices/Device A/events", '{"t":')).toEqual([["/devices/boiler-1/events", '{"t":']]);
    expect(down(translator, "/devices/boiler-1/config", '{"temperature":21.5}')).toEqual([
      ["/devices/Device A/config", '{"t":215}'],
    ]);
  });
});

describe("docs/mapping.yaml", () => {
  const file = new URL("../../../docs/mapping.yaml", import.meta.url);
  const compiled = compileDeployment({ file: "docs/mapping.yaml", text: readFileSync(file, "utf8") });

  test("has no mistakes, and its examples and laws hold", () => {
    expect(compiled).toMatchObject({ deployment: { name: "plant-1", ruleCount: 7, exampleCount: 9 } });
  });

  test("does what its comments say", () => {
    if (!("deployment" in compiled)) throw new Error("mistakes");
    const translator = translatorOf("thingsboard", "clearblade", compiled.deployment);
    up(translator, "v1/gateway/connect", '{"device":"press/A/7","type":"thermostat"}');
    expect(up(translator, "v1/gateway/telemetry", '{"press/A/7":[{"ts":0,"values":{"temp":215,"heap":1}}]}')).toEqual([
      ["/devices/press-A-7/events", '{"time":"1970-01-01T00:00:00.000Z","data":{"temperature":21.5}}'],
    ]);
    const packet = {
      topic: "v1/gateway/attributes",
      payload: Buffer.from('{"press/A/7":{"hum":1,"heap":2}}'),
      qos: 1,
    } as const;
    const { mappedBy } = translator.up(packet);
    expect(mappedBy.map(({ name }) => name)).toEqual(["press/{line}/{unit:digits}", "thermostats", "debugging"]);
  });

  test("and the mapping of docs/mapping.md are right", () => {
    const manual = readFileSync(new URL("../../../docs/mapping.md", import.meta.url), "utf8");
    const [, example = ""] = /```yaml\n([\s\S]*?)```/.exec(manual) ?? [];
    expect(compileDeployment({ file: "docs/mapping.md", text: example })).toMatchObject({
      deployment: { name: "plant-1" },
    });
  });
});
