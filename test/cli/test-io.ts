import { Readable } from "node:stream";
import type { Io } from "../../src/cli/io.ts";

/** An Io whose output is kept as text. */
export interface TestIo extends Io {
  readonly out: () => string;
  readonly err: () => string;
}

/** What a command sees in a test instead of a process. */
export function testIo(options: { readonly stdin?: string; readonly env?: Io["env"] } = {}): TestIo {
  const out: string[] = [];
  const err: string[] = [];
  return {
    stdin: Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]),
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
    env: options.env ?? {},
    onSignal: () => () => undefined,
    exitCode: 0,
    out: () => out.join(""),
    err: () => err.join(""),
  };
}
