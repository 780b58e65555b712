import { imbalanceOf } from "../message/fate.ts";
import type { BridgeStatus, DeviceStatus, GatewayReport } from "../message/status.ts";

/** One figure with the labels it has. */
export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

/** One metric: its name, what it is for, and how it follows from the status. */
export interface Family {
  readonly name: string;
  readonly kind: "counter" | "gauge";
  readonly help: string;
  readonly labels: readonly string[];
  readonly samples: (status: BridgeStatus) => Iterable<Sample>;
}

/** Counters that one side of the ledger keeps. */
type Side = Pick<GatewayReport["ledger"], "received" | "delivered" | "pending" | "dropped">;

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
 * What `/metrics` says of the bridge. `docs/metrics.md` lists the same.
 *
 * The labels are `gateway`, `direction`, `reason` and `state`. No device is ever a label: there may be any number of them.
 */
export const families: readonly Family[] = [
  {
    name: "dragoman_build_info",
    kind: "gauge",
    help: "Always 1; the labels say what is running.",
    labels: ["version", "node_version"],
    samples: ({ version }) => [[{ version, node_version: process.version }, 1]],
  },
  ofBridge("dragoman_start_timestamp_seconds", "When the bridge started, in Unix seconds.", (s) => s.startedMs / 1000),
  ofBridge("dragoman_healthy", "1 when the ledger adds up and the spool can be written.", (s) => Number(s.healthy)),
  ofBridge(
    "dragoman_config_last_reload_successful",
    "1 when the configuration that was read last is in force.",
    ({ reload }) => Number(reload?.outcome !== "refused"),
  ),
  ofBridge(
    "dragoman_config_last_reload_success_timestamp_seconds",
    "When the configuration in force was taken over, in Unix seconds.",
    ({ reload, startedMs }) => (reload?.inForceMs ?? startedMs) / 1000,
  ),
  ofBridge("dragoman_spool_waiting_bytes", "Payload bytes that wait in the spool.", (s) => s.waitingBytes),
  ofBridge("dragoman_spool_max_bytes", "Payload bytes that may wait in the spool.", (s) => s.maxBytes),
  {
    name: "dragoman_gateways",
    kind: "gauge",
    help: "Gateways in the configuration, by whether their path upstream has lately been proven.",
    labels: ["state"],
    samples: ({ gateways }) => {
      const ready = gateways.filter((report) => report.ready).length;
      return [
        [{ state: "ready" }, ready],
        [{ state: "not_ready" }, gateways.length - ready],
      ];
    },
  },
  ofGateway("dragoman_gateway_ready", "1 when the path upstream has lately been proven.", (g) => Number(g.ready)),
  ofGateway("dragoman_local_connected", "1 when the gateway is connected to us.", (g) => Number(g.local.connected)),
  ofGateway("dragoman_upstream_connected", "1 when we are connected upstream.", (g) =>
    Number(g.upstream.state === "open"),
  ),
  ofGateway(
    "dragoman_upstream_last_proven_timestamp_seconds",
    "When the upstream last answered, in Unix seconds; absent until it has.",
    (g) => seconds(g.upstream.lastProvenMs),
  ),
  ofGateway(
    "dragoman_upstream_token_expiry_timestamp_seconds",
    "When the token of the upstream connection expires, in Unix seconds; absent without one.",
    (g) => seconds(g.upstream.tokenExpiresMs),
  ),
  ofGateway(
    "dragoman_upstream_last_gap_seconds",
    "From the end of the last upstream connection to the beginning of this one; absent before there were two.",
    (g) => seconds(g.upstream.gapMs),
  ),
  ofGateway(
    "dragoman_upstream_in_flight",
    "Publishes sent upstream and not yet acknowledged.",
    ({ inFlight }) => inFlight,
  ),
  ofGateway("dragoman_commands_open", "Commands that wait for the reply of a device.", (g) => g.openCommands),
  byReason("dragoman_upstream_closes_total", "Upstream connections that ended or could not be made, by reason.", {
    labels: [],
    counts: ({ upstream }) => [[{}, upstream.closes]],
  }),
  byDirection("counter", "dragoman_messages_received_total", {
    help: "Messages that came: up from the gateway, down from the cloud.",
    figure: (side) => side.received,
  }),
  byDirection("counter", "dragoman_messages_delivered_total", {
    help: "Messages that reached the other side.",
    figure: (side) => side.delivered,
  }),
  byReason("dragoman_messages_dropped_total", "Messages let go on purpose, by reason.", {
    labels: ["direction"],
    counts: ({ ledger }) => [
      [{ direction: "up" }, ledger.dropped],
      [{ direction: "down" }, ledger.down.dropped],
    ],
  }),
  byDirection("gauge", "dragoman_messages_pending", {
    help: "Messages on their way.",
    figure: (side) => side.pending,
  }),
  ofGateway(
    "dragoman_oldest_pending_timestamp_seconds",
    "When the oldest message up that is pending came, in Unix seconds; absent when none is.",
    (g) => seconds(g.oldestPendingMs),
  ),
  ofGateway("dragoman_messages_held", "Messages up that wait until their device is accepted.", (g) => g.ledger.held),
  ofGateway(
    "dragoman_messages_quarantined",
    "Messages up set aside until an operator decides.",
    (g) => g.ledger.quarantined,
  ),
  ofGateway("dragoman_ledger_imbalance", "Messages up without a fate; not 0 is a defect.", (g) =>
    imbalanceOf(g.ledger),
  ),
  {
    name: "dragoman_devices",
    kind: "gauge",
    help: "Devices behind the gateway, by state.",
    labels: ["gateway", "state"],
    *samples({ gateways }) {
      for (const { id: gateway, devices } of gateways) {
        const counts = new Map(deviceStates.map((state) => [state, 0]));
        for (const { state } of devices) counts.set(state, (counts.get(state) ?? 0) + 1);
        for (const [state, count] of counts) yield [{ gateway, state }, count];
      }
    },
  },
];

function ofBridge(name: string, help: string, figure: (status: BridgeStatus) => number): Family {
  return { name, kind: "gauge", help, labels: [], samples: (status) => [[{}, figure(status)]] };
}

/** A gauge for each gateway; `undefined` leaves it out. */
function ofGateway(name: string, help: string, figure: (report: GatewayReport) => number | undefined): Family {
  return {
    name,
    kind: "gauge",
    help,
    labels: ["gateway"],
    *samples({ gateways }) {
      for (const report of gateways) {
        const value = figure(report);
        if (value !== undefined) yield [{ gateway: report.id }, value];
      }
    },
  };
}

function byDirection(
  kind: Family["kind"],
  name: string,
  { help, figure }: { readonly help: string; readonly figure: (side: Side) => number },
): Family {
  return {
    name,
    kind,
    help,
    labels: ["gateway", "direction"],
    *samples({ gateways }) {
      for (const { id: gateway, ledger } of gateways) {
        yield [{ gateway, direction: "up" }, figure(ledger)];
        yield [{ gateway, direction: "down" }, figure(ledger.down)];
      }
    },
  };
}

/** A counter by gateway and reason, and by what other labels its counts have. */
function byReason(
  name: string,
  help: string,
  options: {
    readonly labels: readonly string[];
    readonly counts: (
      report: GatewayReport,
    ) => readonly (readonly [labels: Readonly<Record<string, string>>, counts: Readonly<Record<string, number>>])[];
  },
): Family {
  return {
    name,
    kind: "counter",
    help,
    labels: ["gateway", ...options.labels, "reason"],
    *samples({ gateways }) {
      for (const report of gateways) {
        for (const [labels, counts] of options.counts(report)) {
          for (const [reason, count] of bounded(counts)) yield [{ gateway: report.id, ...labels, reason }, count];
        }
      }
    },
  };
}

/** Reasons are few words, but some come from outside: a bound keeps a strange upstream from making endless series. */
function bounded(counts: Readonly<Record<string, number>>): readonly (readonly [string, number])[] {
  const entries = Object.entries(counts);
  if (entries.length <= maxReasons) return entries;
  const rest = entries.slice(maxReasons).reduce((sum, [, count]) => sum + count, 0);
  return [...entries.slice(0, maxReasons), ["other", rest]];
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}
