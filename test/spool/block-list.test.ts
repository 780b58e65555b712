import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { Block } from "../../src/spool/block.ts";
import { BlockList } from "../../src/spool/block-list.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

test.each<[string, (list: BlockList, block: Block) => void]>([
  ["shift()", (list, block) => void [...list.shift(block.seq)]],
  [
    "lost()",
    (list, block) => {
      block.isGone = true;
      list.lost();
    },
  ],
])("%s leaves nothing of the last block in memory, and room for the next", async (_, takeOut) => {
  const list = new BlockList();
  const comeAndGo = (seq: number) => {
    const block = new Block(seq, 0);
    list.push(block);
    takeOut(list, block);
    return new WeakRef(block);
  };
  const gone = [1, 2, 3].map(comeAndGo);
  // What a WeakRef was made of lives until the turn ends.
  await new Promise(setImmediate);
  collectGarbage();
  expect(gone.map((block) => block.deref())).toEqual([undefined, undefined, undefined]);
  const next = new Block(4, 0);
  list.push(next);
  expect([list.of(4), list.of(3), [...list.from(0)].length]).toEqual([next, undefined, 1]);
});

test("what shift() took out is not found any more", () => {
  const list = new BlockList();
  for (const seq of [1, 2, 3, 4, 5, 6]) list.push(new Block(seq, 0));
  expect([...list.shift(2)].map(({ seq }) => seq)).toEqual([1, 2]);
  expect([list.of(2), list.get(2), list.of(3)?.seq, list.get(6)?.seq]).toEqual([undefined, undefined, 3, 6]);
});
