import { describe, expect, test } from "vitest";
import { verifyDialect } from "../../src/dialect/verify.ts";
import { dialectNamed, dialectNames } from "./mappings.ts";

describe.each(dialectNames)("%s", (name) => {
  const dialect = dialectNamed(name);

  test("keeps its examples and its laws", () => {
    expect(verifyDialect(dialect)).toEqual([]);
  });

  test("says where each rule's facts come from", () => {
    expect(dialect.rules.filter(({ source }) => source === undefined)).toEqual([]);
  });
});
