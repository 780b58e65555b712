import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, test } from "vitest";
import { type FileWatch, watchFiles } from "../../src/cli/watch-files.ts";
import { eventually } from "../bridge/harness.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "dragoman-watch-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function watched(...files: string[]): Promise<{ readonly watch: FileWatch; changes: number }> {
  const seen = { changes: 0 };
  const watch = watchFiles(() => {
    seen.changes += 1;
  }, 5);
  onTestFinished(() => watch.close());
  await watch.watch(files);
  return Object.assign(seen, { watch });
}

test("a file that is written in place, or saved by renaming as editors do", async () => {
  const file = join(folder(), "a.yaml");
  writeFileSync(file, "one");
  const seen = await watched(file);
  writeFileSync(file, "two!");
  await eventually(() => seen.changes).toBe(1);
  writeFileSync(`${file}~`, "six!");
  renameSync(`${file}~`, file);
  await eventually(() => seen.changes).toBe(2);
});

test("a file that goes and comes back, and one that was not there", async () => {
  const path = folder();
  const [file, other] = [join(path, "a.yaml"), join(path, "b.yaml")];
  writeFileSync(file, "one");
  const seen = await watched(file, other);
  rmSync(file);
  await eventually(() => seen.changes).toBe(1);
  writeFileSync(file, "one");
  await eventually(() => seen.changes).toBe(2);
  writeFileSync(other, "new");
  await eventually(() => seen.changes).toBe(3);
});

test("a link that is swapped beside it, as Kubernetes updates a ConfigMap", async () => {
  const path = folder();
  for (const version of ["v1", "v2"]) {
    mkdirSync(join(path, version));
    writeFileSync(join(path, version, "dragoman.yaml"), "same size");
  }
  symlinkSync("v1", join(path, "..data"));
  symlinkSync("..data/dragoman.yaml", join(path, "dragoman.yaml"));
  const seen = await watched(join(path, "dragoman.yaml"));
  symlinkSync("v2", join(path, "..data_tmp"));
  renameSync(join(path, "..data_tmp"), join(path, "..data"));
  await eventually(() => seen.changes).toBe(1);
});

test("what is marked, and what is not watched any more, is no change", async () => {
  const path = folder();
  const [first, second] = [join(path, "a.yaml"), join(path, "b.yaml")];
  for (const file of [first, second]) writeFileSync(file, "one");
  const seen = await watched(first, second);
  writeFileSync(first, "two!");
  await seen.watch.mark();
  await seen.watch.watch([second]);
  writeFileSync(first, "three");
  writeFileSync(second, "three");
  await eventually(() => seen.changes).toBe(1);
});
