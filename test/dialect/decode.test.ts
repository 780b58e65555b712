import { describe, expect, test } from "vitest";
import type { Decoded } from "../../src/message/decoded.ts";
import type { Telemetry } from "../../src/message/message.ts";
import { boundNamed } from "./mappings.ts";

const thingsboard = boundNamed("thingsboard");
const google = boundNamed("google");

function up(topic: string, payload: string | Uint8Array): Decoded {
  return thingsboard.decode("up", { topic, payload: typeof payload === "string" ? Buffer.from(payload) : payload });
}

function telemetry(payload: string | Uint8Array): Decoded {
  return up("v1/gateway/telemetry", payload);
}

function messagesOf(decoded: Decoded): readonly object[] {
  return decoded.kind === "messages" ? decoded.messages : [decoded];
}

function valuesIn(payload: string): readonly unknown[] {
  return messagesOf(telemetry(payload)).flatMap(
    (message) => (message as Telemetry).points?.map(({ values }) => values) ?? [],
  );
}

describe("decode() of a packet for many devices", () => {
  test("gives the fine ones and a misfit for each of the rest", () => {
    const decoded = telemetry('{"A":[{"t":1},"x",{"ts":1,"values":null}],"":[{"t":1}],"B/C~D":{"t":1},"E":[7],"F":[]}');
    expect(decoded).toMatchObject({
      kind: "messages",
      messages: [
        { kind: "telemetry", device: "A", points: [{ values: '{"t":1}' }] },
        { kind: "telemetry", device: "F", points: [] },
      ],
      misfits: [
        { path: "/A/1", device: "A", wanted: 'an object with "ts", "values", or an object', got: '"x"' },
        { path: "/A/2/values", device: "A", wanted: "an object", got: "null" },
        { path: "/", wanted: "the name of a device", got: '[{"t":1}]' },
        { path: "/B~1C~0D", device: "B/C~D", wanted: "a list", got: '{"t":1}' },
        { path: "/E/0", device: "E", wanted: 'an object with "ts", "values", or an object', got: "7" },
      ],
    });
  });

  test("is unreadable for its shape when no device is fine", () => {
    expect(telemetry('{"A":["x"],"B":5}')).toMatchObject({
      kind: "unreadable",
      cause: "shape",
      reason: 'Of a wrong shape: at "/A/0" wanted an object with "ts", "values", or an object, got "x"',
      misfits: [{ device: "A" }, { device: "B" }],
    });
    expect(telemetry("{}")).toMatchObject({ kind: "unreadable", cause: "shape", misfits: [{ path: "", got: "{}" }] });
    expect(telemetry("")).toMatchObject({ kind: "unreadable", cause: "shape" });
  });

  test("reads the last of a name that stands twice", () => {
    expect(messagesOf(telemetry('{"A":[{"t":1}],"A":[{"t":2}]}'))).toEqual([
      { kind: "telemetry", device: "A", points: [{ values: '{"t":2}' }] },
    ]);
    expect(valuesIn('{"A":[{"ts":1,"values":{"a":1},"values":{"a":2}}]}')).toEqual(['{"a":2}']);
  });

  test("reads thousands of devices", () => {
    const entries = Array.from({ length: 50_000 }, (_, index) => `"d-${index % 40_000}":[{"t":${index}}]`);
    const messages = messagesOf(telemetry(`{${entries.join(",")}}`));
    expect(messages).toHaveLength(40_000);
    expect(messages.at(-1)).toEqual({ kind: "telemetry", device: "d-9999", points: [{ values: '{"t":49999}' }] });
  });

  test("checks metadata and leaves it out", () => {
    const metadata = '"metadata":{"connector":"c","receivedTs":1,"publishedTs":2,"more":3}';
    expect(valuesIn(`{"A":[{"t":1,${metadata}},{${metadata}},{"ts":1,"values":{"u":1},${metadata}}]}`)).toEqual([
      '{"t":1}',
      "{}",
      '{"u":1}',
    ]);
    for (const wrong of [
      "null",
      '"x"',
      '{"connector":"c","receivedTs":1}',
      '{"connector":null,"receivedTs":1,"publishedTs":2}',
    ]) {
      expect(telemetry(`{"A":[{"t":1,"metadata":${wrong}}]}`)).toMatchObject({ kind: "unreadable", cause: "shape" });
    }
  });
});

describe("decode() keeps JSON exactly", () => {
  test.each([
    ["64-bit integers", '{"n":9223372036854775807,"m":-9223372036854775808,"u":18446744073709551615}'],
    ["long decimals", '{"pi":3.14159265358979323846264338327950288,"e":1.10,"x":1E400,"z":-0.0}'],
    ["the order of keys, those like integers too", '{"b":1,"2":2,"1":3,"a":4}'],
    ["names of the language", '{"__proto__":{"constructor":1},"constructor":2,"toString":3}'],
    ["names that look alike", '{"a":1,"\\u0061":2,"a ":3,"A":4,"é":5,"é":6}'],
    ["escapes and halves of characters", '{"s":"\\ud800\\u0000\\/\\n","\\udfff":"\u{1f600}"}'],
    ["white space", '{ "a" : [ 1 , 2 ] }'],
    ["names that repeat", '{"a":1,"a":2}'],
  ])("%s", (_, values) => {
    expect(valuesIn(`{"A":[{"ts":1,"values":${values}},${values}]}`)).toEqual([values, values]);
  });

  test.each(["__proto__", "constructor", "0", "toString", "é\u{1f600}", "a\u0000b"])("the device %j", (device) => {
    const payload = `{"Z":[{"t":1}],${JSON.stringify(device)}:[{"t":2}]}`;
    expect(messagesOf(telemetry(payload))).toEqual([
      { kind: "telemetry", device: "Z", points: [{ values: '{"t":1}' }] },
      { kind: "telemetry", device, points: [{ values: '{"t":2}' }] },
    ]);
  });

  test("a half of a character in a name", () => {
    const [message] = messagesOf(telemetry('{"\\ud800":[{"t":2}]}'));
    expect(message).toMatchObject({ device: "\ud800" });
    const encoded = thingsboard.encode(message as Telemetry);
    expect(encoded.kind === "packet" && Buffer.from(encoded.packet.payload).toString()).toBe('{"\\ud800":[{"t":2}]}');
  });
});

describe("decode() of what is not JSON", () => {
  test.each([
    ["a missing bracket", '{"A":[{"t":1}', 'Not JSON: wanted "," or "]" at character 14'],
    ["text", "hello", "Not JSON: wanted a JSON value at character 1"],
    ["two values", '{"A":[]}{"B":[]}', "Not JSON: text after the end of the value at character 9"],
  ])("%s is unreadable for its syntax", (_, payload, reason) => {
    expect(telemetry(payload)).toMatchObject({ kind: "unreadable", cause: "syntax", reason, misfits: [] });
  });

  test("bytes that are not UTF-8", () => {
    const payload = Buffer.concat([Buffer.from('{"A":[{"t":"'), Buffer.from([0xff]), Buffer.from('"}]}')]);
    expect(telemetry(payload)).toMatchObject({
      kind: "unreadable",
      cause: "syntax",
      reason: "Not JSON: not UTF-8 at character 1",
    });
    expect(valuesIn('{"A":[{"t":"\ufffd"}]}')).toEqual(['{"t":"\ufffd"}']);
  });

  test("nesting without end", () => {
    for (const open of ["[", '{"a":']) {
      const deep = open.repeat(100_000);
      expect(telemetry(`{"A":[{"t":${deep}`)).toMatchObject({ kind: "unreadable", cause: "syntax" });
      const close = open === "[" ? "]" : "}";
      const whole = `{"A":[{"t":${deep}1${close.repeat(100_000)}}]}`;
      expect(telemetry(whole)).toMatchObject({
        kind: "unreadable",
        cause: "syntax",
        reason: expect.stringContaining("nested deeper"),
      });
    }
  });

  test("JSON5 goes on as strict JSON, with every digit", () => {
    expect(
      valuesIn("{A:[{ts:1, values:{n:12345678901234567890, h:0xFFFFFFFFFFFFFFFFFF, d:.5, e:5., p:+1, q:-.5e3,},},],}"),
    ).toEqual(['{"n":12345678901234567890,"h":4722366482869645213695,"d":0.5,"e":5,"p":1,"q":-0.5e3}']);
    expect(valuesIn("{'A':[{'it\\'s':'a\"b\\x41\\\nc', '2':1, \"1\":2, __proto__:3}] /* end */} // end")).toEqual([
      '{"it\'s":"a\\"bAc","2":1,"1":2,"__proto__":3}',
    ]);
    expect(valuesIn("{A:[{a:NaN,b:-Infinity,c:+Infinity,NaN:null,Infinity:true}]}")).toEqual([
      '{"a":"NaN","b":"-Infinity","c":"Infinity","NaN":null,"Infinity":true}',
    ]);
    expect(valuesIn('\ufeff{"A":[{"\\u0061":1,},]}')).toEqual(['{"a":1}']);
    expect(valuesIn("{A:[{\\u0061b:1,a:2,a:3}]}")).toEqual(['{"ab":1,"a":2,"a":3}']);
  });

  test("a large text is not tried as JSON5", () => {
    expect(telemetry(`{A:[${" ".repeat(300_000)}]}`)).toMatchObject({ kind: "unreadable", cause: "syntax" });
  });
});

describe("decode() of topics", () => {
  test("a topic of the other direction is unknown", () => {
    expect(google.decode("up", { topic: "/devices/sensor-7/config", payload: new Uint8Array() })).toEqual({
      kind: "unknownTopic",
      topic: "/devices/sensor-7/config",
    });
  });

  test.each([
    "/devices/sensor-7/events/",
    "/devices/sensor-7/events//a",
    "/devices/sensor-7/events/a/",
    "/devices//events",
    "devices/sensor-7/events",
    "/devices/sensor-7/state/fw",
    "/devices/sensor-7",
    "",
  ])("%j is unknown", (topic) => {
    expect(google.decode("up", { topic, payload: new Uint8Array() })).toEqual({ kind: "unknownTopic", topic });
  });

  test("the gateway's own id reads as absent", () => {
    const payload = Buffer.from("x");
    expect(messagesOf(google.decode("up", { topic: "/devices/gw-01/state", payload }))).toEqual([
      { kind: "state", body: payload },
    ]);
    const again = google.decode("up", { topic: "/devices/gw-01/state", payload });
    expect(messagesOf(again)).toEqual([{ kind: "state", body: payload }]);
  });

  test("an id that is no number is a wrong shape", () => {
    expect(up("v1/devices/me/rpc/request/abc", '{"method":"m"}')).toMatchObject({
      kind: "unreadable",
      cause: "shape",
      misfits: [{ path: "", wanted: "an integer for id in the topic", got: "abc" }],
    });
    expect(up("v1/devices/me/rpc/request/99999999999999999", '{"method":"m"}')).toMatchObject({ kind: "unreadable" });
    expect(messagesOf(up("v1/devices/me/rpc/request/007", '{"method":"m"}'))).toEqual([
      { kind: "call", id: 7, method: "m" },
    ]);
  });

  test("many topics do not stay in memory", () => {
    for (let index = 0; index < 10_000; index++) {
      const topic = `/devices/d-${index}/events/${index % 3 === 0 ? "a/b" : "c"}`;
      expect(google.decode("up", { topic, payload: new Uint8Array() })).toMatchObject({
        messages: [{ device: `d-${index}` }],
      });
    }
  });
});

describe("decode() of rules that share a topic", () => {
  const request = (payload: string) =>
    thingsboard.decode("down", { topic: "v1/devices/me/rpc/request/3", payload: Buffer.from(payload) });

  test("a literal goes before a variable", () => {
    expect(messagesOf(request('{"method":"gateway_device_deleted","params":"A"}'))).toEqual([
      { kind: "removed", device: "A", id: 3 },
    ]);
    expect(messagesOf(request('{"method":"gateway_device_renamed","params":{"A":"B","C":"D"}}'))).toEqual([
      { kind: "renamed", device: "A", name: "B", id: 3 },
      { kind: "renamed", device: "C", name: "D", id: 3 },
    ]);
    expect(messagesOf(request('{"method":"reboot","params":null}'))).toEqual([
      { kind: "command", id: 3, method: "reboot", params: "null" },
    ]);
  });

  test("the chosen rule stays chosen when the rest does not fit", () => {
    expect(request('{"method":"gateway_device_deleted","params":{}}')).toMatchObject({
      kind: "unreadable",
      rule: { name: "removed" },
    });
  });
});

describe("decode() of control fields that ThingsBoard reads loosely", () => {
  test.each([
    ["a name that is a number", "v1/gateway/connect", '{"device":12.50}', { kind: "attach", device: "12.50" }],
    [
      "a list of one",
      "v1/gateway/attributes/request",
      '{"id":[5],"device":["A"],"client":[true],"key":["k"]}',
      { kind: "attributesRequest", device: "A", id: 5, scope: "client", key: "k" },
    ],
    [
      "decimals in an id",
      "v1/gateway/attributes/request",
      '{"id":5.7,"device":"A","client":1,"keys":["a",2]}',
      { kind: "attributesRequest", device: "A", id: 5, scope: "shared", keys: ["a", "2"] },
    ],
    ["null for nothing", "v1/gateway/claim", '{"A":{"secretKey":null}}', { kind: "claim", device: "A" }],
    [
      "null as data",
      "v1/gateway/rpc",
      '{"device":"A","id":0,"data":null}',
      { kind: "commandResponse", device: "A", id: 0, data: "null" },
    ],
    [
      "empty key lists",
      "v1/devices/me/attributes/request/3",
      '{"clientKeys":"","sharedKeys":null}',
      { kind: "attributesRequest", id: 3, clientKeys: [] },
    ],
    [
      "text as an answer of the gateway",
      "v1/devices/me/rpc/response/3",
      "{oops",
      { kind: "commandResponse", id: 3, data: '"{oops"' },
    ],
  ])("%s", (_, topic, payload, message) => {
    expect(messagesOf(up(topic, payload))).toEqual([message]);
  });

  test.each([
    ["null for a name", "v1/gateway/connect", '{"device":null}'],
    ["an empty name", "v1/gateway/connect", '{"device":""}'],
    ["null for a scope", "v1/gateway/attributes/request", '{"id":1,"device":"A","client":null,"key":"a"}'],
    ["two names for one", "v1/gateway/attributes/request", '{"id":1,"device":"A","client":true,"key":["a","b"]}'],
    ["a time that is null", "v1/gateway/telemetry", '{"A":[{"ts":null,"values":{}}]}'],
    ["an id beyond what can be counted", "v1/gateway/rpc", '{"device":"A","id":1e30,"data":1}'],
  ])("not %s", (_, topic, payload) => {
    expect(up(topic, payload)).toMatchObject({ kind: "unreadable", cause: "shape" });
  });

  test("times as text, and cut to whole milliseconds", () => {
    const [message] = messagesOf(
      telemetry('{"A":[{"ts":"1483228800000.9","values":{}},{"ts":1.4832288e12,"values":{}},{"ts":-5,"values":{}}]}'),
    );
    expect((message as Telemetry).points?.map(({ ts }) => ts)).toEqual([1483228800000, 1483228800000, -5]);
  });
});

describe("decode() of an attach", () => {
  const attach = (payload: string) =>
    messagesOf(google.decode("up", { topic: "/devices/sensor-7/attach", payload: Buffer.from(payload) }));

  test.each([
    "",
    "{}",
    '{"authorization" : ""}',
    '{"authorization":null}',
    "null",
    "[1]",
    '"x"',
    "whatever",
    '{"authorization":5}',
  ])("%j has no token", (payload) => {
    expect(attach(payload)).toEqual([{ kind: "attach", device: "sensor-7" }]);
  });

  test.each([
    '{"authorization":"a.b-c_d"}',
    "{ 'authorization' : a.b-c_d }",
    "{authorization:'a.b-c_d'}",
    '{"authorization":"a.b-c_d","x":1}',
  ])("%j has one", (payload) => {
    expect(attach(payload)).toEqual([{ kind: "attach", device: "sensor-7", token: "a.b-c_d" }]);
  });
});
