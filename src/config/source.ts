import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
  type YAMLParseError,
  type YAMLWarning,
} from "yaml";
import { describeFault, ownFaults } from "../message/yaml-fault.ts";
import { expandEnvironment, type Origin } from "./expand.ts";
import type { Place } from "./mistake.ts";

/** What is known of one value besides the value. */
export interface SourceNode {
  readonly value: unknown;
  readonly place: Place;
  /** Of its key, for members of a mapping. */
  readonly keyPlace: Place | undefined;
  readonly origin: Origin;
}

/** A configuration file and those it includes as plain values, references replaced, with the place of each value. */
export interface Source {
  /** As it was asked for. */
  readonly file: string;
  /** What relative paths in it are relative to; absolute. */
  readonly folder: string;
  /** All that was read, or should have been; absolute. */
  readonly files: ReadonlySet<string>;
  readonly value: unknown;
  /** By JSON pointer (RFC 6901), the root being `""`. Values whose references failed are listed in `broken`. */
  readonly nodes: ReadonlyMap<string, SourceNode>;
  /** Pointers of values that could not be read. */
  readonly broken: ReadonlySet<string>;
  readonly mistakes: readonly { readonly pointer: string; readonly place: Place; readonly text: string }[];
}

export interface ReadSourceOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Pointers where `file:PATH` names YAML that stands in its place, not text. */
  readonly includes: readonly string[];
}

/** Aliases can make a small file describe a large tree; nobody's configuration has this many values. */
const maxNodes = 1_000_000;
/** An alias may even contain itself. */
const maxDepth = 32;

/** Reads a YAML file. What is wrong with it is reported in the result; values that are fine are there all the same. */
export function readSource(file: string, options: ReadSourceOptions): Source {
  const folder = resolve(dirname(file));
  const nodes = new Map<string, SourceNode>();
  const broken = new Set<string>();
  const mistakes: { pointer: string; place: Place; text: string }[] = [];
  const files = new Set<string>();
  const value = readYaml(file, file, { pointer: "", place: { file, line: 1, column: 1 } });
  return { file, folder, files, value, nodes, broken, mistakes };

  function read(path: string): ReturnType<typeof readText> {
    files.add(resolve(path));
    return readText(path);
  }

  function readYaml(path: string, shown: string, from: { pointer: string; place: Place }): unknown {
    const found = read(path);
    if ("fault" in found) {
      const isFirst = from.pointer === "" && found.fault === noSuchFile;
      const hint = isFirst ? '; "dragoman init" writes a first configuration' : "";
      fail(from.pointer, from.place, `cannot read "${shown}": ${found.fault}${hint}`);
      return undefined;
    }
    const lines = new LineCounter();
    const document = parseDocument(found.text, {
      lineCounter: lines,
      uniqueKeys: false,
      prettyErrors: false,
      version: "1.2",
    });
    const placeAt = (offset: number): Place => {
      const { line, col } = lines.linePos(offset);
      return { file: shown, line: Math.max(line, 1), column: Math.max(col, 1) };
    };
    // A warning is a tag that nobody resolves: `!secret x` is not the text x.
    const faults = [...ownFaults(document.errors), ...document.warnings];
    for (const fault of faults) fail(from.pointer, placeAt(fault.pos[0]), yamlFault(fault));
    if (faults.length > 0) return undefined;
    return walk(document.contents as Node | null, {
      document,
      placeAt,
      pointer: from.pointer,
      keyPlace: undefined,
      depth: 0,
    });
  }

  function walk(node: Node | null, at: Cursor): unknown {
    const { pointer, keyPlace } = at;
    const place = node?.range == null ? (keyPlace ?? at.placeAt(0)) : at.placeAt(node.range[0]);
    if (nodes.size >= maxNodes) {
      if (nodes.size === maxNodes) fail(pointer, place, `more than ${maxNodes} values, wanted fewer`);
      return undefined;
    }
    if (at.depth > maxDepth) {
      // The whole way down would tell nobody more than its beginning.
      fail(pointer.split("/").slice(0, 3).join("/"), place, `nested deeper than ${maxDepth} levels, wanted fewer`);
      return undefined;
    }
    let origin: Origin = "inline";
    let value: unknown;
    const target = isAlias(node) ? node.resolve(at.document) : node;
    if (isMap(target)) value = walkMap(target, at);
    else if (isSeq(target)) {
      value = target.items.map((item, index) =>
        walk(item as Node | null, { ...at, pointer: `${pointer}/${index}`, keyPlace: undefined, depth: at.depth + 1 }),
      );
    } else if (isScalar(target)) {
      value = target.value;
      if (typeof value === "string") {
        const included = walkText(value, pointer, place);
        if ("source" in included) return included.source;
        ({ value, origin } = included);
      }
    } else {
      value = null;
      if (isAlias(node)) fail(pointer, place, `alias "*${node.source}" has no anchor`);
    }
    nodes.set(pointer, { value, place, keyPlace, origin });
    return value;
  }

  function walkMap(map: YAMLMap, at: Cursor): unknown {
    const members = new Map<string, unknown>();
    const firstLines = new Map<string, number>();
    for (const { key, value } of map.items as { key: Node; value: Node | null }[]) {
      const keyPlace = key.range == null ? at.placeAt(0) : at.placeAt(key.range[0]);
      const pointer = (name: string) => `${at.pointer}/${escapePointer(name)}`;
      if (!isScalar(key)) {
        fail(pointer("?"), keyPlace, "found a key that is not text, wanted text");
        continue;
      }
      const name = String(key.value);
      const firstLine = firstLines.get(name);
      if (firstLine === undefined) firstLines.set(name, keyPlace.line);
      else {
        const text = `key "${name}" stands twice, first in line ${firstLine}`;
        mistakes.push({ pointer: pointer(name), place: keyPlace, text });
        continue;
      }
      members.set(name, walk(value, { ...at, pointer: pointer(name), keyPlace, depth: at.depth + 1 }));
    }
    return Object.fromEntries(members);
  }

  function walkText(
    source: string,
    pointer: string,
    place: Place,
  ): { value: string; origin: Origin } | { source: unknown } {
    const { text, origin, faults } = expandEnvironment(source, options.env);
    for (const fault of faults) fail(pointer, place, fault);
    if (faults.length > 0 || !source.startsWith(reference)) return { value: text, origin };
    const path = text.slice(reference.length);
    if (options.includes.includes(pointer)) {
      return { source: readYaml(resolve(folder, path), join(dirname(file), path), { pointer, place }) };
    }
    const found = read(resolve(folder, path));
    if ("fault" in found) fail(pointer, place, `cannot read "${path}": ${found.fault}`);
    return { value: "fault" in found ? "" : found.text.replace(/\r?\n$/, ""), origin: "file" };
  }

  function fail(pointer: string, place: Place, text: string): void {
    broken.add(pointer);
    mistakes.push({ pointer, place, text });
  }
}

const reference = "file:";

/** Where a walk through a document is. */
interface Cursor {
  readonly document: Document;
  readonly placeAt: (offset: number) => Place;
  readonly pointer: string;
  readonly keyPlace: Place | undefined;
  readonly depth: number;
}

/** A member name as it stands in a JSON pointer. */
export function escapePointer(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** What a file holds as UTF-8, or why it cannot be read. */
export function readText(path: string): { readonly text: string } | { readonly fault: string } {
  try {
    return { text: readFileSync(path, "utf8") };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { fault: faults.get(code ?? "") ?? message };
  }
}

const noSuchFile = "no such file";

const faults: ReadonlyMap<string, string> = new Map([
  ["ENOENT", noSuchFile],
  ["EISDIR", "it is a folder"],
  ["EACCES", "permission denied"],
  ["ENOTDIR", "a part of its path is no folder"],
  ["ENAMETOOLONG", "the name is too long"],
]);

function yamlFault(fault: YAMLParseError | YAMLWarning): string {
  if (fault.code === "MULTIPLE_DOCS") return 'found a second document after "---", wanted one';
  return `not YAML: ${describeFault(fault)}`;
}
