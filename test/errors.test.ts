import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { errorCodes } from "../src/errors.ts";

const docs = new URL("../docs/", import.meta.url);
const page = readFileSync(new URL("errors.md", docs), "utf8");

test("docs/errors.md has a section for every error code, in the same order, and for no other", () => {
  expect([...page.matchAll(/^## (ERR_\w+)$/gm)].map(([, code]) => code)).toEqual(errorCodes);
});

test.each(errorCodes)("docs/errors.md says what %s means, what likely causes it and what to do", (code) => {
  const [section = ""] = page.slice(page.indexOf(`## ${code}\n`) + 3).split(/^## /m);
  const parts = [...section.matchAll(/^\*\*([^*]+)\*\*: \S/gm)].map(([, name]) => name);
  expect(parts).toEqual(["Means", "Likely causes", "What to do"]);
});

test("links between pages of docs/ and to their headings lead somewhere", () => {
  const pages = new Map(
    readdirSync(docs).flatMap((name) => (name.endsWith(".md") ? [[name, textOf(name)] as const] : [])),
  );
  const broken: string[] = [];
  for (const [name, text] of pages) {
    for (const [, file = "", heading] of text.matchAll(/\]\(([\w-]+\.md)?(?:#([\w-]+))?\)/g)) {
      const target = pages.get(file === "" ? name : file);
      if (target === undefined || (heading !== undefined && !anchorsOf(target).includes(heading))) {
        broken.push(`${name}: ${file}#${heading ?? ""}`);
      }
    }
  }
  expect(broken).toEqual([]);
});

function textOf(name: string): string {
  return readFileSync(new URL(name, docs), "utf8");
}

/** As GitHub makes them of headings. */
function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}
