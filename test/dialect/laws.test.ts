import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { absent } from "../../src/dialect/conversion.ts";
import { conversions } from "../../src/dialect/conversions.ts";
import { variablesIn } from "../../src/dialect/pattern-facts.ts";
import type { Rule } from "../../src/dialect/rule.ts";
import { pointsField, type ValueType, vocabulary } from "../../src/dialect/vocabulary.ts";
import { arrayText, type JsonText, objectText, parseJson, scalarText } from "../../src/message/json.ts";
import type { DeviceId, Message } from "../../src/message/message.ts";
import { boundNamed, dialectNamed, dialectNames } from "./mappings.ts";

/** Names that trip careless code, and any text. */
const name = fc.oneof(
  fc.constantFrom(
    "Device A",
    "__proto__",
    "constructor",
    "0",
    "deleted",
    "ts",
    "values",
    "metadata",
    "plant/1 +#*.é",
    "gw-01",
  ),
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.string({ unit: "binary", maxLength: 6 }),
);
const id = fc.oneof(fc.constantFrom("sensor-7", "Device%20A"), fc.stringMatching(/^[a-zA-Z][-a-zA-Z0-9._~%]{2,20}$/));
const numeral = fc.oneof(
  fc.maxSafeInteger().map((value) => scalarText(value)),
  fc.bigInt().map((value) => String(value) as JsonText),
  fc.stringMatching(/^-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?$/).map((text) => text as JsonText),
);
const { json, object } = fc.letrec<{ json: JsonText; object: JsonText }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3 },
    fc.oneof(numeral, name.map(scalarText), fc.constantFrom(...(["true", "false", "null"] as JsonText[]))),
    fc.array(tie("json"), { maxLength: 3 }).map(arrayText),
    tie("object"),
  ),
  object: fc.array(fc.tuple(name, tie("json")), { maxLength: 4 }).map(objectText),
}));

const anyValue: Readonly<Record<ValueType, fc.Arbitrary<unknown>>> = {
  device: fc.oneof(id, name),
  text: name,
  folder: fc
    .array(fc.stringMatching(/^[^/+#\0]{1,6}$/), { minLength: 1, maxLength: 3 })
    .map((levels) => levels.join("/")),
  integer: fc.oneof(fc.nat(), fc.maxSafeInteger()),
  time: fc.maxSafeInteger(),
  scope: fc.constantFrom("client", "shared"),
  keys: fc.array(name, { maxLength: 4 }),
  json,
  object,
  bytes: fc.uint8Array({ maxLength: 20 }),
};

/** Messages with what a rule needs and any choice of what else it carries. */
function messagesFor(rule: Rule): fc.Arbitrary<Message> {
  const types = vocabulary[rule.kind].variables as Readonly<Record<string, ValueType>>;
  const isTimed = rule.payload !== undefined && variablesIn(rule.payload).some((variable) => variable.name === "ts");
  const point = fc.record({ ts: anyValue.time, values: object }, { requiredKeys: ["values"] });
  const points = fc.array(isTimed ? point : fc.record({ values: object }), { maxLength: 3 });
  const fields = rule.fields.filter((_, index) => rule.carries & (1 << index)).map((field) => field.name);
  const values = Object.fromEntries(
    fields.map((field) => [field, field === pointsField ? points : anyValue[types[field] as ValueType]]),
  );
  const requiredKeys = rule.fields.filter((_, index) => rule.needs & (1 << index)).map((field) => field.name);
  return fc.record(values, { requiredKeys }).map((fields) => ({ kind: rule.kind, ...fields }) as unknown as Message);
}

describe.each(dialectNames)("%s", (dialectName) => {
  const dialect = dialectNamed(dialectName);
  const bound = boundNamed(dialectName);

  test.each(dialect.rules.map((rule) => ({ rule, name: rule.name })))("decode(encode(m)) is m: $name", ({ rule }) => {
    let printed = 0;
    fc.assert(
      fc.property(messagesFor(rule), (message) => {
        const encoded = bound.encode(message);
        if (encoded.kind === "unrepresentable") return;
        printed += 1;
        const decoded = bound.decode(rule.direction, encoded.packet);
        expect(decoded).toMatchObject({ kind: "messages", misfits: [] });
        if (decoded.kind === "messages") expect(decoded.messages).toEqual([message]);
      }),
      { numRuns: 200 },
    );
    expect(printed).toBeGreaterThan(0);
  });

  test.each(dialect.examples.map((example, index) => ({ example, name: `${example.rule.name} ${index}` })))(
    "encode(decode(example)) is its canonical print: $name",
    ({ example }) => {
      const decoded = bound.dialect.bind({}).decode(example.direction, example);
      expect(decoded).toMatchObject({ kind: "messages", messages: example.messages });
      if (decoded.kind !== "messages") return;
      const printed = decoded.messages.map((message) => bound.dialect.bind({}).encode(message));
      const wanted = example.prints ?? [example.payload];
      const texts = printed.map((encoded) =>
        encoded.kind === "packet" ? Buffer.from(encoded.packet.payload).toString() : encoded.reason,
      );
      expect(texts).toEqual(wanted.map((bytes) => Buffer.from(bytes).toString()));
    },
  );

  test("what arrives is read or refused, never thrown", () => {
    const topics = dialect.rules.map(({ topic }) => topic.source.replace(/\{\/\w+\*\}/, "").replace(/\{\w+\}/g, "7"));
    const payload = fc.oneof(
      json.map((text) => Buffer.from(text)),
      fc.string().map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 40 }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...topics, "", "/", "#"),
        payload,
        fc.constantFrom("up", "down"),
        (topic, bytes, direction) => {
          const decoded = bound.decode(direction as "up" | "down", { topic, payload: bytes });
          if (decoded.kind !== "messages") return;
          // Something was understood, so saying it again means the same.
          for (const message of decoded.messages) {
            const encoded = bound.encode(message);
            if (encoded.kind !== "packet") continue;
            expect(bound.decode(direction as "up" | "down", encoded.packet)).toMatchObject({
              kind: "messages",
              messages: [message],
            });
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("conversions", () => {
  test.each(conversions.map((conversion) => ({ conversion, name: conversion.name })))(
    "$name reads what it prints",
    ({ conversion }) => {
      const gateway = "gw-01" as DeviceId;
      const values = fc.oneof(...conversion.types.map((type) => anyValue[type]));
      fc.assert(
        fc.property(values, (value) => {
          const text = conversion.print(value, gateway);
          if (text === undefined) return;
          const node = parseJson(text);
          expect(node.kind === "fault" ? "fault" : conversion.read(node, gateway)).toEqual(value);
        }),
      );
      for (const [text, value] of conversion.law.also) {
        const node = parseJson(text);
        const read = node.kind === "fault" ? "fault" : conversion.read(node, gateway);
        expect(read === absent ? "absent" : read).toEqual(value === absent ? "absent" : value);
      }
    },
  );
});
