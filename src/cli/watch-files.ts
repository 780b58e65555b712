import { stat } from "node:fs/promises";

export interface FileWatch {
  /** Looks at these files from now on. Those that it looks at already go on being compared with how they were. */
  watch(files: readonly string[]): Promise<void>;
  /** They are about to be read: what they are like now is no change any more. */
  mark(): Promise<void>;
  close(): void;
}

/** Files looked at together: keys and tokens of many gateways are many files. */
const together = 64;

/**
 * Calls `changed` once something about the files has changed, and they have stayed the same from one look to the next: a
 * save is often more than one write, and a change often more than one file.
 *
 * It looks instead of being told. What a system tells of differs with editors that save by renaming, with links that are
 * swapped as Kubernetes does, and with file systems of networks and containers, where it may be nothing.
 */
export function watchFiles(changed: () => void, everyMs = 1000): FileWatch {
  let known = new Map<string, string>();
  let last: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  return {
    async watch(files) {
      const now = await looksOf(files);
      known = new Map([...now].map(([file, look]) => [file, known.get(file) ?? look]));
      if (!isClosed && timer === undefined) arm();
    },
    async mark() {
      known = await looksOf([...known.keys()]);
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };

  function arm(): void {
    timer = setTimeout(() => void look(), everyMs).unref();
  }

  async function look(): Promise<void> {
    const before = known;
    const now = await looksOf([...before.keys()]);
    if (isClosed) return;
    arm();
    const seen = JSON.stringify([...now]);
    const isSettled = seen === last;
    last = seen;
    if (!isSettled || before !== known || [...now].every(([file, as]) => known.get(file) === as)) return;
    known = now;
    changed();
  }
}

/** How each file looks: which one it is behind all links, its size and its times. */
async function looksOf(files: readonly string[]): Promise<Map<string, string>> {
  const looks = new Map<string, string>();
  for (let from = 0; from < files.length; from += together) {
    const some = files.slice(from, from + together);
    const found = await Promise.all(some.map(lookOf));
    for (const [index, file] of some.entries()) looks.set(file, found[index] ?? "");
  }
  return looks;
}

async function lookOf(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "unreadable";
  }
}
