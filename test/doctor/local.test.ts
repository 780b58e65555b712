import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { runProgram } from "../../src/cli/program.ts";
import { loadConfig } from "../../src/config.ts";
import { checkClock } from "../../src/doctor/check-clock.ts";
import { openPlant, type Plant } from "../bridge/harness.ts";
import { testIo } from "../cli/test-io.ts";
import { type Authority, createAuthority, type IssueOptions } from "../local/certificates.ts";
import { diagnose } from "./diagnose.ts";

let authority: Authority;
beforeAll(() => {
  authority = createAuthority();
});
afterAll(() => authority.remove());

describe("doctor looks at this machine:", () => {
  test("a port that another program has", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const plant = await openPlant({ local: { listen: [`mqtt://127.0.0.1:${port}`] } });
    const { first, exitCode, step } = await diagnose(plant.configFile);
    expect({ first, exitCode }).toEqual({ first: "local.listen: proven portTaken", exitCode: 1 });
    expect(step("gateway.connect").outcome).toBe("ok");

    // With nothing on disk to tell, whoever has the port may be the bridge.
    plant.configure({ spool: { directory: "memory" } });
    expect((await diagnose(plant.configFile)).step("gateway.connect").outcome).toBe("warn");
  });

  test("an address of another machine", async () => {
    const plant = await openPlant({ local: { listen: ["mqtt://192.0.2.1:1883"], allowPlaintext: true } });
    expect((await diagnose(plant.configFile)).first).toBe("local.listen: proven address");
  });

  test.each([
    { what: "in order", issue: { days: 90 }, outcome: "ok" },
    { what: "about to expire", issue: { days: 10 }, outcome: "warn" },
    { what: "expired", issue: { days: -1 }, outcome: "fail" },
  ])("a certificate for gateways that is $what", async ({ issue, outcome }) => {
    const plant = await openPlant();
    withLocalTls(plant, issue);
    const step = (await diagnose(plant.configFile)).step("local.certificate");
    expect(step.outcome).toBe(outcome);
    expect(step.details?.join()).toContain("DNS:localhost, IP Address:127.0.0.1");
  });

  test("a spool that cannot be, and one that is larger than the disk", async () => {
    const plant = await openPlant();
    writeFileSync(join(plant.folder, "file"), "");
    plant.configure({ spool: { directory: "file/spool" } });
    expect((await diagnose(plant.configFile)).first).toBe("spool: proven permission");
    plant.configure({ spool: { maxBytes: "1TiB" } });
    const { outcome, causes } = (await diagnose(plant.configFile)).step("spool");
    expect([outcome, causes?.[0]?.name]).toEqual(["warn", "diskFull"]);
  });

  test("a clock that is behind what was written already", async () => {
    const plant = await openPlant();
    const loaded = await loadConfig(plant.configFile, { env: {} });
    if ("mistakes" in loaded) throw new Error("the configuration has mistakes");
    const finding = await checkClock(loaded.config, Date.now() - 3_600_000);
    expect([finding.outcome, finding.causes?.[0]?.name]).toEqual(["fail", "clock"]);
  });

  test("mistakes in the configuration, and goes no further", async () => {
    const plant = await openPlant();
    plant.configure({ upstream: { keepalive: "never" } });
    const { exitCode, steps } = await diagnose(plant.configFile);
    expect(exitCode).toBe(2);
    expect(steps.map(({ id, found }) => [id, found])).toEqual([
      ["config", expect.stringMatching(/dragoman\.yaml:\d+:\d+: upstream\.keepalive: /)],
    ]);
  });
});

test("doctor names a key that does not fit its algorithm", async () => {
  const plant = await openPlant();
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  writeFileSync(join(plant.folder, "keys", "gw-01.pem"), pem);
  const { exitCode, step } = await diagnose(plant.configFile);
  expect([exitCode, step("config").found]).toEqual([2, expect.stringContaining("an RSA key does not fit ES256")]);
});

describe("dragoman doctor", () => {
  test("shows people what is wrong, why, and what to do", async () => {
    const plant = await openPlant({ upstream: { audience: "acme-old" } });
    const io = testIo();
    expect(await runProgram(["doctor", plant.configFile, "--hold", "10ms"], io)).toBe(1);
    expect(
      io.out().replaceAll(/ {2}\(\d+\.\d s\)/g, ""),
    ).toContain(`  fail  gw-01: CONNECT: CONNACK 4: bad user name or password
          tried tokens for twelve hours back and a day ahead: refused as well, so the clock is right, or off by half a day
          tried the audience "acme-iot": taken
        the cause: the tokens are made out to "acme-old", and the cloud wants "acme-iot"
          Leave "upstream.audience" out.
`);
    expect(io.out()).toMatch(
      /\n\nbroken: \d+ ok, \d warn, 1 fail, 0 skip\nfirst: .*CONNECT: the tokens are made out to/,
    );
  });

  test("on a terminal shows what it is doing, and nothing of that stays", async () => {
    const plant = await openPlant();
    const io = testIo();
    const written: string[] = [];
    const stdout = { isTTY: true, write: (text: string) => written.push(text) };
    expect(
      await runProgram(["doctor", plant.configFile, "--hold", "10ms"], { ...io, stdout, env: { NO_COLOR: "1" } }),
    ).not.toBe(1);
    expect(written).toContain("\r\x1b[K  …     gw-01: sole use of the identity: holding the connection for 0.01 s");
    const lines = written.join("").split("\n");
    const shown = lines.map((line) => line.split("\r\x1b[K").at(-1)).join("\n");
    expect(shown).toContain("  ok    gw-01: CONNECT: accepted, MQTT 3.1.1\n");
    expect(shown).not.toContain("…");
  });

  test.each([
    { args: ["--gateway", "gw-09"], says: 'wanted one of "gw-01", "gw-02"' },
    { args: ["--device", "Device A"], says: 'wanted --gateway with one of "gw-01", "gw-02"' },
    { args: ["--hold", "long"], says: "wanted a duration such as 5s or 2m" },
  ])("refuses $args", async ({ args, says }) => {
    const plant = await openPlant({ gateways: ["gw-01", "gw-02"] });
    const io = testIo();
    expect(await runProgram(["doctor", plant.configFile, ...args], io)).toBe(2);
    expect(io.err()).toContain(says);
  });

  test("looks at one gateway where one is named", async () => {
    const plant = await openPlant({ gateways: ["gw-01", "gw-02"] });
    const { steps } = await diagnose(plant.configFile, "--gateway", "gw-02");
    expect(new Set(steps.flatMap(({ gateway }) => gateway ?? []))).toEqual(new Set(["gw-02"]));
  });
});

/** Has the bridge listen with TLS. */
function withLocalTls(plant: Plant, issue: IssueOptions): void {
  const { certificate, key } = authority.issue("local", issue);
  writeFileSync(join(plant.folder, "local.pem"), certificate);
  writeFileSync(join(plant.folder, "local.key"), key);
  const tls = { certificate: "file:local.pem", key: "file:local.key" };
  plant.configure({ local: { listen: ["mqtts://127.0.0.1:0"], tls } });
}
