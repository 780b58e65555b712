import { join } from "node:path";
import { expect, test } from "vitest";
import { runProgram } from "../../src/cli/program.ts";
import { dialectNamed } from "../../src/mappings.ts";
import { configText, createWorkspace, tokenFile } from "../config/workspace.ts";
import { testIo } from "./test-io.ts";

async function check(files: Readonly<Record<string, string>>, names = Object.keys(files)) {
  const folder = createWorkspace({ ...tokenFile, ...files });
  const io = testIo();
  const code = await runProgram(["check", ...names.map((name) => join(folder, name))], io);
  return { code, out: io.out().replaceAll(`${folder}/`, ""), err: io.err() };
}

test("check says what a right configuration is about", async () => {
  const { url } = dialectNamed("clearblade").bind({ location: "us-central1" });
  expect(await check({ "dragoman.yaml": configText() })).toEqual({
    code: 0,
    out: `dragoman.yaml: ok, 1 gateway from thingsboard to clearblade at ${url}\n`,
    err: "",
  });
});

test("check tells the mistakes of all files on stdout, and ends with 2", async () => {
  expect(
    await check({
      "one.yaml": configText({ spol: "{}", log: "{ level: loud }" }),
      "two.yaml": configText(),
      "three.yaml": "- nothing\n",
    }),
  ).toEqual({
    code: 2,
    out: [
      'one.yaml:4:1: spol: unknown key, did you mean "spool"?',
      'one.yaml:5:15: log.level: found "loud", wanted one of "trace", "debug", "info", "warn", "error", "fatal", "silent"',
      `two.yaml: ok, 1 gateway from thingsboard to clearblade at ${dialectNamed("clearblade").bind({ location: "us-central1" }).url}`,
      "three.yaml:1:1: found a list, wanted a mapping",
      "",
    ].join("\n"),
    err: "dragoman: found 3 mistakes\n",
  });
});

test("check without a file reads dragoman.yaml in the current folder", async () => {
  const io = testIo();
  expect(await runProgram(["check"], io)).toBe(2);
  expect(io.out()).toBe(
    'dragoman.yaml:1:1: cannot read "dragoman.yaml": no such file; "dragoman init" writes a first configuration\n',
  );
});

const mapping = `
dialect: acme
describe: ClearBlade with a host of our own.
extends: clearblade
connection: { url: "mqtts://mqtt.acme.example:8883" }
`;

test("check compiles and verifies mapping files, which may extend each other", async () => {
  const examples = dialectNamed("clearblade").examples.length;
  const other = "dialect: acme2\ndescribe: Another.\nextends: acme\n";
  expect(await check({ "acme.yaml": mapping, "acme2.yaml": other }, ["acme2.yaml", "acme.yaml"])).toEqual({
    code: 0,
    out: `acme2.yaml: ok, dialect acme2, ${examples} examples\nacme.yaml: ok, dialect acme, ${examples} examples\n`,
    err: "",
  });
});

test("check tells the mistakes in a mapping file", async () => {
  const { code, out, err } = await check({ "acme.yaml": mapping.replace("clearblade", "clearblad") });
  expect(code).toBe(2);
  expect(out).toMatch(/^acme\.yaml:4:10: "extends" is "clearblad", wanted /);
  expect(err).toBe("dragoman: found 1 mistake\n");
});

const plant = `
mapping: plant
rules:
  heat: { keys: { t: temperature } }
  noise: { drop: [debug], lossy: noise }
examples:
  - { device: a, state: { t: 1 }, becomes: { temperature: 1 } }
`;

test("check tells a mistake once, where a mapping is named by itself and by a configuration", async () => {
  const mistaken = plant.replace("becomes: { temperature", "becomes: { t");
  const { out, err } = await check({
    "dragoman.yaml": configText({ mapping: "plant.yaml" }),
    "plant.yaml": mistaken,
  });
  expect(out.match(/^plant\.yaml:.*/gm)).toHaveLength(1);
  expect(err).toBe("dragoman: found 1 mistake\n");
});

test("check proves a mapping of the deployment's own, by itself or with the configuration that names it", async () => {
  const { url } = dialectNamed("clearblade").bind({ location: "us-central1" });
  const about = 'mapping plant, 2 rules, 1 example, lost on purpose: the keys "debug" (noise)';
  expect(await check({ "dragoman.yaml": configText({ mapping: "plant.yaml" }), "plant.yaml": plant })).toEqual({
    code: 0,
    out: `dragoman.yaml: ok, 1 gateway from thingsboard to clearblade at ${url}, ${about}\nplant.yaml: ok, ${about}\n`,
    err: "",
  });
  expect(await check({ "plant.yaml": "mapping: plant\nnames: [{ local: a, upstream: b }]\n" })).toMatchObject({
    out: "plant.yaml: ok, mapping plant, 1 rule, 0 examples, nothing is lost\n",
  });
  expect(await check({ "plant.yaml": plant.replace("becomes: { temperature", "becomes: { t") })).toEqual({
    code: 2,
    out: 'plant.yaml:7:5: The example for "a" becomes {"temperature":1}, wanted {"t":1}\n',
    err: "dragoman: found 1 mistake\n",
  });
});
