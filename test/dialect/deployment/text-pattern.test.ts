import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  commonText,
  convert,
  matches,
  parseGlob,
  parseTemplates,
  sampleOf,
  type Template,
} from "../../../src/dialect/deployment/text-pattern.ts";

const at = { file: "plant.yaml", line: 1, column: 1 };

function templates(local: string, upstream: string): { readonly local: Template; readonly upstream: Template } {
  const parsed = parseTemplates({ source: local, at }, { source: upstream, at }, (_, message) => {
    throw new Error(message);
  });
  if (parsed === undefined) throw new Error("no templates");
  return parsed;
}

/** Globs of a few letters, and texts that they may match. */
const globText = fc.stringMatching(/^[ab*]{0,8}$/);
const text = fc.stringMatching(/^[ab]{0,10}$/);

describe("globs", () => {
  test("match what the same regular expression matches", () => {
    fc.assert(
      fc.property(globText, text, (glob, said) => {
        const expected = new RegExp(`^${glob.replaceAll("*", ".*")}$`, "s").test(said);
        expect(matches(parseGlob(glob), said)).toBe(expected);
      }),
    );
  });

  test.each([
    ["press/*", "press/A/7", true],
    ["press/*", "press", false],
    ["*", "", true],
    ["a\\*b", "a*b", true],
    ["a\\*b", "axb", false],
    ["a\\\\*", "a\\x", true],
    ["gerät-*", "gerät-😀", true],
  ])("%s and %s: %s", (glob, said, expected) => {
    expect(matches(parseGlob(glob), said)).toBe(expected);
  });

  test("a long text and many stars take no time to speak of", () => {
    expect(matches(parseGlob("*a".repeat(30)), `${"a".repeat(2000)}b`)).toBe(false);
  });

  test("a text that two globs have in common is matched by both; where there is none, nothing is", () => {
    fc.assert(
      fc.property(globText, globText, text, (one, other, said) => {
        const [first, second] = [parseGlob(one), parseGlob(other)];
        const common = commonText(first, second);
        if (common === undefined) expect(matches(first, said) && matches(second, said)).toBe(false);
        else expect([matches(first, common), matches(second, common)]).toEqual([true, true]);
      }),
    );
  });
});

describe("templates", () => {
  const pairs = [
    ["plant/{line}/{unit}", "{line}-{unit}"],
    ["{unit:digits}@{line}", "l{line}.{unit}"],
    ["{x}", "p-{x}"],
    ["{{{x}}}", "<{x}>"],
  ].map(([local, upstream]) => templates(local as string, upstream as string));
  const part = fc.stringMatching(/^[a-c0-9/.@{}<>😀-]{0,6}$/u);

  test("what is converted is converted back", () => {
    fc.assert(
      fc.property(fc.constantFrom(...pairs), part, part, ({ local, upstream }, one, other) => {
        for (const said of [`plant/${one}/${other}`, `${one}@${other}`, one, `{${one}}`, sampleOf(local)]) {
          const converted = convert(local, upstream, said);
          if (converted !== undefined) expect(convert(upstream, local, converted)).toBe(said);
        }
      }),
    );
  });

  test("every template converts its own sample", () => {
    for (const { local, upstream } of pairs) expect(convert(local, upstream, sampleOf(local))).toBe(sampleOf(upstream));
  });

  test.each([
    ["plant/l1/u2", "l1-u2"],
    // In the other template the first variable would end elsewhere.
    ["plant/l-1/u2", undefined],
    ["plant/l1/u-2", "l1-u-2"],
    ["plant//u2", undefined],
    ["plant/l1", undefined],
    ["other/l1/u2", undefined],
  ])("plant/{line}/{unit} as {line}-{unit}: %s is %s", (said, wanted) => {
    const { local, upstream } = pairs[0] as (typeof pairs)[0];
    expect(convert(local, upstream, said)).toBe(wanted);
  });

  test.each([
    ["{a}-{b}", "lab-{x}", true],
    ["{a:digits}-{b}", "lab-{x}", false],
    ["{a:word}.{b}", "{c}-{d}", true],
    ["x{a:digits}", "x{b:word}", true],
    ["x{a:digits}", "xy{b:word}", false],
    ["same", "same", true],
  ])("%s and %s have a text in common: %s", (one, other, expected) => {
    const common = commonText(templates(one, one).local, templates(other, other).local);
    expect(common !== undefined).toBe(expected);
  });
});
