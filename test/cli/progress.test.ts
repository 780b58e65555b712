import { expect, test } from "vitest";
import { withProgress } from "../../src/cli/progress.ts";
import { loadConfig } from "../../src/config.ts";
import { configText, createWorkspace } from "../config/workspace.ts";
import { testIo } from "./test-io.ts";

function terminal() {
  const written: string[] = [];
  return { written, stderr: { isTTY: true, write: (text: string) => written.push(text) } };
}

test("withProgress() shows how far it is after a second, ten times a second, and clears the line", async () => {
  const { written, stderr } = terminal();
  let nowMs = 5000;
  const result = await withProgress(
    { stderr },
    "counting",
    (progress) => {
      for (let done = 1; done <= 13; done++) {
        nowMs += 95;
        progress(done * 1000, 20_000);
      }
      progress(14_000);
      return "result";
    },
    () => nowMs,
  );
  expect(result).toBe("result");
  expect(written).toEqual([
    "\rcounting: 11,000 of 20,000\u001b[K",
    "\rcounting: 13,000 of 20,000\u001b[K",
    "\r\u001b[K",
  ]);
});

test("withProgress() clears the line of what failed", async () => {
  const { written, stderr } = terminal();
  let nowMs = 0;
  const failing = withProgress(
    { stderr },
    "counting",
    (progress) => {
      nowMs = 2000;
      progress(1);
      throw new Error("no");
    },
    () => nowMs,
  );
  await expect(failing).rejects.toThrow("no");
  expect(written).toEqual(["\rcounting: 1\u001b[K", "\r\u001b[K"]);
});

test("withProgress() shows nothing where stderr is no terminal", async () => {
  const io = testIo();
  await withProgress(
    io,
    "counting",
    (progress) => progress(1),
    () => Number.MAX_SAFE_INTEGER,
  );
  expect(io.err()).toBe("");
});

test("loadConfig() says how many gateways it has checked", async () => {
  const gateway = (id: string) =>
    `{ id: ${id}, local: { token: file:${id} }, upstream: { privateKey: file:keys/p256.pem, algorithm: ES256 } }`;
  const folder = createWorkspace({
    ...{ a: "token-a", b: "token-b" },
    "dragoman.yaml": configText({
      gateways: `[${gateway("gw-a")}, ${gateway("gw-b")}]`.replaceAll("file:gw-", "file:"),
    }),
  });
  const told: (readonly [number, number])[] = [];
  const loaded = await loadConfig(`${folder}/dragoman.yaml`, { env: {}, progress: (...far) => told.push(far) });
  expect(loaded).toHaveProperty("config");
  expect(told).toEqual([
    [1, 2],
    [2, 2],
  ]);
});
