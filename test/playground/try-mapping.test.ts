import { describe, expect, test } from "vitest";
import { builtInMappings } from "../../src/mappings.ts";
import type { ExplainedTranslation, PlaygroundRequest } from "../../src/message/playground.ts";
import { tryMapping } from "../../src/playground/try-mapping.ts";
import { createWorkbench } from "../../src/playground/workbench.ts";

const workbench = createWorkbench(builtInMappings());
const textOf = (name: string) => builtInMappings().find((source) => source.name === name)?.text ?? "";
const request: PlaygroundRequest = {
  ...{ local: "thingsboard", upstream: "clearblade", direction: "up", topic: "v1/gateway/telemetry" },
  payload: '{"Device A":[{"ts":1,"values":{"t":42}}]}',
};

function resultOf(changes: Partial<PlaygroundRequest>): ExplainedTranslation {
  const answer = tryMapping({ ...request, ...changes }, workbench);
  if (!("result" in answer)) throw new Error(JSON.stringify(answer));
  return answer.result;
}

describe("tryMapping()", () => {
  test("tells rule, variables, meaning, what would be sent and by which rule", () => {
    expect(resultOf({})).toMatchObject({
      rule: { name: "telemetry", file: expect.stringContaining("thingsboard.yaml"), line: expect.any(Number) },
      variables: { device: "Device A", points: '[{"ts":1,"values":{"t":42}}]' },
      messages: [{ kind: "telemetry", device: "Device A", text: '{"points":[{"ts":1,"values":{"t":42}}]}' }],
      nearMisses: [],
      mappedBy: [],
      sent: [
        { to: "upstream", topic: "/devices/Device%20A/attach", qos: 1, payload: "{}", rule: { name: "attach" } },
        { to: "upstream", topic: "/devices/Device%20A/events", rule: { name: "telemetry" } },
      ],
      troubles: [],
    });
  });

  test("tells the nearest rule and the first difference where no rule fits", () => {
    const { sent, unread, troubles } = resultOf({ topic: "v1/gateway/telemetri" });
    expect(sent).toEqual([]);
    expect(unread).toMatchObject({
      reason: "no rule has this topic",
      nearest: { line: expect.any(Number), difference: expect.stringMatching(/^level 3 is "telemetri", wanted "/) },
    });
    expect(troubles).toEqual([{ text: expect.stringContaining("dropped: unknownTopic"), isFailure: false }]);
  });

  test("goes down too", () => {
    const { sent } = resultOf({ direction: "down", topic: "/devices/Device%20A/config", payload: '{"interval":30}' });
    expect(sent).toContainEqual(
      expect.objectContaining({ to: "local", payload: '{"device":"Device A","data":{"interval":30}}' }),
    );
  });

  test("uses an edited mapping, and warns of examples that no longer hold", () => {
    const edited = textOf("thingsboard").replace("up: v1/gateway/telemetry", "up: plant/data");
    const mappings = { local: edited };
    expect(resultOf({ mappings, topic: "plant/data" }).sent).toHaveLength(2);
    const answer = tryMapping({ ...request, topic: "plant/data", mappings }, workbench);
    expect(answer).toMatchObject({
      warnings: expect.arrayContaining([
        { where: "local", line: expect.any(Number), column: expect.any(Number), message: expect.any(String) },
      ]),
    });
    // The next request has the mapping of the package again.
    expect(resultOf({}).sent).toHaveLength(2);
  });

  test("uses a deployment's mapping, and says which of its rules changed something", () => {
    const deployment = "mapping: try\nrules:\n  words:\n    keys: { t: temperature }\n";
    const answer = tryMapping({ ...request, mappings: { deployment } }, workbench);
    expect(answer).toMatchObject({
      result: {
        sent: [{}, { payload: '[{"ts":1,"values":{"temperature":42}}]' }],
        mappedBy: [{ name: "words", file: "deployment.yaml", line: 3 }],
      },
    });
  });

  test("finds the mistakes of all texts at once, with their places", () => {
    const broken = textOf("thingsboard").replace("payload:", "paylode:");
    const line =
      textOf("thingsboard")
        .split("\n")
        .findIndex((text) => text.includes("payload:")) + 1;
    const answer = tryMapping(
      {
        ...request,
        mappings: { local: broken, upstream: "dialect: clearblade\nextends: googel\n", deployment: "a: [" },
      },
      workbench,
    );
    expect(answer).toMatchObject({
      mistakes: expect.arrayContaining([
        { where: "local", line, column: expect.any(Number), message: expect.stringContaining('"paylode"') },
        {
          where: "upstream",
          line: 2,
          column: 10,
          message: '"extends" is "googel", wanted "google", "omnicore" or "thingsboard"',
        },
        expect.objectContaining({ where: "deployment", line: expect.any(Number) }),
      ]),
    });
  });

  test.each(["file:/etc/passwd", "../../etc/passwd", "__proto__", "mqtt"])("knows no dialect %s", (name) => {
    expect(tryMapping({ ...request, local: name }, workbench)).toEqual({
      refused: expect.stringContaining(`found "${name}" as "local", wanted one of clearblade`),
    });
    const mappings = { local: `dialect: thingsboard\nextends: ${name}\n` };
    expect(tryMapping({ ...request, mappings }, workbench)).toMatchObject({ mistakes: [{ where: "local", line: 2 }] });
  });

  test("every example of every dialect means something", () => {
    for (const { name, examples, mapping, title } of workbench.dialects()) {
      expect(mapping).toBe(textOf(name));
      expect(title).not.toBe("");
      for (const { direction, topic, payload, describe: rule } of examples) {
        const sides = direction === "up" ? { local: name } : { upstream: name };
        expect(resultOf({ ...sides, direction, topic, payload }).rule, `${name}: ${topic}`).toMatchObject({
          name: rule,
        });
      }
    }
  });
});
