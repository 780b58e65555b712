import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse, stringify } from "yaml";
import { openBridge } from "../../src/bridge.ts";
import { type DemoCloud, openIotCoreDemo, openThingsBoardDemo } from "../../src/cli/demo/cloud.ts";
import { connectIotCoreGateway, connectThingsBoardGateway } from "../../src/cli/demo/gateway.ts";
import { accessToken, isIotCore } from "../../src/cli/demo/identity.ts";
import { makeKeys } from "../../src/cli/key-pair.ts";
import { loadConfig } from "../../src/config.ts";
import { createAuthority } from "../local/certificates.ts";

interface Example {
  readonly title: string;
  readonly yaml: string;
}

interface ExampleConfig {
  local: { dialect: string; listen: string[] };
  upstream: { dialect: string; url?: string };
}

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const document = readFileSync(new URL("../../docs/deployments.md", import.meta.url), "utf8");
const examples: readonly Example[] = document
  .split(/^## /m)
  .slice(1)
  .map((chapter) => ({
    title: chapter.split("\n", 1)[0] ?? "",
    yaml: /```yaml\n([\s\S]*?)```/.exec(chapter)?.[1] ?? "",
  }));

test("docs/deployments.md has the four usual deployments", () => {
  expect(examples.map(({ yaml }) => yaml !== "")).toEqual([true, true, true, true]);
});

describe("docs/deployments.md", () => {
  test.each(examples)("$title", async ({ yaml }) => {
    const folder = mkdtempSync(join(tmpdir(), "dragoman-deployment-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const local = makeKeys();
    const upstream = makeKeys();
    const write = (name: string, text: string) => {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    };
    write("keys/gw-01.pub.pem", local.publicKey);
    write("keys/gw-01.pem", upstream.privateKey);
    write("keys/gw-01-clearblade.pem", upstream.privateKey);
    const authority = createAuthority();
    onTestFinished(() => authority.remove());
    const server = authority.issue("server");
    write("tls/server.pem", server.certificate);
    write("tls/server.key", server.key);
    const env = { GATEWAY_TOKEN: accessToken, TB_TOKEN: accessToken };

    // As it stands it has no mistake; only where it listens and connects to is not for a test.
    write("dragoman.yaml", yaml);
    expect(await loadConfig(join(folder, "dragoman.yaml"), { env })).toHaveProperty("config");
    const example = parse(yaml) as ExampleConfig;
    const device = isIotCore(example.local.dialect) ? "sensor-7" : "Device A";
    const cloud = await openStandIn(example.upstream.dialect, { device, publicKey: upstream.publicKey });
    onTestFinished(() => cloud.close());
    example.local.listen = ["mqtt://127.0.0.1:0"];
    example.upstream.url = cloud.url;
    write("dragoman.yaml", stringify(example));
    const loaded = await loadConfig(join(folder, "dragoman.yaml"), { env });
    if ("mistakes" in loaded) throw new Error(JSON.stringify(loaded.mistakes));
    const bridge = await openBridge({ ...loaded.config, admin: false }, { log: quiet });
    onTestFinished(() => bridge.close({ drainMs: 0 }));

    const { dialect } = example.local;
    const gateway = isIotCore(dialect)
      ? await connectIotCoreGateway(bridge.listen[0] ?? "", device, { dialect, privateKey: local.privateKey })
      : await connectThingsBoardGateway(bridge.listen[0] ?? "", device);
    onTestFinished(async () => void (await gateway.end()));
    await Promise.all([gateway.connectDevice(), cloud.attached()]);
    await Promise.all([gateway.telemetry(), cloud.telemetry()]);
    await Promise.all([gateway.state(), cloud.state()]);
    cloud.configure();
    await Promise.all([gateway.configured(), cloud.configured()]);
  });
});

function openStandIn(
  dialect: string,
  { device, publicKey }: { readonly device: string; readonly publicKey: string },
): Promise<DemoCloud> {
  if (!isIotCore(dialect)) return openThingsBoardDemo({ device });
  return openIotCoreDemo(dialect, { publicKey, device: encodeURIComponent(device), isAnswered: true });
}
