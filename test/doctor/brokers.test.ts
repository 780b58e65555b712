import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import { describe, expect, onTestFinished, test } from "vitest";
import { mosquittoPath, startAedes, startMosquitto, type TestBroker, user } from "../upstream/brokers.ts";
import { diagnose } from "./diagnose.ts";

// Other people's brokers in the place of ThingsBoard: they know nothing of gateways, but all of MQTT.
describe.each([
  { name: "aedes", start: startAedes, protocol: 4, isThere: true },
  { name: "mosquitto", start: startMosquitto, protocol: 4, isThere: mosquittoPath !== undefined },
  { name: "mosquitto", start: startMosquitto, protocol: 5, isThere: mosquittoPath !== undefined },
])("doctor in front of $name, MQTT level $protocol", ({ start, protocol, isThere }) => {
  test.skipIf(!isThere)("is let in, and names a wrong password and a second user of the client id", async () => {
    const broker: TestBroker = await start();
    onTestFinished(() => broker.stop());
    const configured = (password: string) => configFile({ url: broker.url, protocol, password });

    const { step } = await diagnose(configured(user.password));
    expect(["connect", "subscribe", "stay"].map((id) => step(`gateway.${id}`).outcome)).toEqual(["ok", "ok", "ok"]);

    const refused = await diagnose(configured("wrong horse"));
    expect(refused.first).toBe("gateway.connect: likely credentials");
    expect(refused.step("gateway.connect").causes).toHaveLength(1);
    expect(refused.text).not.toContain("wrong horse");

    const rival = await connectAsync(broker.url, {
      ...{ ...user, clientId: "gw-01", protocolVersion: protocol as 4 | 5, reconnectPeriod: 20 },
    });
    onTestFinished(() => rival.endAsync(true));
    expect((await diagnose(configured(user.password), "--hold", "20s")).first).toBe("gateway.stay: likely duplicate");
  });
});

interface BrokerConfig {
  readonly url: string;
  readonly protocol: number;
  readonly password: string;
}

function configFile({ url, protocol, password }: BrokerConfig): string {
  const folder = mkdtempSync(join(tmpdir(), "dragoman-doctor-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "dragoman.yaml");
  // JSON is YAML too.
  const text = JSON.stringify({
    local: { dialect: "thingsboard", listen: ["mqtt://127.0.0.1:0"] },
    upstream: { dialect: "thingsboard", url, protocol },
    gateways: [
      { id: "gw-01", local: { token: "t" }, upstream: { username: user.username, password, clientId: "gw-01" } },
    ],
    spool: { directory: "spool" },
    admin: false,
    allowInlineSecrets: true,
  });
  writeFileSync(file, text);
  return file;
}
