import { describe, expect, test } from "vitest";
import { mistakesIn } from "./compile.ts";

/** A rule `r` with these lines, at line 3. */
function rule(...lines: readonly string[]): string {
  return ["mapping: plant", "rules:", "  r:", ...lines.map((line) => `    ${line}`)].join("\n");
}

function names(...lines: readonly string[]): string {
  return ["mapping: plant", "names:", ...lines.map((line) => `  - ${line}`)].join("\n");
}

function example(...lines: readonly string[]): string {
  return `mapping: plant\nrules:\n  r: { keys: { a: b } }\nexamples:\n  - ${lines.join("\n    ")}`;
}

const oneOfKinds = '"telemetry", "state" or "config"';

describe("compileDeployment() names each mistake and its place", () => {
  test.each<readonly [string, string, readonly string[]]>([
    ["no map", "- 1", ['1:1: The file holds a list, wanted a map that begins with "mapping: NAME"']],
    [
      "an unknown section",
      "mapping: plant\nrule: {}",
      [
        '2:1: Unknown key "rule" in a mapping file, wanted "mapping", "describe", "names", "rules", "telemetry", "config" or "examples"',
      ],
    ],
    ["no name", "rules: {}", ['1:1: The file does not say what it is, wanted "mapping: NAME"']],
    [
      "names that are no list",
      "mapping: p\nnames: {}",
      ['2:8: "names" holds a map, wanted a list of { local, upstream }'],
    ],
    ["half a name", names("{ local: a }"), ['3:5: A name without "upstream", wanted { local, upstream }']],
    [
      "a variable on one side",
      names('{ local: "p/{x}", upstream: "{x}-{y}" }'),
      ['3:14: "p/{x}" has no "{y}", which is in "{x}-{y}", wanted the same variables in both'],
    ],
    [
      "variables side by side",
      names('{ local: "{x}{y}", upstream: "{x}-{y}" }'),
      ['3:14: "{x}{y}" has nothing between "{x}" and "{y}", wanted text that tells them apart'],
    ],
    [
      "a variable twice",
      names('{ local: "{x}/{x}", upstream: "{x}" }'),
      ['3:14: "{x}/{x}" has "{x}" twice, wanted each variable once'],
    ],
    [
      "no variable",
      names('{ local: "{x y}", upstream: a }'),
      ['3:14: "{x y}" has "{x y}", wanted a variable such as "{line}" or "{line:digits}"'],
    ],
    [
      "an unknown class",
      names('{ local: "{x:hex}", upstream: "{x}" }'),
      ['3:14: "{x:hex}" has the unknown class "hex", wanted "digits" or "word"'],
    ],
    ["a lone brace", names('{ local: "a}", upstream: a }'), ['3:14: "a}" has a lone "}", wanted "}}" for a brace']],
    [
      "two aliases that meet",
      names("{ local: a, upstream: x }", "{ local: b, upstream: x }"),
      ['4:5: "b" and "a" (line 3) can both be called "x" upstream, wanted names that tell them apart'],
    ],
    [
      "two aliases of one name",
      names("{ local: a, upstream: x }", "{ local: a, upstream: y }"),
      ['4:5: A second name for "a" (the first is in line 3), wanted one'],
    ],
    [
      "two patterns that meet",
      names('{ local: "a/{x}", upstream: "{x}-1" }', '{ local: "b/{y}", upstream: "k-{y}" }'),
      ['4:5: "b/{y}" and "a/{x}" (line 3) can both be called "k-1" upstream, wanted names that tell them apart'],
    ],
    ["rules that are no map", "mapping: p\nrules: []", ['2:8: "rules" holds a list, wanted a map from names to rules']],
    [
      "an unknown line",
      rule("key: {}"),
      [
        '3:3: The rule "r" does nothing, wanted "keys", "drop" or "folder"',
        '4:5: Unknown key "key" in the rule "r", wanted "when", "of", "keys", "drop", "folder" or "lossy"',
      ],
    ],
    [
      "a name that is a reason",
      "mapping: p\nrules:\n  full: { keys: { a: b } }",
      ['3:3: "full" is a reason of its own in the ledger, wanted another name for the rule'],
    ],
    [
      "a name with blanks",
      "mapping: p\nrules:\n  my rule: { keys: { a: b } }",
      ['3:3: The rule "my rule" cannot be a name in the ledger, wanted letters, digits, "_" and "-"'],
    ],
    [
      "an empty condition",
      rule("when: {}", "keys: { a: b }"),
      ['4:11: "when" is empty, wanted "device", "profile" or both'],
    ],
    [
      "a condition that is no name",
      rule("when: { device: {} }", "keys: { a: b }"),
      ['4:21: "device" is a map, wanted a name, in which "*" stands for anything, or a list of names'],
    ],
    [
      "an unknown kind",
      rule("of: [telemetry, attach]", "keys: { a: b }"),
      [`4:21: "of" is "attach", wanted ${oneOfKinds}`],
    ],
    ["no kinds", rule("of: []", "keys: { a: b }"), [`4:9: "of" is an empty list, wanted ${oneOfKinds}`]],
    [
      "keys that are no map",
      rule("keys: [a]"),
      ['4:11: "keys" holds a list, wanted a map from keys to what they become'],
    ],
    [
      "a key that becomes a number",
      rule("keys: { a: 1 }"),
      ['4:16: "a" becomes "1", wanted another key or { to, factor, offset, folder }'],
    ],
    [
      "a key that becomes nothing",
      rule("keys: { a: {} }"),
      ['4:16: Nothing becomes of the key "a", wanted "to", "factor", "offset" or "folder"'],
    ],
    [
      "an unknown word",
      rule("keys: { a: { scale: 2 } }"),
      [
        '4:16: Nothing becomes of the key "a", wanted "to", "factor", "offset" or "folder"',
        '4:18: Unknown key "scale" in the key "a", wanted "to", "factor", "offset" or "folder"',
      ].slice(1),
    ],
    [
      "a factor of 0",
      rule("keys: { a: { factor: 0 } }"),
      ['4:26: "factor" is 0 and makes all values the same, wanted another number'],
    ],
    [
      "a factor that is text",
      rule('keys: { a: { factor: "2" } }'),
      ['4:26: "factor" is "2", wanted a number such as 0.1'],
    ],
    [
      "an offset that is none",
      rule("keys: { a: { offset: .inf } }"),
      ['4:26: "offset" is ".inf", wanted a number such as 0.1'],
    ],
    [
      "two keys that meet",
      rule("keys:", "  a: c", "  b: { to: c }"),
      ['6:7: "b" and "a" (line 5) can both become "c" upstream, wanted keys that tell them apart'],
    ],
    [
      "two templates that meet",
      rule("keys:", '  "{x}_a": "t.{x}"', '  "{x}_b": "{x}.u"'),
      ['6:7: "{x}_b" and "{x}_a" (line 5) can both become "t.u" upstream, wanted keys that tell them apart'],
    ],
    [
      "keys of two rules that meet",
      "mapping: p\nrules:\n  one: { when: { device: a* }, keys: { a: c } }\n  two: { when: { device: '*b' }, keys: { b: c } }",
      ['4:42: "b" and "a" (line 3) can both become "c" upstream, wanted keys that tell them apart'],
    ],
    [
      "a loss without a reason",
      rule("drop: [a, b*]"),
      ['3:3: The rule "r" loses the keys "a", "b*", wanted "lossy: REASON" that says why'],
    ],
    [
      "messages lost without a reason",
      rule("drop: all"),
      ['3:3: The rule "r" loses whole messages, wanted "lossy: REASON" that says why'],
    ],
    [
      "a factor without an inverse",
      rule("keys: { c: { to: f, factor: 1.8, offset: 32 } }"),
      [
        '3:3: The rule "r" loses digits of "c" in configurations (the factor has no exact inverse), wanted "lossy: REASON" that says why',
      ],
    ],
    [
      "a reason without a loss",
      rule("keys: { a: b }", "lossy: because"),
      ['5:5: The rule "r" loses nothing, wanted "lossy" left out'],
    ],
    [
      "something else to drop",
      rule("drop: some", "lossy: because"),
      [
        '4:11: "drop" is "some", wanted "all" for whole messages, or a list of keys, in which "*" stands for anything',
        '5:5: The rule "r" loses nothing, wanted "lossy" left out',
      ],
    ],
    [
      "whole messages and more",
      rule("drop: all", "keys: { a: b }", "lossy: because"),
      ['3:3: The rule "r" drops whole messages, so its other lines never apply, wanted them in a rule of their own'],
    ],
    [
      "whole configurations",
      rule("of: [state, config]", "drop: all", "lossy: because"),
      ['4:9: Whole configurations cannot be dropped, wanted "telemetry", "state" or both'],
    ],
    [
      "a folder of a state",
      rule("of: state", "folder: a"),
      ['5:13: Only telemetry has folders, wanted "telemetry" in "of"'],
    ],
    [
      "a key's folder of a state",
      rule("of: state", "keys: { a: { folder: f } }"),
      ['5:13: Only telemetry has folders, wanted "telemetry" in "of"'],
    ],
    [
      "no folder",
      rule("folder: a//b"),
      ['4:13: "folder" is "a//b", wanted levels joined by "/", none empty, without "+" and "#"'],
    ],
    [
      "telemetry without a shape",
      "mapping: p\ntelemetry: {}",
      ['2:1: "telemetry" without "shape", wanted the pattern of a body'],
    ],
    [
      "a shape without values",
      "mapping: p\ntelemetry:\n  shape: { t: $ts }",
      ['3:3: The shape may leave $values unbound, wanted "$values" where it must be present'],
    ],
    [
      "a shape without a time",
      "mapping: p\ntelemetry:\n  shape: { v: $values }",
      ['3:3: The shape loses the time of points, wanted "$ts" in it, or "lossy: REASON" beside it that says why'],
    ],
    [
      "a shape that loses nothing",
      "mapping: p\ntelemetry:\n  shape: { t: $ts, v: $values }\n  lossy: why",
      ['4:3: The shape loses nothing, wanted "lossy" left out'],
    ],
    [
      "an unknown variable",
      "mapping: p\ntelemetry:\n  shape: { t: $time, v: $values }",
      ['3:15: Unknown variable "$time" in a shape, wanted "$ts" or "$values"'],
    ],
    [
      "an unknown conversion",
      "mapping: p\ntelemetry:\n  shape: { t: $ts, v: $values }\n  convert: { ts: roman }",
      ['4:18: Unknown conversion "roman", wanted "looseInteger", "time", "looseTime" or "isoTime"'],
    ],
    ["keys that are no list", "mapping: p\nconfig: { keys: a }", ['2:17: "keys" is "a", wanted a list of keys']],
    ["examples that are no list", "mapping: p\nexamples: {}", ['2:11: "examples" holds a map, wanted a list']],
    [
      "an example of nobody",
      example("upstream: a"),
      ['5:5: An example without "device", wanted its name as the local side knows it'],
    ],
    [
      "an example of nothing",
      example("device: a"),
      [`5:5: An example that shows nothing, wanted "upstream" or one of ${oneOfKinds}`],
    ],
    [
      "an example of two things",
      example("device: a", "state: {}", "config: {}", "becomes: {}"),
      ['5:5: An example with "state" and "config", wanted one of them'],
    ],
    [
      "an example without an outcome",
      example("device: a", "state: {}"),
      ['5:5: An example with "state" but without what becomes of it, wanted "becomes", "dropped" or "body"'],
    ],
    [
      "an example with another outcome",
      example("device: a", "state: { a: 1 }", "becomes: { c: 1 }"),
      ['5:5: The example for "a" becomes {"b":1}, wanted {"c":1}'],
    ],
    [
      "an example with another name",
      example("device: a", "upstream: b"),
      ['5:5: The example for "a" is called "a" upstream, wanted "b"'],
    ],
    [
      "an example that is not dropped",
      example("device: a", "state: { a: 1 }", "dropped: r"),
      ['5:5: The example for "a" passes, wanted it dropped by "r"'],
    ],
    [
      "an example that reads back otherwise",
      example("device: a", "config: { a: 1 }", "becomes: { b: 2 }"),
      ['5:5: The example for "a" reads back as {"a":2}, wanted {"a":1}'],
    ],
    [
      "an example in another folder",
      example("device: a", "telemetry: { a: 1 }", "becomes: { b: 1 }", "folder: f"),
      ['5:5: The example for "a" goes to "", wanted "f"'],
    ],
    [
      "an example without a shape",
      example("device: a", "telemetry: { a: 1 }", "body: x"),
      ['5:5: The example for "a" is published as nothing, wanted x'],
    ],
    [
      "bad YAML",
      "mapping: [",
      ["1:11: Cannot read YAML: Flow sequence in block collection must be sufficiently indented and end with a ]"],
    ],
  ])("%s", (_, text, wanted) => {
    expect(mistakesIn(text)).toEqual(wanted);
  });

  test("all of them in one run, in reading order", () => {
    expect(
      mistakesIn("names: 1\nrules:\n  r: { of: all, drop: [] }\nconfig: { key: [] }").map((one) => one.split(":")[0]),
    ).toEqual(["1", "1", "3", "3", "4"]);
  });

  test("nothing of the kind where rules cannot meet", () => {
    const apart = ["device: a*", "device: 'b*'"].map(
      (when, index) => `  r${index}: { when: { ${when} }, keys: { k${index}: c } }`,
    );
    expect(mistakesIn(`mapping: p\nrules:\n${apart.join("\n")}`)).toEqual([]);
    const kinds = ["telemetry", "state"].map((of, index) => `  r${index}: { of: ${of}, keys: { k${index}: c } }`);
    expect(mistakesIn(`mapping: p\nrules:\n${kinds.join("\n")}`)).toEqual([]);
  });
});
