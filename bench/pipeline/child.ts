import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** A part of the benchmark in a process of its own, so that it does not share an event loop with what is measured. */
export interface Child {
  readonly pid: number;
  /** Sends `question` and resolves to the answer. One at a time. */
  ask(question: object): Promise<unknown>;
  stop(): Promise<void>;
}

/** Starts a module of this folder; `ask` works once the module has called {@link answerWith}. */
export async function startChild(module: string): Promise<Child> {
  const child = fork(new URL(module, import.meta.url), { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const ended = once(child, "exit");
  await message(child);
  return {
    pid: child.pid ?? 0,
    ask(question) {
      const answer = message(child);
      child.send(question);
      return answer;
    },
    async stop() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Answers the parent's questions, in the child. */
export function answerWith<Question>(answer: (question: Question) => Promise<unknown>): void {
  process.on("message", async (question) => process.send?.(await answer(question as Question)));
  process.on("disconnect", () => process.exit());
  process.send?.({ kind: "started" });
}

async function message(child: ChildProcess): Promise<unknown> {
  const abort = new AbortController();
  try {
    return await Promise.race([
      once(child, "message", { signal: abort.signal }).then(([value]) => value as unknown),
      once(child, "exit", { signal: abort.signal }).then(() => {
        throw new Error(`A part of the benchmark ended early: ${child.spawnargs.at(-1)}`);
      }),
    ]);
  } finally {
    abort.abort();
  }
}
