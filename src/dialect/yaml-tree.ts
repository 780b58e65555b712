import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import { describeFault, ownFaults } from "../message/yaml-fault.ts";
import type { Blame, Place } from "./mistake.ts";

/** A YAML value with its place. `source` is a scalar as it was written, so that no digit of a number is lost. */
export type YamlNode =
  | { readonly kind: "map"; readonly at: Place; readonly entries: readonly YamlEntry[] }
  | { readonly kind: "list"; readonly at: Place; readonly items: readonly YamlNode[] }
  | {
      readonly kind: "scalar";
      readonly at: Place;
      readonly value: string | number | boolean | null;
      readonly source: string;
    };

export type YamlMap = Extract<YamlNode, { kind: "map" }>;

export interface YamlEntry {
  readonly key: string;
  /** The place of the key. */
  readonly at: Place;
  readonly value: YamlNode;
}

/** Reads one YAML document. What YAML itself refuses (bad syntax, a key that stands twice) is blamed, and nothing read. */
export function readYaml(file: string, text: string, blame: Blame): YamlNode | undefined {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  for (const fault of ownFaults(document.errors)) {
    blame(placeOf(fault.pos[0]), `Cannot read YAML: ${describeFault(fault)}`);
  }
  return document.errors.length > 0 ? undefined : treeOf(document.contents, placeOf(0));

  function treeOf(node: unknown, outer: Place): YamlNode {
    const range = (node as { range?: readonly number[] | null } | null)?.range;
    const at = range ? placeOf(range[0] ?? 0) : outer;
    if (isAlias(node)) return treeOf(node.resolve(document), at);
    if (isSeq(node)) return { kind: "list", at, items: node.items.map((item) => treeOf(item, at)) };
    if (isMap(node)) {
      const entries = node.items.map(({ key, value }): YamlEntry => {
        const name = treeOf(key, at);
        if (name.kind !== "scalar") blame(name.at, "Unusable key, wanted a plain word");
        return {
          key: name.kind === "scalar" ? name.source : "",
          at: name.at,
          value: treeOf(value, name.at),
        };
      });
      return { kind: "map", at, entries };
    }
    if (!isScalar(node)) return { kind: "scalar", at, value: null, source: "" };
    const { value } = node;
    const isPlain = value === null || ["string", "number", "boolean"].includes(typeof value);
    return {
      kind: "scalar",
      at,
      value: isPlain ? (value as string | number | boolean | null) : String(value),
      source: typeof value === "string" ? value : (node.source ?? String(value)),
    };
  }
}

/** The value under a key of a map. */
export function entryOf(node: YamlNode | undefined, key: string): YamlEntry | undefined {
  return node?.kind === "map" ? node.entries.find((entry) => entry.key === key) : undefined;
}

/** What a value is, in the words of a mistake. */
export function describeYaml(node: YamlNode): string {
  switch (node.kind) {
    case "map":
      return "a map";
    case "list":
      return "a list";
    case "scalar":
      return node.value === null ? "nothing" : `"${node.source}"`;
  }
}
