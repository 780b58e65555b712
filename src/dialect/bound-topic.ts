import { editsBetween } from "../message/edits.ts";
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
  /** Where a topic first differs, and how much; for explanations. */
  difference(levels: readonly string[]): TopicDifference;
  readonly levels: readonly BoundLevel[];
  readonly hasTail: boolean;
}

export interface TopicDifference {
  /** The first level that differs, in words. */
  readonly text: string;
  /** Levels before that one. */
  readonly same: number;
  /** Fixed levels of the template that the topic has, in their places. */
  readonly alike: number;
  /** Letters to change in the first level that differs. */
  readonly edits: number;
}

/** A text, or the name of a variable. */
export type BoundLevel = { readonly text: string } | { readonly variable: string };

/** Beyond so many letters two levels count as nothing alike. */
const maxLevel = 24;

/** Fills a template's parameters; one that is missing stands as its name. */
export function bindTopic(template: TopicTemplate, values: Readonly<Record<string, string>>): BoundTopic {
  return new FilledTopic(template, values);
}

class FilledTopic implements BoundTopic {
  readonly constant: string | undefined;
  readonly #template: TopicTemplate;
  /** The levels in order; `undefined` where a variable stands. */
  readonly #texts: readonly (string | undefined)[];

  constructor(template: TopicTemplate, values: Readonly<Record<string, string>>) {
    this.#template = template;
    this.#texts = template.levels.map((level) => textOf(level, values));
    const isConstant = !this.hasTail && this.#texts.every((text) => text !== undefined);
    this.constant = isConstant ? this.#texts.join("/") : undefined;
  }

  get hasTail(): boolean {
    return this.#template.tail !== undefined;
  }

  get levels(): readonly BoundLevel[] {
    return this.#template.levels.map((level, index): BoundLevel => {
      const text = this.#texts[index];
      return level.kind === "variable" ? { variable: level.name } : { text: text ?? "" };
    });
  }

  match(given: readonly string[]): readonly (string | undefined)[] | undefined {
    const texts = this.#texts;
    const { hasTail } = this;
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
  }

  filter(device: string): string {
    const levels = this.#texts.map((text, index) => text ?? (this.#isDevice(index) ? device : "+"));
    return levels.join("/") + (this.hasTail ? "/#" : "");
  }

  matchFilter(given: readonly string[]): { readonly device?: string } | undefined {
    const texts = this.#texts;
    if (given.length !== texts.length + (this.hasTail ? 1 : 0)) return undefined;
    if (this.hasTail && given.at(-1) !== "#") return undefined;
    let device: string | undefined;
    for (const [index, text] of texts.entries()) {
      const said = given[index] as string;
      if (text !== undefined) {
        if (text !== said) return undefined;
      } else if (this.#isDevice(index)) {
        if (said === "" || said === "+" || said === "#") return undefined;
        device = said;
      } else if (said !== "+") return undefined;
    }
    return device === undefined ? {} : { device };
  }

  difference(given: readonly string[]): TopicDifference {
    const texts = this.#texts;
    const alike = texts.filter((text, index) => text !== undefined && text === given[index]).length;
    const same = texts.findIndex((text, index) => !isLike(text, given[index]));
    if (same >= 0) {
      const said = given[same];
      const wanted = wantedAt(this.levels[same]);
      if (said === undefined)
        return { same, alike, edits: maxLevel, text: `the topic ends where ${wanted} was wanted` };
      const edits = editsBetween(said.slice(0, maxLevel), (texts[same] ?? "").slice(0, maxLevel));
      return { same, alike, edits, text: `level ${same + 1} is "${said}", wanted ${wanted}` };
    }
    const more = given.slice(texts.length).join("/");
    const text = more !== "" && !this.hasTail ? `the topic goes on with "${more}"` : "";
    return { same: texts.length, alike, edits: 0, text };
  }

  #isDevice(index: number): boolean {
    const level = this.#template.levels[index];
    return level?.kind === "variable" && level.name === "device";
  }
}

/** A level's text; `undefined`: a variable stands there. */
function textOf(level: TopicLevel, values: Readonly<Record<string, string>>): string | undefined {
  if (level.kind === "variable") return undefined;
  if (level.kind === "text") return level.text;
  return Object.hasOwn(values, level.name) ? values[level.name] : level.name;
}

/** Whether a level can be what the template has there; a variable is never empty. */
function isLike(text: string | undefined, said: string | undefined): boolean {
  return said !== undefined && (text === undefined ? said !== "" : text === said);
}

function wantedAt(level: BoundLevel | undefined): string {
  if (level === undefined) return "nothing";
  return "text" in level ? `"${level.text}"` : `a ${level.variable}`;
}
