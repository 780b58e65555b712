import { generateKeyPairSync } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { runProgram } from "../../src/cli/program.ts";
import { loadConfig } from "../../src/config.ts";
import { dialectNamed } from "../../src/mappings.ts";
import { dialectNames } from "../dialect/mappings.ts";
import { testIo } from "./test-io.ts";

const place = [
  "--project",
  "acme-iot",
  "--location",
  "us-central1",
  "--registry",
  "plant-1",
  "--subscription",
  "sub-77",
];
const env = { GW_01_TOKEN: "local-token", GW_01_CLOUD_TOKEN: "cloud-token" };

function rsaKey(): string {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "dragoman-init-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function init(out: string, ...args: readonly string[]) {
  const io = testIo();
  const code = await runProgram(["init", "--out", out, ...args], io);
  return { code, out: io.out(), err: io.err() };
}

const pairs = dialectNames.flatMap((local) => dialectNames.map((upstream) => [local, upstream] as const));

describe("init --yes", () => {
  test.each(pairs)("writes a configuration from %s to %s that check finds right", async (local, upstream) => {
    const file = join(newFolder(), "dragoman.yaml");
    const url = dialectNamed(upstream).connection.url === undefined ? ["--url", "mqtts://cloud.example.com:8883"] : [];
    expect(await init(file, "--yes", "--local", local, "--upstream", upstream, ...url, ...place)).toMatchObject({
      code: 0,
      err: "",
    });
    const io = testIo({ env });
    expect(await runProgram(["check", file], io)).toBe(0);
    expect(io.out()).toMatch(`${file}: ok, 1 gateway from ${local} to ${upstream} at mqtts://`);
  });

  test("says what a key is for, and writes it for this user alone", async () => {
    const folder = newFolder();
    const { out } = await init(
      join(folder, "dragoman.yaml"),
      ...["--yes", "--local", "google", "--upstream", "clearblade", ...place],
    );
    const secrets = ["keys/gw-01.pem", "keys/gw-01-gateway.pem", "tls/server.key", "tls/ca.key"];
    for (const name of secrets) expect(statSync(join(folder, name)).mode & 0o077).toBe(0);
    expect(out).toContain(readFileSync(join(folder, "keys/gw-01.pub.pem"), "utf8"));
    for (const name of secrets) expect(out).not.toContain(readFileSync(join(folder, name), "utf8"));
    expect(out).toMatch(/ClearBlade IoT Core console: Registries > plant-1/);
    const commands = ["check", "doctor", "run"].map((name) => `  dragoman ${name} ${folder}/dragoman.yaml\n`);
    expect(out.endsWith(commands.join(""))).toBe(true);
  });

  test("explains every key that it writes", async () => {
    const file = join(newFolder(), "dragoman.yaml");
    await init(file, "--yes", "--local", "google", "--upstream", "thingsboard", "--url", "mqtts://tb", ...place);
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    const bare = lines.filter((line, at) => /^ *\w+:/.test(line) && !/^ *#/.test(lines[at - 1] ?? ""));
    expect(bare).toEqual([]);
  });

  test("takes several gateways, keys they have, and places that differ", async () => {
    const folder = newFolder();
    const other = newFolder();
    await init(join(other, "dragoman.yaml"), "--yes", "--local", "google", "--upstream", "google", ...place);
    const file = join(folder, "dragoman.yaml");
    const key = join(other, "keys/gw-01-gateway.pub.pem");
    const args = [
      "--gateway",
      "gw-01",
      "gw-02",
      "--public-key",
      key,
      "--local-registry",
      "old",
      "--tls-name",
      "edge.example",
    ];
    expect(await init(file, "--yes", "--local", "google", "--upstream", "clearblade", ...place, ...args)).toMatchObject(
      {
        code: 0,
      },
    );
    expect(parse(readFileSync(file, "utf8"))).toMatchObject({
      local: { registry: "old" },
      upstream: { registry: "plant-1" },
      gateways: [{ id: "gw-01" }, { id: "gw-02" }],
    });
    expect(readFileSync(join(folder, "keys/gw-01-gateway.pub.pem"), "utf8")).toBe(readFileSync(key, "utf8"));
    expect(existsSync(join(folder, "keys/gw-01-gateway.pem"))).toBe(false);
    expect(existsSync(join(folder, "keys/gw-02-gateway.pem"))).toBe(true);
  });

  test("replaces a configuration only by force, and a key never", async () => {
    const folder = newFolder();
    const file = join(folder, "dragoman.yaml");
    const args = ["--yes", "--local", "thingsboard", "--upstream", "google", ...place];
    await init(file, ...args);
    const key = readFileSync(join(folder, "keys/gw-01.pem"), "utf8");
    writeFileSync(file, "mine");
    expect(await init(file, ...args)).toEqual({
      code: 2,
      out: "",
      err: `dragoman: Cannot write "${file}": it is there already, wanted another --out, or --force\n`,
    });
    expect(readFileSync(file, "utf8")).toBe("mine");
    expect(await init(file, ...args, "--force")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^made dragoman.yaml\nkept keys\/gw-01.pem\n/),
    });
    expect(await loadConfig(file, { env })).toHaveProperty("config");
    expect(readFileSync(join(folder, "keys/gw-01.pem"), "utf8")).toBe(key);
  });

  test("goes by the kind of a key that is there, and by the folder that is asked for", async () => {
    const folder = newFolder();
    const file = join(folder, "dragoman.yaml");
    mkdirSync(join(folder, "keys"));
    writeFileSync(join(folder, "keys/gw-01.pem"), rsaKey());
    const args = ["--yes", "--local", "thingsboard", "--upstream", "google", ...place, "--spool", "/var/lib/spool"];
    expect(await init(file, ...args)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/with this key as RS256\.\n\n-----BEGIN PUBLIC KEY-----/),
    });
    expect(parse(readFileSync(file, "utf8"))).toMatchObject({
      gateways: [{ upstream: { privateKey: "file:keys/gw-01.pem", algorithm: "RS256" } }],
      spool: { directory: "/var/lib/spool" },
    });
  });

  test("tells all that is missing at once", async () => {
    const file = join(newFolder(), "dragoman.yaml");
    expect(await init(file, "--yes")).toMatchObject({
      code: 2,
      err: "dragoman: Cannot write a configuration: wanted --local, --upstream as well\n",
    });
    expect(await init(file, "--yes", "--local", "google", "--upstream", "omnicore")).toMatchObject({
      code: 2,
      err: "dragoman: Cannot write a configuration: wanted --registry, --subscription, --project, --location, --url as well\n",
    });
  });

  test.each([
    [["--gateway", "../up"], `Cannot use --gateway: found "../up", wanted an id`],
    [["--listen", "http://x"], "Cannot use --listen: found the scheme http://, wanted an address"],
    [["--local", "azure"], `Cannot use --local: found "azure", wanted one of clearblade,`],
  ])("refuses %j", async (args, err) => {
    const file = join(newFolder(), "dragoman.yaml");
    const usual = ["--yes", "--local", "thingsboard", "--upstream", "google", ...place];
    expect(await init(file, ...usual, ...args)).toMatchObject({ code: 2, err: expect.stringContaining(err) });
    expect(existsSync(file)).toBe(false);
  });

  test("writes nothing where check would object", async () => {
    const folder = newFolder();
    const file = join(folder, "dragoman.yaml");
    const args = ["--yes", "--local", "thingsboard", "--upstream", "thingsboard", "--url", "mqtt://tb.example.com"];
    expect(await init(file, ...args)).toEqual({
      code: 2,
      out: "",
      err: expect.stringMatching(
        `^${file}:\\d+:\\d+: upstream.url: found mqtt:// to a host that is not loopback[^]*nothing was written`,
      ),
    });
    expect(existsSync(file)).toBe(false);
    expect(await init(file, ...args, "--allow-plaintext")).toMatchObject({ code: 0 });
  });

  test("has a flag for every parameter of every dialect", async () => {
    const io = testIo();
    await runProgram(["init", "--help"], io);
    const names = dialectNames.flatMap((name) => dialectNamed(name).parameters.map((parameter) => parameter.name));
    for (const name of names) expect(io.out()).toMatch(new RegExp(`--${name} <id>[^]*--local-${name} <id>`));
  });
});

describe("init on a terminal", () => {
  async function answer(answers: readonly string[], ...args: readonly string[]) {
    const file = join(newFolder(), "dragoman.yaml");
    const stdin = Object.assign(Readable.from([Buffer.from(answers.map((line) => `${line}\n`).join(""))]), {
      isTTY: true,
    });
    const io = { ...testIo(), stdin };
    const code = await runProgram(["init", "--out", file, ...args], io);
    return { code: Math.max(code, io.exitCode), file, err: io.err(), out: io.out() };
  }

  test("asks for what no flag says, again where an answer will not do, and takes the usual for an empty one", async () => {
    const { file, err } = await answer([
      "thingsboard",
      "azure",
      "clearblade",
      "gw-01, gw-02",
      "acme-iot",
      "us-central1",
      "",
      "plant-1",
      "",
    ]);
    expect(err).toContain('Found "azure", wanted one of');
    expect(err).toContain("Found nothing, but this is needed.");
    expect(err).toContain("Where shall the gateways connect? [mqtt://127.0.0.1:1883]: ");
    expect(parse(readFileSync(file, "utf8"))).toMatchObject({
      local: { dialect: "thingsboard", listen: ["mqtt://127.0.0.1:1883"] },
      upstream: { dialect: "clearblade", project: "acme-iot", location: "us-central1", registry: "plant-1" },
      gateways: [{ id: "gw-01" }, { id: "gw-02" }],
    });
  });

  test("asks before anything can be read on the way", async () => {
    const { code, err } = await answer(
      ["", "mqtt://tb.example.com", "", "no"],
      ...["--local", "thingsboard", "--upstream", "thingsboard"],
    );
    expect(err).toContain(
      "credentials and data can be read on the way to mqtt://tb.example.com; allow that? yes, no [no]",
    );
    expect(code).toBe(2);
  });

  test("ends where the answers end", async () => {
    const { code, file, err } = await answer(["thingsboard"]);
    expect(code).toBe(2);
    expect(err).toContain("dragoman: Cannot write a configuration: the questions were left\n");
    expect(existsSync(file)).toBe(false);
  });
});
