import { Counter, Gauge, Registry } from "prom-client";
import { imbalanceOf } from "../message/fate.ts";
import type { BridgeStatus, DeviceStatus, GatewayReport } from "../message/status.ts";
import { processMetrics } from "./process-metrics.ts";

/** Prometheus text exposition format 0.0.4. */
export const metricsContentType: string = Registry.PROMETHEUS_CONTENT_TYPE;

/** A series per reason and gateway; past this many the rest are counted as `other`. */
const maxReasons = 50;

const deviceStates: readonly DeviceStatus["state"][] = [
  "detached",
  "attaching",
  "settling",
  "attached",
  "held",
  "detaching",
];

/**
 * Prints what `/metrics` answers: the status as Prometheus metrics, then the figures of the process.
 *
 * The labels are `gateway`, `direction`, `reason` and `state`. No device is ever a label: there may be any number of
 * them. Everything is made anew for each scrape, so a gateway that is gone from the configuration leaves no series.
 */
export async function renderMetrics(status: BridgeStatus): Promise<string> {
  const registry = new Registry();
  describeBridge(registry, status);
  describeLinks(registry, status.gateways);
  describeLedgers(registry, status.gateways);
  describeDevices(registry, status.gateways);
  return `${await registry.metrics()}\n${await processMetrics()}`;
}

function describeBridge(registry: Registry, status: BridgeStatus): void {
  const gauge = gaugesOf(registry);
  gauge("dragoman_build_info", "Always 1; the labels say what is running.", ["version", "node_version"]).set(
    { version: status.version, node_version: process.version },
    1,
  );
  gauge("dragoman_start_timestamp_seconds", "When the bridge started, in Unix seconds.").set(status.startedMs / 1000);
  gauge("dragoman_healthy", "1 when the ledger adds up and the spool can be written.").set(Number(status.healthy));
  gauge("dragoman_spool_waiting_bytes", "Payload bytes that wait in the spool.").set(status.waitingBytes);
  gauge("dragoman_spool_max_bytes", "Payload bytes that may wait in the spool.").set(status.maxBytes);
}

function describeLinks(registry: Registry, gateways: readonly GatewayReport[]): void {
  const gauge = gaugesOf(registry);
  const ready = gauge("dragoman_gateway_ready", "1 when the path upstream has lately been proven.", ["gateway"]);
  const local = gauge("dragoman_local_connected", "1 when the gateway is connected to us.", ["gateway"]);
  const upstream = gauge("dragoman_upstream_connected", "1 when we are connected upstream.", ["gateway"]);
  const proven = gauge(
    "dragoman_upstream_last_proven_timestamp_seconds",
    "When the upstream last answered, in Unix seconds; absent until it has.",
    ["gateway"],
  );
  const expiry = gauge(
    "dragoman_upstream_token_expiry_timestamp_seconds",
    "When the token of the upstream connection expires, in Unix seconds; absent without one.",
    ["gateway"],
  );
  const gap = gauge(
    "dragoman_upstream_last_gap_seconds",
    "From the end of the last upstream connection to the beginning of this one; absent before there were two.",
    ["gateway"],
  );
  const inFlight = gauge("dragoman_upstream_in_flight", "Publishes sent upstream and not yet acknowledged.", [
    "gateway",
  ]);
  const openCommands = gauge("dragoman_commands_open", "Commands that wait for the reply of a device.", ["gateway"]);
  const closes = countersOf(registry)("dragoman_upstream_closes_total", "Upstream connections closed, by reason.", [
    "gateway",
    "reason",
  ]);
  for (const report of gateways) {
    const gateway = report.id;
    ready.set({ gateway }, Number(report.ready));
    local.set({ gateway }, Number(report.local.connected));
    upstream.set({ gateway }, Number(report.upstream.state === "open"));
    if (report.upstream.lastProvenMs !== undefined) proven.set({ gateway }, report.upstream.lastProvenMs / 1000);
    if (report.upstream.tokenExpiresMs !== undefined) expiry.set({ gateway }, report.upstream.tokenExpiresMs / 1000);
    if (report.upstream.gapMs !== undefined) gap.set({ gateway }, report.upstream.gapMs / 1000);
    inFlight.set({ gateway }, report.inFlight);
    openCommands.set({ gateway }, report.openCommands);
    for (const [reason, count] of boundedReasons(report.upstream.closes)) closes.inc({ gateway, reason }, count);
  }
}

function describeLedgers(registry: Registry, gateways: readonly GatewayReport[]): void {
  const gauge = gaugesOf(registry);
  const counter = countersOf(registry);
  const both = ["gateway", "direction"] as const;
  const received = counter(
    "dragoman_messages_received_total",
    "Messages that came: up from the gateway, down from the cloud.",
    both,
  );
  const delivered = counter("dragoman_messages_delivered_total", "Messages that reached the other side.", both);
  const dropped = counter("dragoman_messages_dropped_total", "Messages let go on purpose, by reason.", [
    ...both,
    "reason",
  ]);
  const pending = gauge("dragoman_messages_pending", "Messages on their way.", both);
  const held = gauge("dragoman_messages_held", "Messages up that wait until their device is accepted.", ["gateway"]);
  const quarantined = gauge("dragoman_messages_quarantined", "Messages up set aside until an operator decides.", [
    "gateway",
  ]);
  const imbalance = gauge("dragoman_ledger_imbalance", "Messages up without a fate; not 0 is a defect.", ["gateway"]);
  for (const { id: gateway, ledger } of gateways) {
    for (const direction of ["up", "down"] as const) {
      const side = direction === "up" ? ledger : ledger.down;
      received.inc({ gateway, direction }, side.received);
      delivered.inc({ gateway, direction }, side.delivered);
      pending.set({ gateway, direction }, side.pending);
      for (const [reason, count] of boundedReasons(side.dropped)) dropped.inc({ gateway, direction, reason }, count);
    }
    held.set({ gateway }, ledger.held);
    quarantined.set({ gateway }, ledger.quarantined);
    imbalance.set({ gateway }, imbalanceOf(ledger));
  }
}

function describeDevices(registry: Registry, gateways: readonly GatewayReport[]): void {
  const devices = gaugesOf(registry)("dragoman_devices", "Devices behind the gateway, by state.", ["gateway", "state"]);
  for (const { id: gateway, devices: reports } of gateways) {
    const counts = new Map(deviceStates.map((state) => [state, 0]));
    for (const { state } of reports) counts.set(state, (counts.get(state) ?? 0) + 1);
    for (const [state, count] of counts) devices.set({ gateway, state }, count);
  }
}

/** Reasons are few words, but some come from outside: a bound keeps a strange upstream from making endless series. */
function boundedReasons(counts: Readonly<Record<string, number>>): readonly (readonly [string, number])[] {
  const entries = Object.entries(counts);
  if (entries.length <= maxReasons) return entries;
  const rest = entries.slice(maxReasons).reduce((sum, [, count]) => sum + count, 0);
  return [...entries.slice(0, maxReasons), ["other", rest]];
}

function gaugesOf(registry: Registry) {
  return <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []): Gauge<Label> =>
    new Gauge({ name, help, labelNames, registers: [registry] });
}

function countersOf(registry: Registry) {
  return <Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> =>
    new Counter({ name, help, labelNames, registers: [registry] });
}
