import { Worker } from "node:worker_threads";
import type { Playground, PlaygroundAnswer, PlaygroundDialect, PlaygroundRequest } from "../message/playground.ts";

/** What the thread is asked, and what it answers. */
export interface WorkerRequest {
  readonly id: number;
  readonly request: PlaygroundRequest | "dialects";
}

export interface WorkerResponse {
  readonly id: number;
  readonly answer: PlaygroundAnswer | readonly PlaygroundDialect[];
}

export type WorkerMessage = "ready" | WorkerResponse;

export interface OpenPlayground extends Playground {
  close(): Promise<void>;
}

export interface PlaygroundOptions {
  /** The built worker's file. */
  readonly worker?: URL;
  readonly timeoutMs?: number;
}

/** A mapping compiles in some 50 ms, and the thread is there in 300 ms. */
const timeoutMs = 5_000;
const startTimeoutMs = 30_000;
const maxWaiting = 8;
/** Nobody types any more. */
const idleMs = 60_000;
const maxHeapMb = 128;

/**
 * Tries mapping texts in a thread of its own, which is started when first asked and ended when nobody asks any more.
 *
 * A text that compiles for ever, or wants all memory, ends its thread and is refused; the bridge does not notice.
 */
export function openPlayground(options: PlaygroundOptions = {}): OpenPlayground {
  const limitMs = options.timeoutMs ?? timeoutMs;
  const file = options.worker ?? workerFile();
  const waiting: Job[] = [];
  let worker: Worker | undefined;
  let isReady = false;
  let current: Job | undefined;
  let timer: NodeJS.Timeout | undefined;
  let lastId = 0;
  let isClosed = false;

  return {
    dialects: () => ask("dialects", () => []) as Promise<readonly PlaygroundDialect[]>,
    try: (request) => ask(request, (refused) => ({ refused })) as Promise<PlaygroundAnswer>,
    async close() {
      isClosed = true;
      await stop("the bridge is about to end");
    },
  };

  function ask(request: WorkerRequest["request"], refuse: Job["refuse"]): Promise<WorkerResponse["answer"]> {
    return new Promise((resolve) => {
      if (isClosed || waiting.length >= maxWaiting) {
        resolve(refuse("too much is being tried at once: try again in a moment"));
        return;
      }
      waiting.push({ request, resolve, refuse });
      if (current === undefined) next();
    });
  }

  function next(): void {
    clearTimeout(timer);
    current = waiting.shift();
    if (current === undefined) {
      timer = setTimeout(() => void stop("idle"), idleMs).unref();
      return;
    }
    lastId += 1;
    if (worker === undefined) start();
    else if (isReady) post(current);
  }

  /** The time that it takes counts from here. Our own texts are no danger, and many at once. */
  function post({ request }: Job): void {
    const allowedMs = request === "dialects" ? startTimeoutMs : limitMs;
    timer = setTimeout(() => void stop(`it took more than ${allowedMs / 1000} s`), allowedMs).unref();
    worker?.postMessage({ id: lastId, request } satisfies WorkerRequest);
  }

  function start(): void {
    isReady = false;
    timer = setTimeout(() => void stop("its thread does not start"), startTimeoutMs).unref();
    const started = new Worker(file, {
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
      // Nothing of the process's secrets is a mapping's business.
      env: {},
      execArgv: [],
      stdout: true,
      stderr: true,
    });
    worker = started;
    started.unref();
    started.on("message", (message: WorkerMessage) => {
      if (worker !== started) return;
      if (message !== "ready") {
        if (message.id === lastId) end(message.answer);
        return;
      }
      isReady = true;
      clearTimeout(timer);
      if (current !== undefined) post(current);
    });
    started.on("error", () => ended(started, "it needs too much memory, or shows a defect of dragoman"));
    started.on("exit", () => ended(started, "its thread has ended"));
  }

  function ended(which: Worker, why: string): void {
    if (worker === which) void stop(why);
  }

  /** Ends the thread; whoever waits for it is told why. The next request starts another one. */
  async function stop(why: string): Promise<void> {
    clearTimeout(timer);
    const stopped = worker;
    worker = undefined;
    if (current !== undefined) end(current.refuse(why));
    await stopped?.terminate();
  }

  function end(answer: WorkerResponse["answer"]): void {
    const ended = current;
    current = undefined;
    ended?.resolve(answer);
    next();
  }
}

interface Job {
  readonly request: WorkerRequest["request"];
  readonly resolve: (answer: WorkerResponse["answer"]) => void;
  readonly refuse: (why: string) => WorkerResponse["answer"];
}

/** Threads run JavaScript only: beside the sources it is the built one. */
function workerFile(): URL {
  const isSource = import.meta.url.endsWith(".ts");
  return new URL(isSource ? "../../dist/playground/worker.js" : "./worker.js", import.meta.url);
}
