import { describe, expect, test } from "vitest";
import { maskedJson, maskedMessage, maskedPacket } from "../../src/dialect/mask.ts";
import { vocabulary } from "../../src/dialect/vocabulary.ts";
import type { DeviceId, Direction, JsonText, Message } from "../../src/index.ts";
import { boundNamed } from "./mappings.ts";

const token = "eyJhbGciOiJSUzI1NiJ9.e30.c2ln";

type DialectName = Parameters<typeof boundNamed>[0];

/** A packet as it may be shown after the dialect has read it. */
function shown(name: DialectName, direction: Direction, topic: string, payload: string): string {
  const bound = boundNamed(name);
  const packet = { topic, payload: Buffer.from(payload) };
  const decoded = bound.decode(direction, packet);
  const masked = maskedPacket(packet, {
    dialect: bound.dialect,
    rule: decoded.kind === "unknownTopic" ? undefined : decoded.rule,
    messages: decoded.kind === "messages" ? decoded.messages : [],
  });
  return `${masked.topic} ${Buffer.from(masked.payload).toString()}`;
}

describe("maskedPacket()", () => {
  test.each([
    ["a device's token", `{"authorization":"${token}"}`, '{"authorization":"•••"}'],
    ["a token under a misspelt key", `{"Authorization": "${token}","n":17}`, '{"Authorization": "•••","n":"•••"}'],
    ["a token with escapes", '{"authorization":"a\\u002eb"}', '{"authorization":"•••"}'],
    ["a token that is no JSON", `{ 'authorization' : ${token} }`, "•••"],
    ["nothing", "", ""],
  ])("of an attach masks %s", (_what, payload, wanted) => {
    expect(shown("google", "up", "/devices/sensor-7/attach", payload)).toBe(`/devices/sensor-7/attach ${wanted}`);
  });

  test("of a claim masks the key and keeps the device", () => {
    expect(shown("thingsboard", "up", "v1/gateway/claim", '{"Device A":{"secretKey":"k1","durationMs":5}}')).toBe(
      'v1/gateway/claim {"Device A":{"secretKey":"•••","durationMs":5}}',
    );
  });

  test.each([
    ["up", "v1/devices/me/attributes", '{"MQTT":{"password":"p1","port":1883,"tls":true}}'],
    ["down", "v1/devices/me/attributes", '{"MQTT":{"password":"p1","port":1883,"tls":true}}'],
  ] as const)("masks the gateway's own documents, %s", (direction, topic, payload) => {
    expect(shown("thingsboard", direction, topic, payload)).toBe(
      `${topic} {"MQTT":{"password":"•••","port":"•••","tls":true}}`,
    );
  });

  test.each([
    ["v1/gateway/telemetry", '{"Device A":[{"ts":1,"values":{"t":42,"password":"as any other key"}}]}'],
    ["v1/gateway/attributes", '{"Device A":{"serial":"S-1"}}'],
    ["v1/gateway/connect", '{"device":"Device A","type":"pump"}'],
    ["v1/gateway/telemetry", '{"Device A":"no points"}'],
  ])("leaves devices' data on %s as it came", (topic, payload) => {
    expect(shown("thingsboard", "up", topic, payload)).toBe(`${topic} ${payload}`);
  });

  test("of a packet that no rule reads shows but the shape", () => {
    expect(shown("thingsboard", "up", "provision", '{"key":"k","n":1.5e3,"on":true,"none":null,"list":["a"]}')).toBe(
      'provision {"key":"•••","n":"•••","on":true,"none":null,"list":["•••"]}',
    );
    expect(shown("thingsboard", "up", "provision", "user=a;password=b")).toBe("provision •••");
  });
});

describe("maskedMessage()", () => {
  const device = "Device A" as DeviceId;

  test("masks what the vocabulary calls secret, whatever the kind", () => {
    for (const [kind, words] of Object.entries(vocabulary)) {
      for (const name of "secrets" in words ? (words.secrets as readonly string[]) : []) {
        const masked = maskedMessage({ kind, device, [name]: "s3cret" } as unknown as Message);
        expect(masked).toEqual({ kind, device, [name]: "•••" });
      }
    }
  });

  test("masks documents of the gateway itself, not of devices", () => {
    const values = '{"password":"p1"}' as JsonText;
    expect(maskedMessage({ kind: "state", values })).toEqual({ kind: "state", values: '{"password":"•••"}' });
    const body = Buffer.from("password=p1");
    expect(Buffer.from(maskedMessage({ kind: "config", body }).body ?? []).toString()).toBe("•••");
    const ofDevice: Message = { kind: "state", device, values };
    expect(maskedMessage(ofDevice)).toBe(ofDevice);
  });
});

test("maskedJson() masks pieces that end anywhere", () => {
  const text = '{"a b":"s1","c":["s\\"2",-3.5,true,{"d":null}],"é":"s3"}';
  for (let end = 0; end <= text.length; end++) {
    const masked = maskedJson(text.slice(0, end));
    for (const secret of ["s1", "s\\", '"2', "3.5", "s3"]) expect(masked, `${end}`).not.toContain(secret);
  }
  expect(maskedJson(text)).toBe('{"a b":"•••","c":["•••","•••",true,{"d":null}],"é":"•••"}');
});

test("reasons for what could not be read repeat nothing of packets that may hold secrets", () => {
  const claim = boundNamed("thingsboard").decode("up", {
    topic: "v1/gateway/claim",
    payload: Buffer.from('{"Device A":{"secretKey":["k-1"],"durationMs":"soon"}}'),
  });
  expect(JSON.stringify(claim)).not.toMatch(/k-1|soon/);
  expect(claim).toMatchObject({ kind: "unreadable", reason: expect.stringContaining("•••") });
});
