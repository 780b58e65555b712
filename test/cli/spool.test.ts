import { once } from "node:events";
import { existsSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import type { Io } from "../../src/cli/io.ts";
import { runProgram } from "../../src/cli/program.ts";
import type { Fate } from "../../src/message/fate.ts";
import type { DeviceId } from "../../src/message/message.ts";
import { openSpool } from "../../src/spool/spool.ts";
import { type ConfigSections, eventually, openPlant, type Plant } from "../bridge/harness.ts";
import { append } from "../spool/append.ts";
import { miscount } from "../spool/miscount.ts";
import { testIo } from "./test-io.ts";

const device = "pump-2" as DeviceId;
const good = (n: number) => `{"pump-2":[{"ts":${n},"values":{"n":${n}}}]}`;
const hour = 3_600_000;

/** A plant whose bridge is stopped, with three quarantined packets, one of them unreadable, and a held one. */
async function stoppedPlant(sections: ConfigSections = {}): Promise<Plant> {
  const plant = await openPlant(sections);
  const spool = await openSpool({ directory: join(plant.folder, "spool"), maxBytes: 1024 ** 2, whenFull: "refuse" });
  const add = async (payload: string, fate: Fate, arrivedMs = Date.now()) => {
    const packet = { topic: "v1/gateway/telemetry", payload: Buffer.from(payload), qos: 1 } as const;
    const arrival = { packet, arrivedMs, dialect: "thingsboard", count: 1, priority: "data" } as const;
    const { seq } = await append(spool.gateway("gw-01"), arrival);
    spool.gateway("gw-01").settle({ seq, index: 0 }, fate);
  };
  await add(good(1), { kind: "quarantined", device, reason: "oversize" }, Date.now() - 2 * hour);
  await add('{"token":"s3cret', { kind: "quarantined", reason: "unparseable: no end" });
  await add(good(2), { kind: "quarantined", device, reason: "oversize" });
  await add(good(3), { kind: "held", device, reason: "GATEWAY_ATTACHMENT_ERROR: not bound" });
  await spool.close();
  return plant;
}

async function dragoman(args: readonly string[], options: { readonly answer?: string; readonly env?: Io["env"] } = {}) {
  const io = testIo({ env: options.env ?? {} });
  const { answer } = options;
  const stdin = answer === undefined ? io.stdin : Object.assign(Readable.from([Buffer.from(answer)]), { isTTY: true });
  const code = await runProgram(args, Object.assign(io, { stdin }));
  expect(io.err()).not.toMatch(/^\s+at /m);
  return { code, out: io.out(), err: io.err() };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

const numbersAt = (plant: Plant) =>
  plant.cloud.received().flatMap((record) => {
    if (record.kind !== "telemetry") return [];
    return (JSON.parse(record.payload.toString()) as { ts: number }[]).map(({ ts }) => ts);
  });

describe("dragoman spool with the bridge stopped", () => {
  test("list shows a table of what is held or quarantined, and nothing of the payloads", async () => {
    const { configFile } = await stoppedPlant();
    const { code, out, err } = await dragoman(["spool", "list", configFile]);
    expect([code, err]).toEqual([0, ""]);
    expect(out.replaceAll(/\b\d+s +/g, (age) => "0s".padEnd(age.length))).toBe(
      `ID   GATEWAY  DEVICE  FATE         AGE    SIZE  TOPIC                 REASON
4.0  gw-01    pump-2  held         0s     38 B  v1/gateway/telemetry  GATEWAY_ATTACHMENT_ERROR: not bound
1.0  gw-01    pump-2  quarantined  2h 0m  38 B  v1/gateway/telemetry  oversize
2.0  gw-01    -       quarantined  0s     16 B  v1/gateway/telemetry  unparseable: no end
3.0  gw-01    pump-2  quarantined  0s     38 B  v1/gateway/telemetry  oversize
`,
    );
  });

  test.each([
    [
      ["--device", "pump-2", "--fate", "quarantined"],
      ["1.0", "3.0"],
    ],
    [["--reason", "UNPARSEABLE"], ["2.0"]],
    [["--age", "1h"], ["1.0"]],
    [["--id", "3"], ["3.0"]],
    [
      ["--gateway", "gw-01", "--limit", "2"],
      ["4.0", "1.0"],
    ],
  ])("list --json %j prints a line of JSON for each that fits", async (flags, ids) => {
    const { configFile } = await stoppedPlant();
    const { code, out } = await dragoman(["spool", "list", "--json", ...flags, configFile]);
    const messages = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { id: string });
    expect([code, messages.map(({ id }) => id)]).toEqual([0, ids]);
    expect(messages[0]).toMatchObject({ gateway: "gw-01", dialect: "thingsboard", topic: "v1/gateway/telemetry" });
  });

  test("show prints the packet, and which rule does not read it", async () => {
    const { configFile } = await stoppedPlant();
    const { code, out } = await dragoman(["spool", "show", "--id", "2.0", configFile]);
    expect(code).toBe(0);
    expect(out).toMatch(/^id {10}2\.0\ngateway {5}gw-01\nquarantined unparseable: no end$/m);
    expect(out).toMatch(/^rule {8}.*thingsboard\.yaml:\d+: telemetry$/m);
    expect(out).toMatch(/^now reads {3}.*thingsboard\.yaml:\d+\)$/m);
    expect(out).toMatch(/^payload {5}\{"token":"s3cret$/m);
    const json = await dragoman(["spool", "show", "--json", "--reason", "oversize", configFile]);
    expect(
      json.out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).payload),
    ).toEqual([good(1), good(2)]);
  });

  test("retry makes them open: the next start sends them in order; what cannot be read stays and exits 1", async () => {
    const plant = await stoppedPlant();
    const { code, out } = await dragoman(["spool", "retry", plant.configFile]);
    expect(code).toBe(1);
    expect(out).toMatch(
      /^3 messages are tried again, when the bridge is started\n1 message stays as it is:\nID +REASON\n2\.0 /,
    );
    const bridge = await plant.open();
    await eventually(() => bridge.ledger()).toMatchObject({ received: 4, delivered: 3, quarantined: 1, pending: 0 });
    expect(numbersAt(plant)).toEqual([1, 2, 3]);
  });

  test("discard drops what fits; it is counted", async () => {
    const { configFile, open } = await stoppedPlant();
    const { code, out } = await dragoman(["spool", "discard", "--reason", "oversize", configFile]);
    expect([code, out]).toEqual([0, "2 messages discarded\n"]);
    expect((await dragoman(["spool", "discard", "--id", "1.0", configFile])).code).toBe(1);
    const bridge = await open();
    expect(bridge.ledger()).toMatchObject({ received: 4, quarantined: 1, dropped: { discarded: 2 } });
  });

  test("discard asks on a terminal, and wants a filter or --yes elsewhere", async () => {
    const { configFile } = await stoppedPlant();
    const no = await dragoman(["spool", "discard", configFile], { answer: "no\n" });
    expect([no.code, no.out]).toEqual([1, ""]);
    expect(no.err).toContain('Discard 4 messages for good? Type "yes": ');
    expect(no.err).toContain("dragoman: nothing was discarded\n");
    const unfiltered = await dragoman(["spool", "discard", configFile]);
    expect([unfiltered.code, unfiltered.err]).toEqual([
      2,
      "dragoman: Cannot discard everything: wanted a filter, or --yes\n",
    ]);
    const one = await dragoman(["spool", "discard", "--id", "2", configFile], { answer: "yes\n" });
    expect([one.code, one.out]).toEqual([0, "1 message discarded\n"]);
    const rest = await dragoman(["spool", "discard", "--yes", configFile]);
    expect([rest.code, rest.out]).toEqual([0, "3 messages discarded\n"]);
    const none = await dragoman(["spool", "list", configFile]);
    expect([none.code, none.out]).toEqual([0, "nothing is held or quarantined\n"]);
  });

  test("audit counts anew, and exits 1 where the ledger says something else", async () => {
    const { configFile, folder } = await stoppedPlant();
    const right = await dragoman(["spool", "audit", configFile]);
    expect([right.code, right.out]).toEqual([0, "4 records counted: the ledger is right\n"]);
    await miscount(join(folder, "spool"), "gw-01", (ledger) => {
      ledger.quarantined -= 1;
      ledger.delivered += 1;
    });
    const wrong = await dragoman(["spool", "audit", configFile]);
    expect([wrong.code, wrong.out]).toEqual([
      1,
      `the ledger of gateway "gw-01" is wrong: quarantined 2, but its records say 3
4 records counted: the ledger is wrong
`,
    ]);
  });

  test("where there is no spool yet none is made", async () => {
    const plant = await openPlant();
    const { code, out, err } = await dragoman(["spool", "list", plant.configFile]);
    expect([code, out]).toEqual([0, "nothing is held or quarantined\n"]);
    expect(err).toMatch(/^dragoman: there is no spool at ".*" yet\n$/);
    expect(existsSync(join(plant.folder, "spool"))).toBe(false);
  });

  test.each([
    [["--fate", "lost"], 'Cannot use --fate: found "lost", wanted held or quarantined'],
    [["--age", "soon"], 'Cannot use --age: found "soon", wanted a duration such as 90s, 15m or 2h'],
    [["--id", "x"], 'Cannot use --id: found "x", wanted one as in "dragoman spool list": 1042.0'],
    [["--limit", "0"], 'Cannot use --limit: found "0", wanted a number from 1'],
    [["--gateway", "gw-9"], 'Cannot find gateway "gw-9": it has nothing in the spool, wanted one of "gw-01"'],
  ])("a wrong %j exits 2", async (flags, message) => {
    const { configFile } = await stoppedPlant();
    const { code, out, err } = await dragoman(["spool", "list", ...flags, configFile]);
    expect([code, out, err]).toEqual([2, "", `dragoman: ${message}\n`]);
  });

  test("a configuration with mistakes exits 2 and names them", async () => {
    const plant = await openPlant({ spool: { maxBytes: "many" } });
    const { code, err } = await dragoman(["spool", "list", plant.configFile]);
    expect(code).toBe(2);
    expect(err).toContain("maxBytes");
  });
});

describe("dragoman spool with the bridge running", () => {
  test("asks its admin server, which the configuration names", async () => {
    const token = { admin: { listen: `http://127.0.0.1:${await freePort()}`, token: "file:tokens/gw-01" } };
    const plant = await stoppedPlant(token);
    await plant.stopCloud();
    const bridge = await plant.open();
    const { configFile } = plant;
    expect((await dragoman(["spool", "list", "--fate", "quarantined", configFile])).out.split("\n")).toHaveLength(5);
    const shown = await dragoman(["spool", "show", "--id", "1.0", "--json", configFile]);
    expect(JSON.parse(shown.out)).toMatchObject({ id: "1.0", payload: good(1), reading: { nearMisses: [] } });
    const retried = await dragoman(["spool", "retry", "--device", "pump-2", configFile]);
    expect([retried.code, retried.out]).toEqual([0, "3 messages are tried again\n"]);
    const discarded = await dragoman(["spool", "discard", "--id", "2.0", configFile]);
    expect([discarded.code, discarded.out]).toEqual([0, "1 message discarded\n"]);
    expect((await dragoman(["spool", "show", "--id", "2.0", configFile])).code).toBe(1);
    await plant.startCloud();
    await eventually(() => bridge.ledger()).toMatchObject({ received: 4, delivered: 3, dropped: { discarded: 1 } });
    const wrong = await dragoman(["spool", "list", "--token", "wrong", configFile]);
    expect([wrong.code, wrong.out]).toEqual([1, ""]);
    expect(wrong.err).toMatch(/^dragoman: Cannot ask "http:[^"]*" for its spool: it does not take this token/);
  });

  test("on a port that only its log tells: says so, and takes --url", async () => {
    const plant = await stoppedPlant();
    const bridge = await plant.open();
    const blind = await dragoman(["spool", "list", plant.configFile]);
    expect([blind.code, blind.out]).toEqual([1, ""]);
    expect(blind.err).toMatch(
      /^dragoman: Cannot ask the bridge that has spool ".*" open: its admin server takes any free port, wanted --url .*\n$/,
    );
    const { code, out } = await dragoman(["spool", "list", "--url", bridge.admin ?? "", "--reason", "unparseable"]);
    expect([code, out.split("\n")[1]?.slice(0, 12)]).toEqual([0, "2.0  gw-01  "]);
    expect((await dragoman(["spool", "audit", plant.configFile])).code).toBe(1);
  });

  test("without an admin server: says so", async () => {
    const plant = await stoppedPlant({ admin: false });
    await plant.open();
    const { code, err } = await dragoman(["spool", "list", plant.configFile]);
    expect(code).toBe(1);
    expect(err).toContain('its admin server is turned off ("admin: false")');
  });

  test("with somebody else's bridge at its address: leaves that alone and opens its own files", async () => {
    const admin = { listen: `http://127.0.0.1:${await freePort()}` };
    const other = await openPlant({ admin });
    await other.open();
    const plant = await stoppedPlant({ admin });
    const { code, out } = await dragoman(["spool", "discard", "--id", "2.0", plant.configFile]);
    expect([code, out]).toEqual([0, "1 message discarded\n"]);
  });

  test("that nobody answers for: says how to reach one", async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { code, err } = await dragoman(["spool", "list", "--url", url]);
    expect(code).toBe(1);
    expect(err).toMatch(/^dragoman: Cannot ask a bridge for its spool: "http:.*": nothing listens there[^\n]*\n$/);
  });
});

test("dragoman spool --help shows examples and exit codes", async () => {
  const { code, out } = await dragoman(["spool", "--help"]);
  expect(code).toBe(0);
  for (const text of ["list", "show", "retry", "discard", "audit", "Examples:", "Exit codes:"])
    expect(out).toContain(text);
  expect((await dragoman(["spool", "retry", "--help"])).out).toContain("--device <name>");
});
