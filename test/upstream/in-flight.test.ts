import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InFlight } from "../../src/upstream/in-flight.ts";

describe("InFlight", () => {
  test("behaves as an ordered list of ids and tokens, whatever is answered or forgotten in whatever order", () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.constant({ kind: "add" } as const) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("answer" as const), at: fc.nat(40) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("forget" as const), at: fc.nat(40) }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant("stray" as const), id: fc.integer({ min: 1, max: 65_535 }) }),
      },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const inFlight = new InFlight();
        const model: { id: number; token: number }[] = [];
        const used = new Set<number>();
        let token = 1000;
        for (const action of steps) {
          if (action.kind === "add") {
            const id = inFlight.add("publish", ++token, 0);
            expect(used.has(id)).toBe(false);
            used.add(id);
            model.push({ id, token });
          } else if (action.kind === "stray") {
            if (!used.has(action.id)) expect(inFlight.answer(action.id, "publish", 0)).toBeUndefined();
          } else {
            const chosen = model[action.at % Math.max(1, model.length)];
            if (chosen === undefined) continue;
            model.splice(model.indexOf(chosen), 1);
            if (action.kind === "forget") inFlight.forget(chosen.token);
            else expect(inFlight.answer(chosen.id, "publish", 0)).toBe(chosen.token);
            expect(inFlight.answer(chosen.id, "publish", 0)).toBeUndefined();
          }
          expect(inFlight.waiting()).toEqual(model.map((entry) => entry.token));
          expect(inFlight.publishes).toBe(model.length);
          expect(inFlight.oldest()?.token).toBe(model[0]?.token);
        }
      }),
    );
  });

  test("cycles through the ids 1 to 65535 and never gives out one that waits", () => {
    const inFlight = new InFlight();
    const stuck = inFlight.add("publish", 0, 0);
    expect(stuck).toBe(1);
    for (let token = 1; token < 65_535; token++) {
      const id = inFlight.add("publish", token, 0);
      if (id !== token + 1) expect(id).toBe(token + 1);
      inFlight.answer(id, "publish", 0);
    }
    expect(inFlight.free).toBe(0);
    expect(inFlight.answer(stuck, "publish", 0)).toBe(0);
    expect(inFlight.free).toBe(65_535);
    expect(inFlight.add("publish", 7, 0)).toBe(1);
  });

  test("an answer of another kind does not count", () => {
    const inFlight = new InFlight();
    const id = inFlight.add("subscribe", 5, 0);
    expect(inFlight.answer(id, "publish", 0)).toBeUndefined();
    expect(inFlight.answer(id, "subscribe", 0)).toBe(5);
    expect(inFlight.isEmpty).toBe(true);
  });

  test("the oldest is as old as its sending, or as the answer to the one before it", () => {
    const inFlight = new InFlight();
    const first = inFlight.add("publish", 1, 100);
    inFlight.add("publish", 2, 110);
    const third = inFlight.add("publish", 3, 120);
    inFlight.answer(third, "publish", 500);
    expect(inFlight.oldest()).toMatchObject({ token: 1, sinceMs: 100 });
    inFlight.answer(first, "publish", 600);
    expect(inFlight.oldest()).toMatchObject({ token: 2, sinceMs: 600 });
    inFlight.add("publish", 4, 700);
    inFlight.forget(2);
    expect(inFlight.oldest()).toMatchObject({ token: 4, sinceMs: 700 });
  });

  test("what is forgotten stays unanswered until its PUBACK comes, late as it may be", () => {
    const inFlight = new InFlight();
    const id = inFlight.add("publish", 1, 0);
    inFlight.add("publish", 2, 0);
    inFlight.forget(1);
    expect([inFlight.publishes, inFlight.unanswered]).toEqual([1, 2]);
    expect(inFlight.answer(id, "publish", 0)).toBeUndefined();
    expect([inFlight.publishes, inFlight.unanswered]).toEqual([1, 1]);
    expect(inFlight.answer(id, "publish", 0)).toBeUndefined();
    expect([inFlight.publishes, inFlight.unanswered]).toEqual([1, 1]);
  });
});
