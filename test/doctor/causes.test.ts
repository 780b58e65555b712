import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openPlant } from "../bridge/harness.ts";
import { ecIdentity } from "../cloud/identity.ts";
import { type Authority, createAuthority } from "../local/certificates.ts";
import { diagnose } from "./diagnose.ts";
import { openTlsPlant } from "./tls-plant.ts";

const hourMs = 3_600_000;
const families = ["google", "clearblade", "omnicore"] as const;
let authority: Authority;
let stranger: Authority;

beforeAll(() => {
  authority = createAuthority();
  stranger = createAuthority();
});
afterAll(() => {
  authority.remove();
  stranger.remove();
});

describe.each(families)("in front of %s, doctor names", (dialect) => {
  test("a wrong key, and says that it could also be the ids", async () => {
    const plant = await openTlsPlant({ dialect, authority });
    exchangeKey(plant.folder, "gw-01");
    const { first, exitCode, step } = await diagnose(plant.configFile);
    expect({ first, exitCode }).toEqual({ first: "gateway.connect: likely key", exitCode: 1 });
    expect(step("gateway.connect").causes?.[1]).toMatchObject({ name: "ids", likelihood: "possible" });
  });

  test("a wrong key where another gateway is taken: not what they have in common", async () => {
    const plant = await openTlsPlant({ dialect, authority, gateways: ["gw-01", "gw-02"] });
    exchangeKey(plant.folder, "gw-02");
    const { first, step } = await diagnose(plant.configFile);
    expect(first).toBe("gateway.connect: likely key");
    expect(step("gateway.connect", "gw-01").outcome).toBe("ok");
    expect(step("gateway.connect", "gw-02").details?.join()).toContain('gateway "gw-01" of the same registry is taken');
  });

  test("a wrong key of the only gateway it is asked about, without logging in as another", async () => {
    const plant = await openPlant({ dialect, gateways: ["gw-01", "gw-02"] });
    exchangeKey(plant.folder, "gw-01");
    expect((await diagnose(plant.configFile, "--gateway", "gw-01")).first).toBe("gateway.connect: likely key");
    expect(plant.cloud.records.filter(({ kind }) => kind === "connected")).toEqual([]);
  });

  test("keys that are swapped, and with whose", async () => {
    const plant = await openPlant({ dialect, gateways: ["gw-01", "gw-02"] });
    writeFileSync(join(plant.folder, "keys", "gw-01.pem"), plant.keyOf("gw-02"));
    writeFileSync(join(plant.folder, "keys", "gw-02.pem"), plant.keyOf("gw-01"));
    const { first, step } = await diagnose(plant.configFile);
    expect(first).toBe("gateway.connect: proven key");
    expect(step("gateway.connect", "gw-01").causes?.[0]?.what).toContain('the key of gateway "gw-02"');
  });

  test("a wrong registry, where all gateways are refused for it", async () => {
    const plant = await openTlsPlant({
      ...{ dialect, authority, gateways: ["gw-01", "gw-02"] },
      upstream: { tls: { ca: "file:ca.pem" }, registry: "plant-9" },
    });
    expect((await diagnose(plant.configFile)).first).toBe("gateway.connect: likely ids");
  });

  test("a wrong project or subscription, where all gateways are refused for it", async () => {
    const wrong = dialect === "omnicore" ? { subscription: "sub-99" } : { project: "acme-oit" };
    const plant = await openPlant({ dialect, gateways: ["gw-01", "gw-02"], upstream: wrong });
    expect((await diagnose(plant.configFile)).first).toBe("gateway.connect: likely ids");
  });

  test("a clock that is ahead by an hour, and by how much", async () => {
    const plant = await openTlsPlant({ dialect, authority, cloud: { now: () => Date.now() - hourMs } });
    const { first, step } = await diagnose(plant.configFile);
    expect(first).toBe("gateway.connect: proven clock");
    expect(minutesIn(step("gateway.connect").causes?.[0]?.what)).toEqual({ side: "ahead", holds60: true });
  });

  test("a clock that is behind by an hour, though tokens that live long enough are taken", async () => {
    const plant = await openPlant({ dialect, cloud: { now: () => Date.now() + hourMs } });
    const { first, step } = await diagnose(plant.configFile);
    expect(step("gateway.connect").outcome).toBe("ok");
    expect(first).toBe("gateway.clock: proven clock");
    expect(minutesIn(step("gateway.clock").causes?.[0]?.what)).toEqual({ side: "behind", holds60: true });
  });

  test("a clock that is behind by more than a token lives", async () => {
    const plant = await openPlant({
      dialect,
      upstream: { tokenLifetime: "20m" },
      cloud: { now: () => Date.now() + hourMs },
    });
    const { first, step } = await diagnose(plant.configFile);
    expect(first).toBe("gateway.connect: proven clock");
    expect(minutesIn(step("gateway.connect").causes?.[0]?.what)).toEqual({ side: "behind", holds60: true });
  });

  test("an authority that is not known, and which ones are", async () => {
    const plant = await openTlsPlant({ dialect, authority, trusted: stranger });
    const { first, step } = await diagnose(plant.configFile);
    expect(first).toBe("upstream.tls: likely unknownAuthority");
    expect(step("upstream.tls").causes?.[0]?.what).toContain('"upstream.tls.ca" has only "CN=test authority"');
    expect(step("gateway.connect").outcome).toBe("skip");
  });

  test("an authority that is not public", async () => {
    const plant = await openTlsPlant({ dialect, authority, upstream: { tls: {} } });
    expect((await diagnose(plant.configFile)).first).toBe("upstream.tls: likely unknownAuthority");
  });

  test("a wrong host name: the certificate is for another", async () => {
    const plant = await openTlsPlant({ dialect, authority, certificate: { names: "DNS:mqtt.example.com" } });
    const { first, step } = await diagnose(plant.configFile);
    expect(first).toBe("upstream.tls: proven hostName");
    expect(step("upstream.tls").causes?.[0]?.what).toContain("DNS:mqtt.example.com");
  });

  test("a closed port", async () => {
    const plant = await openPlant({ dialect });
    await plant.stopCloud();
    expect((await diagnose(plant.configFile)).first).toBe("upstream.tcp: likely portClosed");
  });

  test("a device that is not bound", async () => {
    const plant = await openTlsPlant({ dialect, authority, bound: ["sensor-7"] });
    plant.cloud.addDevice({ id: "loose-9" });
    const { first, step } = await diagnose(plant.configFile, "--device", "loose-9");
    expect(first).toBe("gateway.attach: likely notBound");
    expect(step("gateway.attach").found).toContain("device is not bound to the gateway");
  });

  test("another process with the same identity", async () => {
    const plant = await openPlant({ dialect });
    const rival = await plant.open();
    await rival.log.next((line) => line.msg === "upstream-open");
    plant.configure({ spool: { directory: "another" } });
    expect((await diagnose(plant.configFile, "--hold", "20s")).first).toBe("gateway.stay: likely duplicate");
  });

  test("a device that is no gateway", async () => {
    const { publicPem, privateKey } = ecIdentity();
    const plant = await openPlant({ dialect, cloud: { devices: [{ id: "gw-01", publicKeys: [publicPem] }] } });
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    writeFileSync(join(plant.folder, "keys", "gw-01.pem"), pem);
    expect((await diagnose(plant.configFile)).first).toBe("gateway.subscribe: likely notGateway");
  });
});

describe("doctor names", () => {
  test.each(["google", "clearblade"] as const)(
    "a wrong audience for %s, and the one that is taken",
    async (dialect) => {
      const plant = await openTlsPlant({
        ...{ dialect, authority },
        upstream: { tls: { ca: "file:ca.pem" }, audience: "acme-old" },
      });
      const { first, step } = await diagnose(plant.configFile);
      expect(first).toBe("gateway.connect: proven audience");
      expect(step("gateway.connect").causes?.[0]?.what).toContain(
        'made out to "acme-old", and the cloud wants "acme-iot"',
      );
    },
  );

  test("a connection that ClearBlade has already with this identity, where it refuses the second", async () => {
    const plant = await openPlant({ dialect: "clearblade", cloud: { duplicate: "refuse" } });
    const rival = await plant.open();
    await rival.log.next((line) => line.msg === "upstream-open");
    plant.configure({ spool: { directory: "another" } });
    const { first, step } = await diagnose(plant.configFile);
    expect(first).toBe("gateway.connect: likely duplicate");
    expect(step("gateway.connect").causes?.map(({ name }) => name)).toEqual(["duplicate"]);
  });

  test("a version of MQTT that the cloud does not speak", async () => {
    const plant = await openPlant({ dialect: "clearblade", upstream: { protocol: 5 } });
    const { first, step } = await diagnose(plant.configFile);
    expect(first).toBe("gateway.connect: proven protocol");
    expect(step("gateway.connect").causes?.[0]?.remedy).toBe('Set "upstream.protocol: 4".');
  });

  test("a host name that nobody knows", async () => {
    const plant = await openPlant({ upstream: { url: "mqtts://mqtt.dragoman.invalid:8883" } });
    const { first, step } = await diagnose(plant.configFile);
    // A machine without name servers cannot know that there is no such name.
    expect(first).toMatch(/^upstream\.dns: likely (?:hostName|resolver)$/);
    expect(step("upstream.dns").causes?.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["hostName", "resolver"]),
    );
  });

  test("a certificate that has expired", async () => {
    const plant = await openTlsPlant({ authority, certificate: { days: -1 } });
    expect((await diagnose(plant.configFile)).first).toBe("upstream.tls: likely expired");
  });

  test("a port that does not speak TLS", async () => {
    const plant = await openPlant({});
    const url = (plant.cloud.urls[0] ?? "").replace("mqtt:", "mqtts:");
    plant.configure({ upstream: { url } });
    expect((await diagnose(plant.configFile)).first).toBe("upstream.tls: proven scheme");
  });

  test("a port that wants TLS", async () => {
    const plant = await openTlsPlant({ authority });
    const url = (plant.cloud.urls[0] ?? "").replace("mqtts:", "mqtt:");
    plant.configure({ upstream: { url } });
    expect((await diagnose(plant.configFile)).first).toBe("gateway.connect: proven scheme");
  });

  test("nothing where a refusal was not meant", async () => {
    const plant = await openPlant({});
    plant.cloud.faults.refuseConnects.push(3);
    const { step } = await diagnose(plant.configFile);
    expect(step("gateway.connect")).toMatchObject({
      outcome: "warn",
      found: expect.stringContaining("tried once more"),
    });
  });

  test("a server that says nothing", async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as AddressInfo;
    const plant = await openPlant({ upstream: { url: `mqtt://127.0.0.1:${port}`, connectTimeout: "300ms" } });
    expect((await diagnose(plant.configFile)).first).toBe("gateway.connect: likely unavailable");
  });
});

/** Puts a key into the place of a gateway's that nobody knows. */
function exchangeKey(folder: string, gateway: string): void {
  const { privateKey } = ecIdentity();
  writeFileSync(join(folder, "keys", `${gateway}.pem`), privateKey.export({ type: "pkcs8", format: "pem" }).toString());
}

/** "this machine's clock is ahead by 55 to 65 minutes", taken apart. */
function minutesIn(what: string | undefined): { readonly side: string; readonly holds60: boolean } {
  const [, side = "", least, most] = /clock is (ahead|behind) by (\d+) to (\d+) minutes/.exec(what ?? "") ?? [];
  return { side, holds60: Number(least) <= 60 && Number(most) >= 59 };
}
