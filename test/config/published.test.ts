import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { runProgram } from "../../src/cli/program.ts";
import { editorSchema } from "../../src/config/editor-schema.ts";
import { optionReference } from "../../src/config/reference.ts";
import { builtInDialects } from "../../src/mappings.ts";
import { testIo } from "../cli/test-io.ts";
import { configText, mistakesIn } from "./workspace.ts";

const manual = readFileSync(new URL("../../docs/configuration.md", import.meta.url), "utf8");
const examples = [...manual.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? "");

describe("the schema for editors", () => {
  const accepts = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true }).compile(
    editorSchema(builtInDialects()),
  );

  test("accepts the manual's example and a right configuration", () => {
    expect(examples[0]).toContain("gateways:");
    for (const text of [examples[0] ?? "", configText(), configText({ gateways: "file:gateways.yaml" })]) {
      expect(accepts(parse(text))).toBe(true);
      expect(accepts.errors).toBeNull();
    }
  });

  test.each([
    "colour: blue",
    "admin: true",
    "log: { level: loud }",
    "rules: { detachAfter: 10 }",
    "spool: { maxBytes: 1G }",
    "gateways: [{ id: gw/01, local: {}, upstream: {} }]",
    "upstream: { dialect: azure }",
  ])("refuses %s", (text) => {
    expect(accepts({ ...parse(configText()), ...parse(text) })).toBe(false);
  });

  test("describes every option", () => {
    const bare: string[] = [];
    visit(editorSchema(builtInDialects()), "");
    expect(bare).toEqual([]);

    function visit(schema: unknown, path: string): void {
      if (typeof schema !== "object" || schema === null) return;
      for (const [key, value] of Object.entries(schema)) {
        if (key === "properties") {
          for (const [name, member] of Object.entries(value as Record<string, { description?: string }>)) {
            if (!/^.{9,}\.$/.test(member.description ?? "")) bare.push(`${path}.${name}`);
            visit(member, `${path}.${name}`);
          }
        } else visit(value, path);
      }
    }
  });

  test("is what dragoman schema prints", async () => {
    const io = testIo();
    expect(await runProgram(["schema"], io)).toBe(0);
    expect(JSON.parse(io.out())).toEqual(editorSchema(builtInDialects()));
  });
});

describe("docs/configuration.md", () => {
  test("ends with what dragoman schema --markdown prints", async () => {
    const io = testIo();
    expect(await runProgram(["schema", "--markdown"], io)).toBe(0);
    expect(io.out()).toBe(optionReference(builtInDialects()));
    expect(manual.endsWith(`# All options\n\n${io.out()}`)).toBe(true);
  });

  test("has an example without mistakes", async () => {
    const example = (examples[0] ?? "").replace("keys/gw-01.pem", "keys/p256.pem");
    expect(await mistakesIn(example, { env: { PLANT_1_TOKEN: "t0ken" } })).toEqual([]);
  });
});
