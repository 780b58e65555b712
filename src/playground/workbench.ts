import { compileDialect, type MappingSource } from "../dialect/compile.ts";
import type { Dialect } from "../dialect/dialect.ts";
import type { Mistake } from "../dialect/mistake.ts";
import { verifyDialect } from "../dialect/verify.ts";
import type { PlaygroundDialect } from "../message/playground.ts";

/** A compiled text, or what is wrong with it. */
export type Compiled =
  /** `warnings`: it works, but breaks its own examples or a law. */
  | { readonly dialect: Dialect; readonly warnings: readonly Mistake[] }
  | { readonly mistakes: readonly Mistake[]; readonly file: string };

/** Compiles mapping texts in place of the built-in ones, and remembers the last few. */
export interface Workbench {
  readonly names: readonly string[];
  /** @param text Left out: as it comes with the package. */
  compile(name: string, text?: string): Compiled;
  /** The built-in dialects, for people to begin with. */
  dialects(): readonly PlaygroundDialect[];
}

const maxRemembered = 12;

export function createWorkbench(sources: readonly MappingSource[]): Workbench {
  const remembered = new Map<string, Compiled>();
  const workbench: Workbench = {
    names: sources.map(({ name }) => name),

    compile(name, text) {
      const source = sources.find((one) => one.name === name);
      if (source === undefined) throw new RangeError(`Cannot compile "${name}": no such dialect`);
      const key = `${name}\n${text ?? source.text}`;
      const compiled = remembered.get(key) ?? compile(source, text ?? source.text);
      // The one that was asked for last is forgotten last.
      remembered.delete(key);
      remembered.set(key, compiled);
      for (const oldest of remembered.keys()) if (remembered.size > maxRemembered) remembered.delete(oldest);
      return compiled;
    },

    dialects: () =>
      sources.flatMap(({ name, file, text }) => {
        const compiled = workbench.compile(name);
        if ("mistakes" in compiled) return [];
        const { describe, examples } = compiled.dialect;
        return [{ name, title: titleOf(describe, name), mapping: text, file, examples: examples.map(exampleOf) }];
      }),
  };
  return workbench;

  function compile(source: MappingSource, text: string): Compiled {
    const { name, file } = source;
    const compiled = compileDialect(
      name,
      sources.map((one) => (one === source ? { ...one, text } : one)),
    );
    if ("mistakes" in compiled) return { mistakes: compiled.mistakes, file };
    return { dialect: compiled.dialect, warnings: verifyDialect(compiled.dialect) };
  }
}

/** The first sentence of a description. */
function titleOf(describe: string, name: string): string {
  const [first = ""] = describe.trim().split(/(?<=\.)\s/);
  return first === "" ? name : first.replace(/\.$/, "").replace(/\s+/g, " ");
}

function exampleOf({
  rule,
  direction,
  topic,
  payload,
}: Dialect["examples"][number]): PlaygroundDialect["examples"][number] {
  return { direction, topic, payload: Buffer.from(payload).toString("utf8"), describe: rule.name };
}
