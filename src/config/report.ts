import { type Mistake, type Place, sortMistakes } from "./mistake.ts";
import type { Source } from "./source.ts";

/** Collects mistakes and knows where things stand. */
export interface Report {
  /** Adds a mistake about the value at `pointer`, or about its key. */
  add(pointer: string, text: string, about?: "value" | "key"): void;
  /** Whether the value, or anything in it, has a mistake already, so that further ones would only be echoes. */
  isWrong(pointer: string): boolean;
  mistakes(): readonly Mistake[];
}

/** A report on one source that starts with the source's own mistakes. */
export function createReport(source: Source): Report {
  const mistakes: Mistake[] = [];
  const wrong = new Set<string>();
  for (const { pointer, place, text } of source.mistakes) push(pointer, place, text);
  return {
    add(pointer, text, about = "value") {
      const node = nearestNode(pointer);
      push(
        pointer,
        (about === "key" ? node?.keyPlace : node?.place) ?? { file: source.file, line: 1, column: 1 },
        text,
      );
    },
    isWrong: (pointer) => wrong.has(pointer),
    mistakes: () => sortMistakes(mistakes),
  };

  function push(pointer: string, place: Place, text: string): void {
    mistakes.push({ ...place, message: pointer === "" ? text : `${nameOf(pointer)}: ${text}` });
    for (let at = pointer; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) wrong.add(at);
  }

  /** What is not in the file is pointed at where it should be. */
  function nearestNode(pointer: string) {
    for (let at = pointer; ; at = at.slice(0, at.lastIndexOf("/"))) {
      const node = source.nodes.get(at);
      if (node !== undefined || at === "") return node;
    }
  }
}

/** `/gateways/0/local/token` as a person writes it: `gateways[0].local.token`. */
export function nameOf(pointer: string): string {
  let name = "";
  for (const part of pointer.split("/").slice(1)) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (/^\d+$/.test(key)) name += `[${key}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(key)) name += name === "" ? key : `.${key}`;
    else name += `[${JSON.stringify(key)}]`;
  }
  return name;
}
