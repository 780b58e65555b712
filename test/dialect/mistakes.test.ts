import { describe, expect, test } from "vitest";
import { compileDialect, type MappingSource } from "../../src/dialect/compile.ts";
import { verifyDialect } from "../../src/dialect/verify.ts";

const head = `dialect: toy
connection: { credentials: token, protocols: [4] }
traits: { attach: implied, config: changes, state: changes, commands: replied, errors: none, time: payload, body: points, packet: devices }
`;

/** Mistakes of a file that is `head` and then `rest`; `rest` begins in line 4. */
function mistakesIn(rest: string, others: readonly MappingSource[] = []): readonly string[] {
  return mistakesOf("toy", [{ name: "toy", file: "toy.yaml", text: head + rest }, ...others]);
}

function mistakesOf(name: string, sources: readonly MappingSource[]): readonly string[] {
  const compiled = compileDialect(name, sources);
  const mistakes = "mistakes" in compiled ? compiled.mistakes : verifyDialect(compiled.dialect);
  return mistakes.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`);
}

/** One rule for telemetry, with an example unless it is itself the matter. */
function rule(lines: string): string {
  return `messages:\n  telemetry:\n${lines}\nexamples:\n  telemetry: []\n`;
}

describe("a file as a whole", () => {
  test("YAML that cannot be read", () => {
    expect(mistakesIn("messages: [}\n")[0]).toMatch(/^toy\.yaml:4:\d+: Cannot read YAML: /);
  });

  test("a key that stands twice", () => {
    expect(mistakesIn("messages: {}\nmessages: {}\n")).toEqual([
      "toy.yaml:5:1: Cannot read YAML: Map keys must be unique",
    ]);
  });

  test("no map", () => {
    expect(mistakesOf("toy", [{ name: "toy", file: "toy.yaml", text: "- a\n" }])).toEqual([
      'toy.yaml:1:1: The file holds a list, wanted a map that begins with "dialect: toy"',
    ]);
  });

  test("the name of another dialect, missing sections, an unknown key: all at once", () => {
    expect(mistakesOf("toy", [{ name: "toy", file: "toy.yaml", text: "dialect: boy\nmesages: {}\n" }])).toEqual([
      'toy.yaml:1:1: The mapping has no "connection", wanted that section',
      'toy.yaml:1:1: The mapping has no "traits", wanted that section',
      'toy.yaml:1:1: The mapping has no "messages", wanted that section',
      'toy.yaml:1:10: "dialect" is "boy", wanted "toy"',
      'toy.yaml:2:1: Unknown key "mesages" in a mapping file, wanted "dialect", "extends", "describe", "sources", "parameters", "connection", "listener", "prefix", "ids", "traits", "limits", "convert", "messages", "errors", "reconnects", "diagnosis" or "examples"',
    ]);
  });

  test("a dialect that there is not", () => {
    expect(mistakesOf("boy", [{ name: "toy", file: "toy.yaml", text: head }])).toEqual([
      'boy:1:1: There is no dialect "boy", wanted "toy"',
    ]);
  });

  test("extends an unknown mapping", () => {
    expect(mistakesIn("extends: nobody\n", [{ name: "base", file: "base.yaml", text: "" }])).toEqual([
      'toy.yaml:4:10: "extends" is "nobody", wanted "base"',
    ]);
  });

  test("extends in a circle", () => {
    const base = { name: "base", file: "base.yaml", text: "dialect: base\nextends: toy\n" };
    expect(mistakesIn("extends: base\n", [base])).toEqual([
      'base.yaml:2:10: "extends" goes in a circle (toy -> base -> toy), wanted a mapping that does not extend this one',
    ]);
  });
});

describe("rules", () => {
  test("an unknown kind of message", () => {
    expect(mistakesIn("messages:\n  telemetri: { up: t }\n")).toEqual([
      'toy.yaml:5:3: Unknown kind of message "telemetri", wanted "attach", "detach", "telemetry", "state", "attributesRequest", "commandResponse", "claim", "call", "config", "attributesResponse", "command", "error", "removed", "renamed", "detached" or "callResult"',
    ]);
  });

  test("a rule that is no map", () => {
    expect(mistakesIn("messages:\n  attach: v1/gateway/connect\n")).toEqual([
      'toy.yaml:5:11: Found "v1/gateway/connect" for a rule for attach, wanted a map',
    ]);
  });

  test("an unknown key in a rule", () => {
    expect(
      mistakesIn(
        'messages:\n  detach: { up: bye, payload: { device: $device }, retain: true }\nexamples: { detach: [{ topic: bye, payload: \'{"device":"A"}\', means: { device: A } }] }\n',
      ),
    ).toEqual([
      'toy.yaml:5:52: Unknown key "retain" in a rule for detach, wanted "name", "up", "down", "payload", "read", "convert", "qos", "deliver", "subscribe", "grant", "copy" or "source"',
    ]);
  });

  test("a rule without a topic", () => {
    expect(mistakesIn("messages:\n  attach: { payload: { device: $device } }\n")).toEqual([
      'toy.yaml:5:11: A rule for attach without a topic, wanted "up: …"',
    ]);
  });

  test("a message that goes the other way", () => {
    expect(mistakesIn("messages:\n  attach: { down: t, payload: { device: $device } }\n")).toEqual([
      'toy.yaml:5:13: A message of kind attach goes up, wanted "up" instead of "down"',
    ]);
  });

  test("two rules with one name", () => {
    const rest =
      "messages:\n  detach:\n    - { up: 'a/{device}' }\n    - { up: 'b/{device}' }\nexamples: { detach: [{ topic: a/A, means: { device: A } }] }\n";
    expect(mistakesIn(rest)).toEqual([
      'toy.yaml:7:9: A second rule named "detach" (the first is in line 6), wanted a "name" of its own',
    ]);
  });

  test("a rule without an example", () => {
    expect(mistakesIn("messages:\n  detach: { up: 'a/{device}' }\n")).toEqual([
      'toy.yaml:5:13: The rule "detach" has no example, wanted one under "examples: detach:"',
    ]);
  });

  test("a quality of service that MQTT does not have", () => {
    expect(
      mistakesIn(
        "messages:\n  detach: { up: 'a/{device}', qos: 3 }\nexamples: { detach: [{ topic: a/A, means: { device: A } }] }\n",
      ),
    ).toEqual(['toy.yaml:5:36: "qos" is "3", wanted "0" or "1"']);
  });

  test("a required field that stays unbound", () => {
    expect(mistakesIn(rule("    up: t\n    payload: { device: $device, values?: $values }"))).toContain(
      'toy.yaml:6:5: The rule "telemetry" may leave $body or $values unbound, wanted "$body" or "$values" where it must be present',
    );
  });

  test("a required field that one alternative leaves unbound", () => {
    expect(mistakesIn(rule("    up: t\n    payload: { anyOf: [{ a: $values }, { b: $ts }] }"))).toContain(
      'toy.yaml:6:5: The rule "telemetry" may leave $body or $values unbound, wanted "$body" or "$values" where it must be present',
    );
  });

  test("an unknown payload reader", () => {
    expect(mistakesIn(rule("    up: t\n    payload: $values\n    read: xml"))).toContain(
      'toy.yaml:8:11: "read" is "xml", wanted "json", "jsonOrText", "attach", "bytes" or "none"',
    );
  });

  test("a payload reader that does not fit", () => {
    expect(mistakesIn(rule("    up: t\n    payload: $values\n    read: bytes"))).toContain(
      'toy.yaml:8:5: "read: bytes" does not fit the payload, wanted a variable of type bytes, such as "$body"',
    );
    expect(mistakesIn(rule("    up: t\n    payload: $values\n    read: none"))).toContain(
      'toy.yaml:8:5: "read: none" with a payload, wanted none',
    );
    expect(mistakesIn(rule("    up: t\n    read: json"))).toContain(
      'toy.yaml:7:5: "read: json" without a payload, wanted a "payload"',
    );
  });
});

describe("rules that meet", () => {
  const two = (first: string, second: string) =>
    mistakesIn(`messages:\n  state: { up: ${first} }\n  telemetry: { up: ${second} }\n`).filter(
      (text) => !text.includes("has no example"),
    );

  test("one topic for two rules", () => {
    expect(two("t, payload: $values", "t, payload: $values")).toEqual([
      'toy.yaml:6:16: The rule "telemetry" could read the same packets as "state" (line 5), wanted another topic or a literal that tells them apart',
    ]);
  });

  test("bytes on one topic", () => {
    expect(two("'t/{device}', payload: $body", "'t/{device}', payload: $body")).toEqual([
      'toy.yaml:6:16: The rule "telemetry" could read the same packets as "state" (line 5), wanted another topic or a literal that tells them apart',
    ]);
  });

  test("one topic read in two ways", () => {
    expect(two("t, payload: $body", "t, payload: $values")).toEqual([
      'toy.yaml:6:16: The rules "telemetry" and "state" (line 5) share a topic but read it as json and bytes, wanted one reader',
    ]);
  });

  test("topics that cross", () => {
    expect(two("'a/{device}/#x', payload: $body", "t, payload: $body")).toEqual([
      'toy.yaml:5:16: Unusable topic "a/{device}/#x": it holds a wildcard, wanted names in braces such as "{id}"',
    ]);
    expect(two("'{device}/b', payload: $body", "'a/{device}', payload: $body")).toEqual([
      'toy.yaml:6:16: The rule "telemetry" could read the same packets as "state" (line 5), wanted another topic or a literal that tells them apart',
    ]);
  });

  test("open objects that do not exclude each other", () => {
    expect(two("t, payload: { a: $values, ...: ignore }", "t, payload: { b: $values, ...: ignore }")).toHaveLength(1);
  });

  test("a literal tells rules apart, and goes before a variable", () => {
    expect(two("t, payload: { is: s, v: $values }", "t, payload: { is: t, v: $values }")).toEqual([]);
    expect(two("t, payload: { a: $values }", "t, payload: { b: $values }")).toEqual([]);
    expect(two("a/b, payload: $body", "'a/{device}', payload: $body")).toEqual([]);
  });
});

describe("topics", () => {
  const topic = (text: string) =>
    mistakesIn(rule(`    up: ${text}\n    payload: $body`)).filter((line) => line.includes("topic"));

  test("a wildcard", () => {
    expect(topic("a/+/b")).toEqual([
      'toy.yaml:6:9: Unusable topic "a/+/b": it holds a wildcard, wanted names in braces such as "{id}"',
    ]);
  });

  test("text and a name in one level", () => {
    expect(topic("a/x{device}")).toEqual([
      'toy.yaml:6:9: Unusable topic "a/x{device}": the level "x{device}" is neither text nor one name in braces',
    ]);
  });

  test("an unknown name", () => {
    expect(topic("a/{devise}")).toEqual([
      'toy.yaml:6:9: Unusable topic "a/{devise}": unknown name "{devise}", wanted "gateway" or "device"',
    ]);
  });

  test("a name that stands twice", () => {
    expect(topic("'{device}/{device}'")).toEqual([
      'toy.yaml:6:9: Unusable topic "{device}/{device}": "{device}" stands twice, wanted it once',
    ]);
  });

  test("levels that no variable can hold", () => {
    expect(topic("'a{/device*}'")).toEqual([
      'toy.yaml:6:9: Unusable topic "a{/device*}": "{/device*}" is not a variable for several levels, wanted "folder"',
    ]);
  });

  test("a prefix that is not set", () => {
    expect(topic("'{prefix}/a'")).toEqual([
      'toy.yaml:6:9: Unusable topic "{prefix}/a": "{prefix}" is not set, wanted a "prefix" in this file',
    ]);
  });

  test("no text at all", () => {
    expect(topic("[a]")).toEqual(['toy.yaml:6:9: The topic is a list, wanted text such as "v1/gateway/connect"']);
    expect(topic("''")).toEqual(['toy.yaml:6:9: Unusable topic "": it is empty, wanted at least one level']);
  });
});

describe("patterns", () => {
  const pattern = (text: string, more = "") =>
    mistakesIn(rule(`    up: t\n    payload: ${text}${more}`)).filter((line) => !line.includes("has no example"));

  test("an unknown variable for the kind", () => {
    expect(pattern("{ a: $value }")).toEqual([
      'toy.yaml:7:19: Unknown variable "$value" in telemetry, wanted "$device", "$folder", "$body", "$ts" or "$values"',
    ]);
  });

  test("bytes within JSON", () => {
    expect(pattern("{ a: $body }")).toEqual([
      'toy.yaml:7:19: "$body" is bytes and cannot stand in JSON, wanted "convert: { body: base64 }"',
    ]);
    expect(pattern("{ a: $body }", "\n    convert: { body: base64 }")).toEqual([]);
  });

  test("a list of two patterns", () => {
    expect(pattern("[$values, $values]")).toEqual([
      "toy.yaml:7:14: A list of 2 patterns, wanted one, which every element has to match",
    ]);
  });

  test("one alternative", () => {
    expect(pattern("{ anyOf: [$values] }")).toEqual([
      'toy.yaml:7:23: "anyOf" holds a list, wanted a list of two or more patterns',
    ]);
  });

  test("an alternative that is never read", () => {
    expect(pattern("{ anyOf: [$values, { ts: $ts, values: $values }] }")).toEqual([
      'toy.yaml:7:33: Alternative 2 of "anyOf" is never read, for all that it prints fits alternative 1, wanted the narrower one first',
    ]);
  });

  test("an entry for each member beside named members", () => {
    expect(pattern("{ $device: $values, b: 1 }")).toEqual([
      'toy.yaml:7:16: "$device" stands for every member, wanted it alone in its map',
    ]);
  });

  test("an entry for each member named by something that is no text", () => {
    expect(pattern("{ $ts: $values }")).toEqual([
      'toy.yaml:7:16: "$ts" is no text and cannot be a member\'s name, wanted a variable of type text',
    ]);
  });

  test("a repetition in a repetition", () => {
    expect(
      mistakesIn(
        'messages:\n  claim: { up: t, payload: { $device: { $secretKey: $durationMs } } }\nexamples: { claim: [{ topic: t, payload: \'{"A":{"s":1}}\', means: { device: A, secretKey: s, durationMs: 1 } }] }\n',
      ),
    ).toEqual(['toy.yaml:5:39: "$secretKey" stands for every member inside another repetition, wanted one repetition']);
  });

  test("the other members in something that is no object", () => {
    expect(pattern("{ a: $values, ...: $ts }")).toEqual([
      'toy.yaml:7:33: "$ts" is no object and cannot hold the other members, wanted a variable of type object',
    ]);
    expect(pattern("{ a: $values, ...: 5 }")).toEqual([
      'toy.yaml:7:33: "..." holds "5", wanted "ignore" or a variable for the other members',
    ]);
  });

  test("something that is read and cannot be printed", () => {
    expect(pattern("{ a: $values, b: $_ }")).toEqual([
      'toy.yaml:7:31: "$_" would have to be printed but holds nothing, wanted it in an optional member ("key?")',
    ]);
  });

  test("a number that JSON does not know", () => {
    expect(pattern("{ a: $values, b: 0x10 }")).toEqual(['toy.yaml:7:31: The number "0x10" is not written as in JSON']);
  });
});

describe("conversions", () => {
  const convert = (text: string) =>
    mistakesIn(
      `messages:\n  attributesRequest:\n    up: t\n    payload: { id: $id, scope: $scope }\n    convert: ${text}\n`,
    ).filter((line) => !line.includes("has no example"));

  test("an unknown conversion", () => {
    expect(convert("{ id: roman }")).toEqual([
      'toy.yaml:8:20: Unknown conversion "roman", wanted "integer" or "looseInteger"',
    ]);
  });

  test("a conversion for another type", () => {
    expect(convert("{ id: base64 }")).toEqual([
      'toy.yaml:8:20: The conversion "base64" does not fit a variable of type integer, wanted "integer" or "looseInteger"',
    ]);
  });

  test("a conversion for an unknown variable", () => {
    expect(convert("{ idd: integer }")).toEqual([
      'toy.yaml:8:16: Unknown variable "idd", wanted "device", "id", "scope", "key", "keys", "clientKeys" or "sharedKeys"',
    ]);
  });

  test("a table for a number", () => {
    expect(convert("{ id: { a: 1 } }")).toEqual([
      "toy.yaml:8:20: A table of words does not fit a variable of type integer, wanted a variable of type text or scope",
    ]);
  });

  test("a table that cannot be read back", () => {
    expect(convert("{ scope: { client: true, shared: true } }")).toEqual([
      'toy.yaml:8:39: "client" and "shared" are both written as true and cannot be told apart, wanted one text for each',
    ]);
    expect(convert("{ scope: { client: [1], shared: true } }")).toEqual([
      'toy.yaml:8:33: "client" is written as a list, wanted text, a number, true or false',
    ]);
    expect(convert("{ scope: { client: true, ...: shared } }")).toEqual([
      'toy.yaml:8:23: "..." reads as "shared", which the table does not have, wanted "client"',
    ]);
  });

  test("conversions for the whole file", () => {
    expect(mistakesIn("convert: { ids: integer, id: text }\nmessages: {}\n")).toEqual([
      expect.stringMatching(/^toy\.yaml:4:12: Unknown variable "ids", wanted "device", /),
      'toy.yaml:4:30: The conversion "text" does not fit a variable of type integer, wanted "integer" or "looseInteger"',
    ]);
  });
});

describe("settings", () => {
  const settings = (text: string) =>
    mistakesOf("toy", [{ name: "toy", file: "toy.yaml", text: `dialect: toy\nmessages: {}\n${text}` }]);
  const good = head.split("\n").slice(1).join("\n");

  test("connection", () => {
    const traits = head.split("\n")[2];
    expect(
      settings(`connection: { credentials: cookie, protocols: [6], clientId: "a/{x}", keepalive: soon }\n${traits}`),
    ).toEqual([
      'toy.yaml:3:28: "credentials" is "cookie", wanted "token" or "jwt"',
      'toy.yaml:3:47: "protocols" is a list, wanted a list of MQTT levels: 3, 4 or 5, preferred first',
      'toy.yaml:3:62: Unknown name "{x}" in "clientId", wanted "gateway"',
      'toy.yaml:3:82: "keepalive" is "soon", wanted a duration such as "1100ms", "60s" or "15m"',
    ]);
  });

  test("parameters", () => {
    expect(settings(`${good}parameters:\n  device: { describe: A name with a meaning. }\n  project: {}\n`)).toEqual([
      'toy.yaml:6:3: The parameter name "device" has a meaning already, wanted another one',
      'toy.yaml:6:3: The parameter "device" is used nowhere, wanted "{device}" in a topic or in "connection"',
      'toy.yaml:7:3: The parameter "project" is used nowhere, wanted "{project}" in a topic or in "connection"',
      'toy.yaml:7:12: The parameter "project" is not explained, wanted "describe"',
    ]);
  });

  test("traits", () => {
    const [, connection] = head.split("\n");
    expect(
      settings(
        `${connection}\ntraits: { attach: maybe, config: changes, state: changes, commands: replied, errors: none, time: payload }\n`,
      ),
    ).toEqual([
      'toy.yaml:4:9: "traits" does not say "body" or "packet", wanted all of them',
      'toy.yaml:4:19: "attach" is "maybe", wanted "implied" or "required"',
    ]);
  });

  test("ids, limits, errors and reconnects", () => {
    const rest = `ids: { pattern: "[" }\nlimits: { telemetry: much, pace: 2, stateInterval: 5 }\nerrors: { UNKNOWN: { every: 5s } }\nreconnects: { default: { first: 1s } }\n`;
    expect(settings(good + rest)).toEqual([
      'toy.yaml:5:6: "ids" has no "form", wanted "free" or "restricted"',
      'toy.yaml:5:17: "pattern" is "[", wanted a regular expression',
      'toy.yaml:6:22: "telemetry" is "much", wanted a size such as "64KiB" or "256KB"',
      'toy.yaml:6:34: "pace" is "2", wanted a number from 0 to 1',
      'toy.yaml:6:52: "stateInterval" is "5", wanted a duration such as "1100ms", "60s" or "15m"',
      'toy.yaml:7:11: The error "UNKNOWN" has no "action", wanted "hold", "reattach", "reattachSlowly", "quarantine", "forget" or "backoff"',
      'toy.yaml:8:24: The reconnect "default" has no "cap", wanted a duration',
    ]);
  });
});

describe("examples", () => {
  const detach = "messages:\n  detach: { up: 'a/{device}' }\nexamples:\n";

  test("for an unknown rule", () => {
    expect(mistakesIn(`${detach}  detach: [{ topic: a/A, means: { device: A } }]\n  attach: []\n`)).toEqual([
      'toy.yaml:8:3: An example for the unknown rule "attach", wanted "detach"',
    ]);
  });

  test("without its parts", () => {
    expect(mistakesIn(`${detach}  detach: [{ payload: 5 }]\n`)).toEqual([
      'toy.yaml:7:12: An example for "detach" without "topic", wanted the topic of a packet',
      'toy.yaml:7:12: An example for "detach" without "means", wanted the message or the messages',
      'toy.yaml:7:23: "payload" is "5", wanted the text of a payload in quotes',
    ]);
  });

  test("that mean something else", () => {
    expect(mistakesIn(`${detach}  detach: [{ topic: a/A, means: { device: B } }]\n`)).toEqual([
      'toy.yaml:7:12: The example for "detach" means detach { device: "A" }, wanted detach { device: "B" }',
    ]);
  });

  test("that no rule reads", () => {
    expect(mistakesIn(`${detach}  detach: [{ topic: b/A, means: { device: A } }]\n`)).toEqual([
      'toy.yaml:7:12: The example for "detach" cannot be read: no rule has the topic "b/A"',
    ]);
  });

  test("that print otherwise", () => {
    expect(mistakesIn(`${detach}  detach: [{ topic: a/A, payload: "{}", means: { device: A } }]\n`)).toEqual([
      'toy.yaml:7:12: The example for "detach" prints "", wanted "{}"',
    ]);
  });
});

describe("laws", () => {
  test("a rule that nothing is printed by", () => {
    const rest = `messages:
  detach:
    - { up: 'a/{device}' }
    - { name: again, up: 'b/{device}' }
examples:
  detach: [{ topic: a/A, means: { device: A } }]
  again: [{ topic: b/A, means: { device: A } }]
`;
    expect(mistakesIn(rest)).toEqual([
      'toy.yaml:7:22: Nothing is ever printed by the rule "again", wanted a message that no rule before it takes',
      'toy.yaml:10:11: The example for "again" prints on "a/A", wanted "b/A"',
    ]);
  });
});

describe("listener", () => {
  test("what it has to say, and cannot be", () => {
    const rest =
      "listener:\n  protocols: [6]\n  refusals: { login: 5, clientId: 300 }\n  token: { skew: 10m, audience: maybe }\n  qos: 3\n";
    expect(mistakesIn(rest).filter((line) => !line.includes("messages"))).toEqual([
      'toy.yaml:5:14: "protocols" is a list, wanted a list of MQTT levels: 3, 4 or 5, preferred first',
      'toy.yaml:6:15: Unknown key "login" in "refusals", wanted "protocol", "clientId" or "credentials"',
      'toy.yaml:6:35: "clientId" is "300", wanted a number from 1 to 255',
      'toy.yaml:7:10: "token" does not say "lifetime", "grace" or "encoding", wanted all of them',
      'toy.yaml:7:33: "audience" is "maybe", wanted "checked" or "ignored"',
      'toy.yaml:8:8: "qos" is "3", wanted "1" or "2"',
    ]);
    expect(mistakesIn("listener: { qos: 1 }\n").filter((line) => !line.includes("messages"))).toEqual([
      'toy.yaml:4:11: "listener" does not say "protocols" or "token", wanted all of them',
    ]);
  });
});

describe("diagnosis", () => {
  test("causes that do not say enough, stages and causes that are none", () => {
    const rest = `diagnosis:
  causes:
    key: { what: the key is wrong, source: a page }
    ids: { what: it does not exist, remedy: Create it., source: a page }
  symptoms:
    connect: { connack-5: [ids, clock], connack-2: ids }
    hello: {}
`;
    expect(mistakesIn(rest).filter((line) => !line.includes("messages"))).toEqual([
      'toy.yaml:6:5: The cause "key" does not say "remedy", wanted all of them',
      'toy.yaml:9:33: The answer "connack-5" names "clock", wanted one of "causes"',
      'toy.yaml:9:52: The answer "connack-2" holds "ids", wanted a list of causes, likeliest first',
      'toy.yaml:10:5: Unknown stage "hello" in "symptoms", wanted "dial", "connect", "subscribe", "stay", "limits" or "attach"',
    ]);
  });
});
