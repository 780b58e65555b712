import { expect, onTestFinished, test } from "vitest";
import { builtInMappings } from "../../src/mappings.ts";
import type { PlaygroundRequest } from "../../src/message/playground.ts";
import { openPlayground, type PlaygroundOptions } from "../../src/playground/playground.ts";

// The thread runs what `npm run build` made.

const textOf = (name: string) => builtInMappings().find((source) => source.name === name)?.text ?? "";
const request: PlaygroundRequest = {
  ...{ local: "thingsboard", upstream: "google", direction: "up", topic: "v1/gateway/telemetry" },
  payload: '{"Device A":[{"ts":1,"values":{"t":42}}]}',
};
const good = { result: { sent: [{ to: "upstream" }, { to: "upstream" }] } };

function open(options: PlaygroundOptions = {}) {
  const playground = openPlayground(options);
  onTestFinished(() => playground.close());
  return playground;
}

/** Each alias stands for ten of the one before: ten thousand millions of nodes from a few lines. */
function aliases(): string {
  const lines = Array.from(
    { length: 10 },
    (_, index) => `x${index + 1}: &x${index + 1} [${`*x${index}, `.repeat(10)}]`,
  );
  return ["x0: &x0 y", ...lines].join("\n");
}

test.each([
  ["aliases of aliases", { local: `${textOf("thingsboard")}\n${aliases()}` }],
  [
    "a pattern that backtracks for ever",
    { upstream: textOf("google").replace(/^( +pattern:).*$/m, "$1 '(?:(?:[A-Za-z ]+)+)+[0-9]{4}'") },
  ],
  ["nesting without end", { local: `${textOf("thingsboard")}\nconvert: ${"[".repeat(100_000)}` }],
])("%s in a text ends that request only, and nobody else's time", async (_what, mappings) => {
  const playground = open({ timeoutMs: 2000 });
  let turns = 0;
  const ticking = setInterval(() => {
    turns += 1;
  }, 5);
  onTestFinished(() => clearInterval(ticking));
  const device = "a".repeat(200);
  const payload = JSON.stringify({ [device]: [{ ts: 1, values: { t: 42 } }] });
  const answer = await playground.try({ ...request, payload, mappings });
  expect(Object.keys(answer)).not.toContain("result");
  expect(turns).toBeGreaterThan(0);
  expect(await playground.try(request)).toMatchObject(good);
});

test("requests wait for their turn, a few of them, and the thread is not asked for by nobody", async () => {
  const playground = open();
  const answers = await Promise.all(Array.from({ length: 20 }, () => playground.try(request)));
  const refused = answers.filter((answer) => "refused" in answer);
  expect(answers.filter((answer) => "result" in answer).length).toBeGreaterThanOrEqual(8);
  expect(refused.length).toBeGreaterThan(0);
  expect((await playground.dialects()).map(({ name }) => name)).toContain("omnicore");
});

test("close() refuses what waits and what comes, and may be called twice", async () => {
  const playground = open();
  const waiting = playground.try(request);
  await Promise.all([playground.close(), playground.close()]);
  expect(await waiting).toMatchObject({ refused: expect.any(String) });
  expect(await playground.try(request)).toMatchObject({ refused: expect.any(String) });
  expect(await playground.dialects()).toEqual([]);
});
