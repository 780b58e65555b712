import { type Blame, oneOf, type Place } from "./mistake.ts";
import type { ValueType } from "./vocabulary.ts";

/** One level of a topic: its text, or the name of what stands there. */
export type TopicLevel =
  | { readonly kind: "text"; readonly text: string }
  /** A parameter of the dialect, or the gateway's own id: known once the dialect is bound. */
  | { readonly kind: "parameter"; readonly name: string }
  | { readonly kind: "variable"; readonly name: string; readonly type: ValueType };

/** A topic with gaps: `/devices/{device}/commands{/folder*}`. */
export interface TopicTemplate {
  readonly source: string;
  readonly at: Place;
  readonly levels: readonly TopicLevel[];
  /** The variable of `{/name*}`: zero or more levels at the end. */
  readonly tail?: string;
}

export interface TopicWords {
  readonly kind: string;
  readonly variables: Readonly<Record<string, ValueType>>;
  /** The dialect's parameters; `gateway` is always known. */
  readonly parameters: readonly string[];
  /** What `{prefix}` stands for. */
  readonly prefix?: string | undefined;
}

const tailForm = /\{\/([A-Za-z]\w*)\*\}$/;
const topicTypes: readonly ValueType[] = ["device", "text", "integer"];

/** Reads a topic template. Mistakes are blamed. */
export function parseTopic(source: string, at: Place, words: TopicWords, blame: Blame): TopicTemplate | undefined {
  const fail = (message: string) => {
    blame(at, `Unusable topic "${source}": ${message}`);
    return undefined;
  };
  if (source.includes("{prefix}") && words.prefix === undefined)
    return fail('"{prefix}" is not set, wanted a "prefix" in this file');
  const whole = source.replaceAll("{prefix}", () => words.prefix ?? "");
  if (whole === "") return fail("it is empty, wanted at least one level");
  if (/[+#\0]/.test(whole)) return fail('it holds a wildcard, wanted names in braces such as "{id}"');
  const tail = tailForm.exec(whole)?.[1];
  const body = tail === undefined ? whole : whole.replace(tailForm, "");
  if (tail !== undefined && words.variables[tail] !== "folder") {
    return fail(`"{/${tail}*}" is not a variable for several levels, wanted ${oneOf(namesOf(words, ["folder"]))}`);
  }
  const levels: TopicLevel[] = [];
  const seen = new Set<string>();
  for (const text of body.split("/")) {
    const name = /^\{(\w+)\}$/.exec(text)?.[1];
    if (name === undefined) {
      if (/[{}]/.test(text)) return fail(`the level "${text}" is neither text nor one name in braces`);
      levels.push({ kind: "text", text });
      continue;
    }
    if (name === "gateway" || words.parameters.includes(name)) {
      levels.push({ kind: "parameter", name });
      continue;
    }
    const known = namesOf(words, topicTypes);
    const type = Object.hasOwn(words.variables, name) ? words.variables[name] : undefined;
    if (type === undefined || !topicTypes.includes(type)) {
      return fail(`unknown name "{${name}}", wanted ${oneOf(["gateway", ...words.parameters, ...known])}`);
    }
    if (seen.has(name)) return fail(`"{${name}}" stands twice, wanted it once`);
    seen.add(name);
    levels.push({ kind: "variable", name, type });
  }
  return { source, at, levels, ...(tail === undefined ? {} : { tail }) };
}

/** The names of a topic's variables, the tail last. */
export function variablesOfTopic({ levels, tail }: TopicTemplate): readonly string[] {
  const names = levels.flatMap((level) => (level.kind === "variable" ? [level.name] : []));
  return tail === undefined ? names : [...names, tail];
}

/** How two topics share names: `first` and `second` say which is the more literal one, so that it is tried first. */
export type TopicRelation = "apart" | "same" | "first" | "second" | "crossing";

/** Compares which topics two templates match. A parameter counts as a text that is not known yet. */
export function relateTopics(a: TopicTemplate, b: TopicTemplate): TopicRelation {
  const found = new Set<"first" | "second">();
  const shared = Math.min(a.levels.length, b.levels.length);
  for (let index = 0; index < shared; index++) {
    const left = a.levels[index] as TopicLevel;
    const right = b.levels[index] as TopicLevel;
    if (left.kind === "text" && right.kind === "text" && left.text !== right.text) return "apart";
    if (left.kind !== "variable" && right.kind === "variable") found.add("first");
    if (left.kind === "variable" && right.kind !== "variable") found.add("second");
  }
  if (a.levels.length > shared && b.tail === undefined) return "apart";
  if (b.levels.length > shared && a.tail === undefined) return "apart";
  if (a.levels.length > shared || (a.tail === undefined && b.tail !== undefined)) found.add("first");
  if (b.levels.length > shared || (b.tail === undefined && a.tail !== undefined)) found.add("second");
  if (found.size === 2) return "crossing";
  return found.has("first") ? "first" : found.has("second") ? "second" : "same";
}

/** Fills the parameters of a text template (client id, url); unknown names are blamed when the dialect is compiled. */
export function fillTemplate(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) =>
    Object.hasOwn(values, name) ? (values[name] as string) : whole,
  );
}

function namesOf(words: TopicWords, types: readonly ValueType[]): readonly string[] {
  return Object.entries(words.variables).flatMap(([name, type]) => (types.includes(type) ? [name] : []));
}
