import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { families as ours } from "../../src/admin/metric-families.ts";
import { histograms, renderMetrics } from "../../src/admin/metrics.ts";
import { createLatency, type Latency } from "../../src/message/latency.ts";
import type { GatewayReport, ReloadStatus } from "../../src/message/status.ts";
import { describeWith } from "../tools.ts";
import { type Family, parseExposition } from "./exposition.ts";
import { brokenGateway, busyLedger, sampleGateway, sampleNowMs, sampleStatus } from "./sample-status.ts";

describe("renderMetrics()", () => {
  test("prints the text format as Prometheus reads it, ours and the process's", async () => {
    const families = await scrape([sampleGateway("gw-1"), brokenGateway("gw-2")]);
    expect([...families.keys()]).toEqual(
      expect.arrayContaining([
        "dragoman_build_info",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "nodejs_eventloop_lag_p99_seconds",
        "nodejs_gc_duration_seconds",
      ]),
    );
    expect(families.get("dragoman_build_info")?.samples).toEqual([
      { name: "dragoman_build_info", labels: { version: "1.2.3", node_version: process.version }, value: 1 },
    ]);
  });

  test("follows the naming conventions: counters and only they end in _total, one prefix, help that is a sentence", async () => {
    const families = await scrape([brokenGateway("gw-2")]);
    const named = [...families.values()].filter(({ name }) => name.startsWith("dragoman_"));
    expect(named.length).toBeGreaterThan(20);
    for (const { name, type, help } of named) {
      expect.soft(name.endsWith("_total"), name).toBe(type === "counter");
      expect.soft(name).toMatch(/^[a-z_]+$/);
      expect.soft(help).toMatch(/^[A-Z0-9].*\.$/);
    }
    const others = [...families.values()].filter(({ name }) => !name.startsWith("dragoman_"));
    for (const { name } of others) expect.soft(name).toMatch(/^(process|nodejs)_/);
  });

  test("prints the ledger of both directions so that it adds up by label", async () => {
    const families = await scrape([brokenGateway("gw-2")]);
    const up = { gateway: "gw-2", direction: "up" };
    const down = { gateway: "gw-2", direction: "down" };
    expect(figure(families, "dragoman_messages_received_total", up)).toBe(1234);
    expect(figure(families, "dragoman_messages_delivered_total", up)).toBe(1196);
    expect(figure(families, "dragoman_messages_pending", up)).toBe(3);
    expect(figure(families, "dragoman_messages_held", { gateway: "gw-2" })).toBe(31);
    expect(figure(families, "dragoman_messages_quarantined", { gateway: "gw-2" })).toBe(1);
    expect(figure(families, "dragoman_messages_dropped_total", { ...up, reason: "unmatched" })).toBe(2);
    expect(figure(families, "dragoman_messages_dropped_total", { ...up, reason: "gone" })).toBe(1);
    expect(figure(families, "dragoman_ledger_imbalance", { gateway: "gw-2" })).toBe(0);
    expect(figure(families, "dragoman_messages_received_total", down)).toBe(12);
    expect(figure(families, "dragoman_messages_delivered_total", down)).toBe(11);
    expect(figure(families, "dragoman_messages_pending", down)).toBe(0);
    expect(figure(families, "dragoman_messages_dropped_total", { ...down, reason: "offline" })).toBe(1);
  });

  test("prints links, backlog and devices by state, and leaves out what is not known", async () => {
    const families = await scrape([sampleGateway("gw-1"), brokenGateway("gw-2")]);
    const [works, broken] = [{ gateway: "gw-1" }, { gateway: "gw-2" }];
    expect(figure(families, "dragoman_healthy", {})).toBe(1);
    expect(figure(families, "dragoman_config_last_reload_successful", {})).toBe(1);
    expect(figure(families, "dragoman_config_last_reload_success_timestamp_seconds", {})).toBe(
      sampleStatus([]).startedMs / 1000,
    );
    expect(figure(families, "dragoman_spool_waiting_bytes", {})).toBe(12_595);
    expect(figure(families, "dragoman_spool_max_bytes", {})).toBe(1024 ** 3);
    expect(figure(families, "dragoman_gateway_ready", works)).toBe(1);
    expect(figure(families, "dragoman_gateway_ready", broken)).toBe(0);
    expect(figure(families, "dragoman_local_connected", works)).toBe(1);
    expect(figure(families, "dragoman_local_connected", broken)).toBe(0);
    expect(figure(families, "dragoman_upstream_connected", works)).toBe(1);
    expect(figure(families, "dragoman_upstream_connected", broken)).toBe(0);
    expect(figure(families, "dragoman_upstream_in_flight", works)).toBe(4);
    expect(figure(families, "dragoman_commands_open", works)).toBe(1);
    expect(figure(families, "dragoman_upstream_closes_total", { ...broken, reason: "refused" })).toBe(7);
    const proven = "dragoman_upstream_last_proven_timestamp_seconds";
    expect(figure(families, proven, works)).toBe(sampleNowMs / 1000 - 2);
    const expiry = "dragoman_upstream_token_expiry_timestamp_seconds";
    expect(figure(families, expiry, works)).toBe(sampleNowMs / 1000 + 3000);
    expect(figure(families, expiry, broken)).toBeUndefined();
    expect(figure(families, "dragoman_upstream_last_gap_seconds", works)).toBe(0.25);
    expect(figure(families, "dragoman_upstream_last_gap_seconds", broken)).toBeUndefined();
    expect(figure(families, "dragoman_devices", { ...broken, state: "held" })).toBe(1);
    expect(figure(families, "dragoman_devices", { ...broken, state: "attached" })).toBe(1);
    expect(figure(families, "dragoman_devices", { ...broken, state: "settling" })).toBe(0);
  });

  test("tells a configuration that was refused, and since when the one in force has been", async () => {
    const of = async (reload?: ReloadStatus) => {
      const status = sampleStatus([], reload === undefined ? {} : { reload });
      const families = parseExposition(await renderMetrics(status));
      return ["last_reload_successful", "last_reload_success_timestamp_seconds"].map((name) =>
        figure(families, `dragoman_config_${name}`, {}),
      );
    };
    const startedMs = sampleStatus([]).startedMs;
    expect(await of()).toEqual([1, startedMs / 1000]);
    expect(await of({ atMs: 3000, inForceMs: startedMs, outcome: "refused" })).toEqual([0, startedMs / 1000]);
    expect(await of({ atMs: 5000, inForceMs: 5000, outcome: "needs-restart" })).toEqual([1, 5]);
  });

  test("shows a ledger that does not add up", async () => {
    const ledger = { ...busyLedger(), delivered: 1190 };
    const families = await scrape([sampleGateway("gw-1", { ledger })]);
    expect(figure(families, "dragoman_ledger_imbalance", { gateway: "gw-1" })).toBe(6);
  });

  test("escapes what an id or a reason may hold", async () => {
    const id = 'a"b\\c\nd{},=é';
    const ledger = { ...busyLedger(), dropped: { 'my "rule"\n': 3 } };
    const families = await scrape([sampleGateway(id, { ledger })]);
    expect(figure(families, "dragoman_gateway_ready", { gateway: id })).toBe(1);
    const labels = { gateway: id, direction: "up", reason: 'my "rule"\n' };
    expect(figure(families, "dragoman_messages_dropped_total", labels)).toBe(3);
  });

  test("has the same number of series however many devices there are", async () => {
    const device = { state: "attached", waiting: 0 } as const;
    const devices = Array.from({ length: 5000 }, (_, index) => ({ name: `sensor-${index}`, ...device }));
    const many = await scrape([sampleGateway("gw-1", { devices })]);
    const few = await scrape([sampleGateway("gw-1", { devices: devices.slice(0, 1) })]);
    expect(seriesOf(many)).toEqual(seriesOf(few));
    expect(figure(many, "dragoman_devices", { gateway: "gw-1", state: "attached" })).toBe(5000);
  });

  test("bounds the reasons, and counts the rest as other", async () => {
    const closes = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`reason-${index}`, 2]));
    const upstream = { state: "open", closes } as const;
    const family = (await scrape([sampleGateway("gw-1", { upstream })])).get("dragoman_upstream_closes_total");
    expect(family?.samples.length).toBe(51);
    expect(family?.samples.reduce((sum, { value }) => sum + value, 0)).toBe(600);
    expect(family?.samples.at(-1)?.labels).toEqual({ gateway: "gw-1", reason: "other" });
  });

  test("prints the latencies as histograms without a gateway, each bucket with all below it", async () => {
    const latency = createLatency();
    for (const ms of [0, 0.5, 0.6, 9_999, 10_000, 10_001, -5]) latency.puback.observeMs(ms);
    const families = await scrape([sampleGateway("gw-1"), sampleGateway("gw-2")], latency);
    const family = families.get("dragoman_puback_duration_seconds");
    expect(family?.type).toBe("histogram");
    const bucket = (le: string) => figureIn(family, "dragoman_puback_duration_seconds_bucket", { le });
    expect([bucket("0.0005"), bucket("0.001"), bucket("5"), bucket("10"), bucket("+Inf")]).toEqual([3, 4, 4, 6, 7]);
    expect(figureIn(family, "dragoman_puback_duration_seconds_count", {})).toBe(7);
    expect(figureIn(family, "dragoman_puback_duration_seconds_sum", {})).toBeCloseTo(30.0011, 6);
    const idle = families.get("dragoman_delivery_duration_seconds");
    expect(figureIn(idle, "dragoman_delivery_duration_seconds_count", {})).toBe(0);
  });

  test("takes all figures in one turn, however long printing them lasts", async () => {
    const ledger = { ...busyLedger() };
    const printing = scrape([sampleGateway("gw-1", { ledger })]);
    ledger.received += 1000;
    ledger.pending += 1000;
    const families = await printing;
    const up = { gateway: "gw-1", direction: "up" };
    expect(figure(families, "dragoman_messages_received_total", up)).toBe(1234);
    expect(figure(families, "dragoman_messages_pending", up)).toBe(3);
  });

  test("counts gateways by readiness and tells how old the oldest pending message is", async () => {
    const gateways = [sampleGateway("gw-1"), sampleGateway("gw-2", { oldestPendingMs: 1500 }), brokenGateway("gw-3")];
    const families = await scrape(gateways);
    expect(figure(families, "dragoman_gateways", { state: "ready" })).toBe(2);
    expect(figure(families, "dragoman_gateways", { state: "not_ready" })).toBe(1);
    const oldest = "dragoman_oldest_pending_timestamp_seconds";
    expect(figure(families, oldest, { gateway: "gw-1" })).toBeUndefined();
    expect(figure(families, oldest, { gateway: "gw-2" })).toBe(1.5);
  });

  test("adds at most 31 series for a gateway", async () => {
    const one = seriesOf(await scrape([brokenGateway("a")], createLatency()));
    const two = seriesOf(await scrape([brokenGateway("a"), brokenGateway("b")], createLatency()));
    expect(two.length - one.length).toBeGreaterThan(15);
    expect(two.length - one.length).toBeLessThanOrEqual(31);
  });

  test("docs/metrics.md has every metric of ours with its kind and labels, and no other", () => {
    const text = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
    const rows = [...text.matchAll(/^\| `(dragoman_\w+)` \| (\w+) \|([^|]*)\|/gm)];
    const documented = rows.map(
      ([, name, kind, labels = ""]) => `${name} ${kind} ${labels.replaceAll("`", "").trim()}`,
    );
    const known = [
      ...ours.map(({ name, kind, labels }) => `${name} ${kind} ${labels.join(", ")}`),
      ...Object.values(histograms).map(({ name }) => `${name} histogram `),
    ];
    expect(documented.map((row) => row.trim()).sort()).toEqual(known.map((row) => row.trim()).sort());
  });

  test("forgets a gateway that is gone", async () => {
    await scrape([sampleGateway("gw-1"), sampleGateway("gw-2")]);
    const families = await scrape([sampleGateway("gw-1")]);
    expect(figure(families, "dragoman_gateway_ready", { gateway: "gw-2" })).toBeUndefined();
  });
});

describeWith(["promtool"], "promtool check metrics", () => {
  test("has nothing to say about ours and the process's", async () => {
    const latency = createLatency();
    latency.delivery.observeMs(12);
    const text = await renderMetrics(sampleStatus([sampleGateway("gw-1"), brokenGateway("gw-2")]), latency);
    // Fails, with what it found, where it ends with another code than 0.
    const said = execFileSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
    expect(said).toBe("");
  });
});

async function scrape(gateways: readonly GatewayReport[], latency?: Latency): Promise<Map<string, Family>> {
  return parseExposition(await renderMetrics(sampleStatus(gateways), latency));
}

function figure(families: Map<string, Family>, name: string, labels: Record<string, string>): number | undefined {
  const family = families.get(name);
  if (family === undefined) throw new Error(`no metric ${name}`);
  return figureIn(family, name, labels);
}

function figureIn(family: Family | undefined, name: string, labels: Record<string, string>): number | undefined {
  const wanted = JSON.stringify(Object.entries(labels).sort());
  const fits = (sample: Family["samples"][number]) =>
    sample.name === name && JSON.stringify(Object.entries(sample.labels).sort()) === wanted;
  return family?.samples.find(fits)?.value;
}

function seriesOf(families: Map<string, Family>): string[] {
  return [...families.values()]
    .filter(({ name }) => name.startsWith("dragoman_"))
    .flatMap(({ samples }) => samples.map(({ name, labels }) => name + JSON.stringify(labels)));
}
