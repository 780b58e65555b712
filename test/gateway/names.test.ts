import fc from "fast-check";
import { expect, test } from "vitest";
import { compileNames } from "../../src/gateway/names.ts";
import type { DeviceId } from "../../src/message/message.ts";
import { documented } from "./play.ts";

const names = compileNames(documented.ids);
const idOf = (name: string) => names.toUpstream(name as DeviceId);

test.each([
  ["sensor-7", "sensor-7"],
  ["Device A", "Device%20A"],
  ["007", "x%_007"],
  ["ab", "x%_ab"],
  ["", "x%_"],
  ["GoogLe-1", "x%_GoogLe-1"],
  ["goo", "goo"],
  ["plant/1 +#*.é", "plant%2F1%20%2B%23%2A.%C3%A9"],
  ["a+b", "a%2Bb"],
  ["a~._-Z", "a~._-Z"],
  ["Device%20A", "Device%20A"],
  ["100% x", "x%_100%25%20x"],
  ["温度", "x%_%E6%B8%A9%E5%BA%A6"],
  ["__proto__", "x%___proto__"],
  ["x".repeat(255), "x".repeat(255)],
])("toUpstream() of %j is %j", (name, id) => {
  expect(idOf(name)).toEqual({ id });
});

test("toUpstream() says what to do about a name that makes no id", () => {
  expect(idOf("x".repeat(256))).toEqual({
    problem: "no id can be made of the name (256 characters, at most 255 fit): give the device an alias",
  });
  expect(idOf(" ".repeat(90))).toEqual({
    problem: "no id can be made of the name (270 characters, at most 255 fit): give the device an alias",
  });
  expect(idOf("a\ud800")).toEqual({ problem: "the name is not well-formed text: give the device an alias" });
});

test("toLocal() inverts toUpstream() for every name that is not an id itself", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 40 }), (name) => {
      const named = idOf(name);
      if (!("id" in named)) return;
      expect(named.id).toMatch(/^(?!goog)[a-zA-Z][-a-zA-Z0-9._~%]{2,254}$/i);
      expect(names.toLocal(named.id)).toBe(name);
    }),
  );
});

test.each(["x%_sensor", "a%2", "a%zz", "a%41", "a%c3%a9", "x%_", "a%FF"])(
  "toLocal() leaves %j alone where no name becomes it",
  (id) => {
    const name = names.toLocal(id as DeviceId);
    expect(idOf(name)).toEqual({ id });
  },
);

test("compileNames() changes nothing for a cloud that takes any name", () => {
  const free = compileNames({ form: "free" });
  expect(free.toUpstream("a/b" as DeviceId)).toEqual({ id: "a/b" });
  expect(free.toLocal("a%20b" as DeviceId)).toBe("a%20b");
});
