import fc from "fast-check";
import { expect, test } from "vitest";
import { FlightTable } from "../../src/gateway/flight-table.ts";
import type { Flight } from "../../src/gateway/flights.ts";
import { createLane } from "../../src/gateway/lane.ts";

const lane = createLane(undefined);

test("a FlightTable holds what a Map from tokens to flights would, whatever comes and goes", () => {
  const steps = fc.array(
    fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("add"), skipped: fc.nat(40) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete"), which: fc.nat(1000) }) },
    ),
    { maxLength: 300 },
  );
  fc.assert(
    fc.property(steps, fc.constantFrom(0, 2 ** 31 - 20, 2 ** 40), (all, firstToken) => {
      const table = new FlightTable();
      const expected = new Map<number, Flight>();
      let token = firstToken;
      for (const step of all) {
        if ("skipped" in step) {
          token += 1 + step.skipped;
          const flight = flightOf(token);
          table.add(flight);
          expected.set(token, flight);
        } else {
          const tokens = [...expected.keys()];
          const gone = tokens[step.which % tokens.length] ?? -1;
          table.delete(gone);
          expected.delete(gone);
          expect(table.get(gone)).toBeUndefined();
        }
        expect(table.size).toBe(expected.size);
      }
      expect(table.all()).toEqual([...expected.values()]);
      for (const [known, flight] of expected) expect(table.get(known)).toBe(flight);
    }),
  );
});

test("a flight that stays while thousands pass stays where it is found", () => {
  const table = new FlightTable();
  const stuck = flightOf(1);
  table.add(stuck);
  for (let token = 2; token < 10_000; token++) {
    table.add(flightOf(token));
    if (token > 6) table.delete(token - 4);
  }
  expect(table.get(1)).toBe(stuck);
  expect(table.all().map(({ token }) => token)).toEqual([1, 2, 9996, 9997, 9998, 9999]);
});

function flightOf(token: number): Flight {
  return { token, purpose: "data", lane, waiting: undefined, riders: [], revision: 0, sentMs: 0 };
}
