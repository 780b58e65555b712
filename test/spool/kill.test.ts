import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterAll, expect, test } from "vitest";
import type { MessageRef } from "../../src/message/fate.ts";
import { code, codeAt } from "../../src/spool/record-state.ts";
import { auditSpool, newFolder, removeFolders } from "./audit-spool.ts";
import { buildProgram } from "./built.ts";

const rounds = 12;

type Line =
  | { readonly ready: number }
  | { readonly appended: number; readonly gateway: string; readonly count: number; readonly text: string }
  | { readonly asked: MessageRef }
  | { readonly settled: MessageRef };

afterAll(removeFolders);

test("kill -9 at any moment loses nothing that was promised, and every counter and index is right afterwards", async () => {
  const program = await buildProgram("writer");
  const directory = await newFolder();
  const promised = new Map<number, { gateway: string; count: number; text: string }>();
  const asked = new Set<string>();
  const settled = new Set<string>();
  const nameOf = ({ seq, index }: MessageRef) => `${seq}/${index}`;

  for (let round = 0; round < rounds; round++) {
    // The moment is so many lines after it began, and so another one in every round.
    for (const line of await runAndKill(program, directory, round + 1, 200 + round * 311)) {
      if ("appended" in line) promised.set(line.appended, line);
      else if ("asked" in line) asked.add(nameOf(line.asked));
      else if ("settled" in line) settled.add(nameOf(line.settled));
    }
    const { mistakes, records } = await auditSpool(directory);
    expect(mistakes).toEqual([]);
    const lost: string[] = [];
    for (const [seq, { gateway, count, text }] of promised) {
      const record = records.get(seq);
      if (record !== undefined && (record.gateway !== gateway || record.text !== text))
        lost.push(`record ${seq} is another`);
      for (let index = 0; index < count; index++) {
        const found = record === undefined ? code.delivered : codeAt(record.state, index);
        const isOver = found === code.delivered || found === code.dropped;
        const name = nameOf({ seq, index });
        if (isOver && !asked.has(name)) lost.push(`message ${name} is gone, and nobody asked for it`);
        if (!isOver && settled.has(name)) lost.push(`message ${name} was settled, and is back`);
      }
    }
    expect(lost).toEqual([]);
  }
  expect(promised.size).toBeGreaterThan(500);
  expect(settled.size).toBeGreaterThan(500);
});

/** Runs the program and kills it after so many lines. */
async function runAndKill(program: string, directory: string, seed: number, lines: number): Promise<Line[]> {
  const child = spawn(process.execPath, [program, directory, String(seed)], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const found: Line[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    // The last line may be cut off where the process ended.
    if (line.endsWith("}")) found.push(JSON.parse(line) as Line);
    if (found.length === lines) child.kill("SIGKILL");
  }
  expect(await exited).toEqual([null, "SIGKILL"]);
  return found;
}
