import { type Blame, oneOf } from "./mistake.ts";
import { describeYaml, entryOf, readYaml, type YamlEntry, type YamlMap, type YamlNode } from "./yaml-tree.ts";

/** A mapping file as text. `name` is the dialect it defines, `file` where it is, for mistakes. */
export interface MappingSource {
  readonly name: string;
  readonly file: string;
  readonly text: string;
}

/** Sections whose entries a file that extends another one adds or replaces one by one. */
const sectionDepths: Readonly<Record<string, number>> = {
  parameters: 1,
  connection: 1,
  listener: 2,
  ids: 1,
  traits: 1,
  limits: 1,
  convert: 1,
  // A rule is added to key by key; its payload is replaced as a whole.
  messages: 2,
  errors: 1,
  reconnects: 1,
  diagnosis: 3,
  examples: 1,
};

/** The mapping called `name` with everything it extends, or nothing if a file of the chain is missing or cannot be read. */
export function readMapping(name: string, sources: readonly MappingSource[], blame: Blame): YamlMap | undefined {
  const source = sources.find((one) => one.name === name);
  if (source === undefined) {
    const known = sources.map((one) => one.name);
    blame({ file: name, line: 1, column: 1 }, `There is no dialect "${name}", wanted ${oneOf(known)}`);
    return undefined;
  }
  return readChain(source, sources, [], blame);
}

function readChain(
  source: MappingSource,
  sources: readonly MappingSource[],
  seen: readonly string[],
  blame: Blame,
): YamlMap | undefined {
  const tree = readYaml(source.file, source.text, blame);
  if (tree === undefined) return undefined;
  if (tree.kind !== "map") {
    blame(tree.at, `The file holds ${describeYaml(tree)}, wanted a map that begins with "dialect: ${source.name}"`);
    return undefined;
  }
  const said = entryOf(tree, "dialect");
  if (said === undefined) blame(tree.at, `The file does not say which dialect it is, wanted "dialect: ${source.name}"`);
  else if (said.value.kind !== "scalar" || said.value.value !== source.name) {
    blame(said.value.at, `"dialect" is ${describeYaml(said.value)}, wanted "${source.name}"`);
  }
  const parent = entryOf(tree, "extends");
  if (parent === undefined) return tree;
  const chain = [...seen, source.name];
  const wanted = parent.value.kind === "scalar" ? parent.value.source : undefined;
  const base = sources.find((one) => one.name === wanted);
  if (base === undefined) {
    const known = sources.map((one) => one.name).filter((one) => one !== source.name);
    blame(parent.value.at, `"extends" is ${describeYaml(parent.value)}, wanted ${oneOf(known)}`);
    return undefined;
  }
  if (chain.includes(base.name)) {
    blame(
      parent.value.at,
      `"extends" goes in a circle (${[...chain, base.name].join(" -> ")}), wanted a mapping that does not extend this one`,
    );
    return undefined;
  }
  const inherited = readChain(base, sources, chain, blame);
  return inherited && mergeSections(inherited, tree);
}

function mergeSections(base: YamlMap, own: YamlMap): YamlMap {
  return {
    ...own,
    entries: mergeEntries(base, own, (key, old, value) => merge(old, value, sectionDepths[key] ?? 0)),
  };
}

function merge(base: YamlNode, own: YamlNode, depth: number): YamlNode {
  if (depth === 0 || base.kind !== "map" || own.kind !== "map") return own;
  return { ...own, entries: mergeEntries(base, own, (_, old, value) => merge(old, value, depth - 1)) };
}

function mergeEntries(
  base: YamlMap,
  own: YamlMap,
  both: (key: string, base: YamlNode, own: YamlNode) => YamlNode,
): readonly YamlEntry[] {
  const kept = base.entries.flatMap((entry) => {
    const mine = entryOf(own, entry.key);
    if (mine === undefined) return [entry];
    // `key: null` takes away what the other file has.
    if (mine.value.kind === "scalar" && mine.value.value === null) return [];
    return [{ ...mine, value: both(entry.key, entry.value, mine.value) }];
  });
  return [...kept, ...own.entries.filter(({ key }) => entryOf(base, key) === undefined)];
}
