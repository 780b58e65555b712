import type { TopicLevel, TopicTemplate } from "./topic-template.ts";

/** A topic template whose parameters are known. */
export interface BoundTopic {
  /** The raw texts of the variables, the tail last (`undefined`: no level there). `undefined`: another topic. */
  match(levels: readonly string[]): readonly (string | undefined)[] | undefined;
  /** The topic filter that matches what this template prints for one device; without a device for the gateway's own id. */
  filter(device: string): string;
  /** Whether a filter is that of this template; the device it names, if the template has one. */
  matchFilter(levels: readonly string[]): { readonly device?: string } | undefined;
  /** The topic itself, where nothing in it varies. */
  readonly constant: string | undefined;
  /** The first level in which a topic differs, in words; for explanations. */
  difference(levels: readonly string[]): { readonly same: number; readonly text: string };
  readonly levels: readonly BoundLevel[];
  readonly hasTail: boolean;
}

/** A text, or the name of a variable. */
export type BoundLevel = { readonly text: string } | { readonly variable: string };

/** Fills a template's parameters; one that is missing stands as its name. */
export function bindTopic(template: TopicTemplate, values: Readonly<Record<string, string>>): BoundTopic {
  const levels = template.levels.map((level): BoundLevel => boundLevel(level, values));
  const hasTail = template.tail !== undefined;
  const texts = levels.map((level) => ("text" in level ? level.text : undefined));
  const isConstant = !hasTail && texts.every((text) => text !== undefined);

  return {
    levels,
    hasTail,
    constant: isConstant ? texts.join("/") : undefined,
    match: (given) => {
      if (hasTail ? given.length < texts.length : given.length !== texts.length) return undefined;
      const captured: (string | undefined)[] = [];
      for (let index = 0; index < texts.length; index++) {
        const text = texts[index];
        const level = given[index] as string;
        if (text === undefined) {
          if (level === "") return undefined;
          captured.push(level);
        } else if (text !== level) return undefined;
      }
      if (hasTail) {
        const folder = given.length > texts.length ? given.slice(texts.length).join("/") : undefined;
        // "events/" has an empty level below it, which is no folder that could be printed again.
        if (folder !== undefined && (folder === "" || folder.startsWith("/") || folder.endsWith("/"))) return undefined;
        captured.push(folder);
      }
      return captured;
    },
    filter: (device) =>
      levels.map((level) => ("text" in level ? level.text : level.variable === "device" ? device : "+")).join("/") +
      (hasTail ? "/#" : ""),
    matchFilter: (given) => {
      if (given.length !== texts.length + (hasTail ? 1 : 0)) return undefined;
      if (hasTail && given.at(-1) !== "#") return undefined;
      let device: string | undefined;
      for (const [index, level] of levels.entries()) {
        const said = given[index] as string;
        if ("text" in level) {
          if (level.text !== said) return undefined;
        } else if (level.variable === "device") {
          if (said === "" || said === "+" || said === "#") return undefined;
          device = said;
        } else if (said !== "+") return undefined;
      }
      return device === undefined ? {} : { device };
    },
    difference: (given) => {
      for (const [index, text] of texts.entries()) {
        const said = given[index];
        if (said === undefined)
          return { same: index, text: `the topic ends where ${wantedAt(levels[index])} was wanted` };
        if (text !== undefined ? text !== said : said === "") {
          return { same: index, text: `level ${index + 1} is "${said}", wanted ${wantedAt(levels[index])}` };
        }
      }
      const more = given.length > texts.length;
      return {
        same: texts.length,
        text: more && !hasTail ? `the topic goes on with "${given.slice(texts.length).join("/")}"` : "",
      };
    },
  };
}

function boundLevel(level: TopicLevel, values: Readonly<Record<string, string>>): BoundLevel {
  if (level.kind === "variable") return { variable: level.name };
  return {
    text:
      level.kind === "text"
        ? level.text
        : Object.hasOwn(values, level.name)
          ? (values[level.name] as string)
          : level.name,
  };
}

function wantedAt(level: BoundLevel | undefined): string {
  if (level === undefined) return "nothing";
  return "text" in level ? `"${level.text}"` : `a ${level.variable}`;
}
