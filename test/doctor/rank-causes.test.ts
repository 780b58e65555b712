import { describe, expect, test } from "vitest";
import { rankCauses } from "../../src/doctor/causes.ts";
import type { Diagnosis } from "../../src/message/diagnosis.ts";

const words = (name: string) => ({ what: `${name} is wrong`, remedy: `Mend ${name}.`, source: `a page on ${name}` });
const diagnosis: Diagnosis = {
  causes: new Map(["key", "ids", "clock", "duplicate"].map((name) => [name, words(name)])),
  symptoms: new Map([
    [
      "connect",
      new Map([
        ["connack-5", ["key", "ids", "clock"]],
        ["default", ["duplicate"]],
      ]),
    ],
  ]),
};
const ranked = (answer: string, ...evidence: Parameters<typeof rankCauses>[1]["evidence"] & object) =>
  rankCauses(diagnosis, { stage: "connect", answer, evidence }).map(({ name, likelihood }) => `${likelihood} ${name}`);

describe("rankCauses()", () => {
  test("keeps the dialect's order: the first is likely, none is certain", () => {
    expect(ranked("connack-5")).toEqual(["likely key", "possible ids", "possible clock"]);
    expect(rankCauses(diagnosis, { stage: "connect", answer: "connack-5" })[0]).toEqual({
      ...words("key"),
      ...{ name: "key", likelihood: "likely" },
    });
  });

  test("leaves out what was excluded, and puts first what is favoured", () => {
    expect(ranked("connack-5", { cause: "key", verdict: "excluded" })).toEqual(["likely ids", "possible clock"]);
    expect(ranked("connack-5", { cause: "clock", verdict: "favoured" })).toEqual([
      "likely clock",
      "possible key",
      "possible ids",
    ]);
    expect(ranked("connack-5", { cause: "duplicate", verdict: "favoured" })[0]).toBe("likely key");
  });

  test("names what was proven, and nothing else, in the words of the proof", () => {
    const proof = { cause: "clock", verdict: "proven", what: "the clock is ahead by an hour" } as const;
    expect(ranked("connack-5", { cause: "key", verdict: "favoured" }, proof)).toEqual(["proven clock"]);
    expect(rankCauses(diagnosis, { stage: "connect", answer: "connack-5", evidence: [proof] })[0]).toMatchObject({
      what: "the clock is ahead by an hour",
      remedy: "Mend clock.",
    });
  });

  test("has a word for other answers, and none where the dialect has none", () => {
    expect(ranked("connack-99")).toEqual(["likely duplicate"]);
    expect(rankCauses(diagnosis, { stage: "attach", answer: "silent" })).toEqual([]);
  });
});
