import fc from "fast-check";
import { expect, test } from "vitest";
import type { Setup } from "./play.ts";
import { changing, documented } from "./play.ts";
import { type Happening, happenings, World } from "./world.ts";

/** More of them by hand, after a change to the rules. */
const runs = Number(process.env["PROPERTY_RUNS"] ?? 60);

const happening: fc.Arbitrary<Happening> = fc.record({
  what: fc.constantFrom(...happenings),
  which: fc.nat(60),
  device: fc.nat(3),
});

const paced = {
  ...documented,
  limits: { ...documented.limits, messagesPerSecond: 20, pace: 0.8, bytesPerSecond: 2000 },
};
const setups: Record<string, Setup> = {
  "a wide window": {},
  "a window of one": { inFlight: 1 },
  "a small window and a slow cloud": { inFlight: 3, upstream: paced },
  "no time to settle and single states": { settleMs: 0, rules: { state: { mode: "as-is" } } },
  "the same cloud on both sides": { local: documented },
  "ThingsBoard on both sides": { upstream: changing },
  "documents in front of ThingsBoard": { local: documented, upstream: changing },
  "documents in front of ThingsBoard, a window of two and replies": {
    ...{ local: documented, upstream: changing, inFlight: 2 },
    rules: { config: { keys: ["a", "b"] }, commands: { replies: "replies", timeout: 10_000 } },
  },
};

for (const [name, setup] of Object.entries(setups)) {
  test(`handle() gives each message one fate, in order, to attached devices only, whatever happens: ${name}`, () => {
    fc.assert(
      fc.property(
        fc.array(happening, { maxLength: 150, size: "max" }),
        fc.constantFrom(3, 20, 1000),
        (script, maxLoad) => {
          const world = new World(setup, maxLoad);
          for (const event of script) {
            world.happen(event);
            expect(world.problems).toEqual([]);
          }
          const isDone = world.settleDown();
          expect(world.problems).toEqual([]);
          expect(isDone ? [] : world.open()).toEqual([]);
          expect(world.down.ended).toBe(world.down.received);
          expect(world.load).toBe(0);
          if (setup.rules === undefined && setup.local === undefined && setup.upstream !== changing) {
            const devices = ["one", "two", "Device 3", undefined];
            const reported = devices.filter(
              (device) => world.reported.has(device ?? "") && !world.setAside.has(device ?? ""),
            );
            const asked = reported.map((device) => sorted(world.expectedState(device)));
            expect(reported.map((device) => sorted(world.states.get((device ?? "").replace(" ", "%20"))))).toEqual(
              asked,
            );
          }
        },
      ),
      { numRuns: runs },
    );
  });
}

for (const [name, setup] of Object.entries(setups)) {
  test(`handle() finds the messages that close the connection, and no others, whatever else happens: ${name}`, () => {
    fc.assert(
      fc.property(
        fc.array(happening, { maxLength: 80, size: "max" }),
        fc.constantFrom(3, 20, 1000),
        fc.integer({ min: 2, max: 40 }),
        (script, maxLoad, poison) => {
          const world = new World(setup, maxLoad, poison);
          for (const event of script) world.happen(event);
          const isDone = world.settleDown();
          expect(world.problems).toEqual([]);
          expect(isDone ? [] : world.open()).toEqual([]);
          expect(world.convicted.filter((number) => !world.isPoison(number))).toEqual([]);
        },
      ),
      { numRuns: runs },
    );
  });
}

/** Keys may stand in another order where reports were read again. */
function sorted(text: string | undefined): unknown {
  return text === undefined ? undefined : JSON.parse(text);
}
