import { describe, expect, test } from "vitest";
import { createTurnstile } from "../../src/upstream/turnstile.ts";
import { createManualTimers } from "./manual-timers.ts";
import { openToFake } from "./open-to-fake.ts";

/** Notes who is let through, in order. */
function openTurnstile(places: number) {
  const time = createManualTimers();
  const passed: string[] = [];
  const emptied = () => void passed.push("nobody");
  const turnstile = createTurnstile({ timers: time.timers, places, holdMs: 1000, emptied });
  const enter = async (name: string) => {
    const through = await turnstile.enter();
    passed.push(name);
    return through;
  };
  return { time, enter, passed };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("createTurnstile()", () => {
  test("lets through as many as there are places, the others in the order in which they came", async () => {
    const { enter, passed } = openTurnstile(2);
    const [a, b] = [enter("a"), enter("b"), enter("c"), enter("d"), enter("e")];
    await settled();
    expect(passed).toEqual(["a", "b"]);
    (await b)?.();
    await settled();
    expect(passed).toEqual(["a", "b", "c"]);
    const first = await a;
    first?.();
    first?.();
    await settled();
    expect(passed).toEqual(["a", "b", "c", "d"]);
  });

  test("whoever takes long keeps nobody waiting, and leaves no timer behind", async () => {
    const { enter, passed, time } = openTurnstile(1);
    void enter("hangs");
    const next = enter("next");
    await settled();
    expect(passed).toEqual(["hangs"]);
    time.advance(1000);
    (await next)();
    expect(passed).toEqual(["hangs", "next", "nobody"]);
    expect(time.due()).toEqual([]);
  });

  test("says when the last one is through, each time", async () => {
    const { enter, passed } = openTurnstile(2);
    const [a, b, c] = [enter("a"), enter("b"), enter("c")];
    (await a)();
    (await b)();
    await settled();
    expect(passed).toEqual(["a", "b", "c"]);
    (await c)();
    expect(passed).toEqual(["a", "b", "c", "nobody"]);
    (await enter("d"))();
    expect(passed).toEqual(["a", "b", "c", "nobody", "d", "nobody"]);
  });
});

test("connections log in at their turn: when the one before is open or closed", async () => {
  const time = createManualTimers();
  const turnstile = createTurnstile({ timers: time.timers, places: 1 });
  const loggedIn: string[] = [];
  const openNamed = (clientId: string) =>
    openToFake({
      turnstile,
      login: async () => {
        loggedIn.push(clientId);
        return { clientId };
      },
    });
  const first = await openNamed("first");
  const closed = await openNamed("closed");
  const last = await openNamed("last");
  await settled();
  expect(loggedIn).toEqual(["first"]);
  await closed.close();
  await first.opened();
  await last.opened();
  expect(loggedIn).toEqual(["first", "last"]);
  expect(time.due()).toEqual([]);
});
