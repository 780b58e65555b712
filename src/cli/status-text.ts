import { imbalanceOf } from "../message/fate.ts";
import type { BridgeStatus, DeviceStatus, GatewayReport } from "../message/status.ts";
import { layOutTable, printable, shortAge, shortBytes, shortCount } from "./table.ts";

/** How a status is shown. */
export interface StatusLook {
  /** Unix milliseconds; ages are counted from here. */
  readonly nowMs: number;
  readonly isColoured: boolean;
  /** Gateways and devices listed before the rest is only counted. */
  readonly maxRows: number;
}

/** Whether something wants attention: the bridge itself, or a gateway without a proven path upstream. */
export function isDegraded(status: BridgeStatus): boolean {
  return !status.healthy || status.gateways.some((gateway) => !gateway.ready);
}

/** Shows a status to people: the verdict first, then gateways and devices with the worst on top, then the ledger. */
export function statusText(status: BridgeStatus, look: StatusLook): string {
  const sections = [
    verdict(status, look),
    gatewayTable(status.gateways, look),
    deviceTable(status.gateways, look),
    ledgerLines(status, look),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join("\n")}\n`)
    .join("\n")}`;
}

function verdict(status: BridgeStatus, look: StatusLook): string[] {
  const paint = painter(look);
  const word = isDegraded(status) ? paint("red", "degraded") : paint("green", "healthy");
  const listening = status.listen.length === 0 ? "not listening" : `listening on ${status.listen.join(", ")}`;
  return [
    `dragoman ${printable(status.version)}: ${word}, up ${shortAge(look.nowMs - status.startedMs)}, ${listening}`,
    ...status.reasons.map((reason) => paint("red", `  ${printable(reason)}`)),
    ...reloadLines(status, look),
  ];
}

function reloadLines({ reload }: BridgeStatus, look: StatusLook): string[] {
  if (reload === undefined) return [];
  const { atMs, outcome, mistakes = [], changes = [], needsRestart = [] } = reload;
  const age = `${shortAge(look.nowMs - atMs)} ago`;
  if (outcome === "refused") {
    const paint = painter(look);
    const lines = mistakes.slice(0, look.maxRows).map((mistake) => `  ${printable(mistake)}`);
    return [
      paint("red", `  configuration refused ${age}, the one before is in force:`),
      ...lines.map((line) => paint("red", `  ${line}`)),
      ...remainder(mistakes.length - lines.length),
    ];
  }
  const what = changes.length === 1 ? printable(changes[0] ?? "") : `${changes.length} changes`;
  const late = needsRestart.map(printable).join(", ");
  return [`  configuration reloaded ${age}: ${what}${late === "" ? "" : `; after a restart only: ${late}`}`];
}

function gatewayTable(gateways: readonly GatewayReport[], look: StatusLook): string[] {
  const paint = painter(look);
  const ready = gateways.filter((gateway) => gateway.ready).length;
  const listed = [...gateways].sort(worstFirst).slice(0, look.maxRows);
  const rows = listed.map((gateway) => [
    gateway.id,
    gateway.ready ? "ready" : "NOT READY",
    gateway.upstream.state,
    gateway.local.connected ? localWord(gateway) : "away",
    shortCount(gateway.inFlight),
    shortCount(gateway.ledger.pending),
    shortCount(gateway.ledger.held),
    shortCount(gateway.ledger.quarantined),
    gatewayNote(gateway, look.nowMs),
  ]);
  const heads = ["GATEWAY", "STATE", "UPSTREAM", "LOCAL", "IN FLIGHT", "PENDING", "HELD", "QUARANTINED", "NOTE"];
  const [head, ...lines] = layOutTable(heads, rows, new Set([4, 5, 6, 7]));
  return [
    `Gateways: ${ready} of ${gateways.length} ready`,
    ...(head === undefined ? [] : [paint("dim", head)]),
    ...lines.map((line, row) => (listed[row]?.ready ? line : paint("red", line))),
    ...remainder(gateways.length - listed.length),
  ];
}

function worstFirst(a: GatewayReport, b: GatewayReport): number {
  return (
    Number(a.ready) - Number(b.ready) ||
    Math.abs(imbalanceOf(b.ledger)) - Math.abs(imbalanceOf(a.ledger)) ||
    b.ledger.quarantined + b.ledger.held - (a.ledger.quarantined + a.ledger.held) ||
    b.ledger.pending - a.ledger.pending ||
    a.id.localeCompare(b.id)
  );
}

function localWord({ local }: GatewayReport): string {
  if (local.protocol === undefined) return "connected";
  return `MQTT ${{ 3: "3.1", 4: "3.1.1" }[local.protocol] ?? local.protocol}`;
}

function gatewayNote(gateway: GatewayReport, nowMs: number): string {
  const { upstream } = gateway;
  const reason = gateway.reason ?? upstream.reason;
  const isNewDetail = upstream.detail !== undefined && upstream.detail !== reason;
  const parts = [
    gateway.ready ? undefined : reason,
    gateway.ready || !isNewDetail ? undefined : upstream.detail,
    gateway.ready || upstream.lastProvenMs === undefined
      ? undefined
      : `last proven ${shortAge(nowMs - upstream.lastProvenMs)} ago`,
    imbalanceOf(gateway.ledger) === 0 ? undefined : `ledger is off by ${imbalanceOf(gateway.ledger)}`,
  ];
  return parts.filter((part) => part !== undefined).join("; ");
}

function deviceTable(gateways: readonly GatewayReport[], look: StatusLook): string[] {
  const paint = painter(look);
  const devices = gateways.flatMap(({ id, devices }) => devices.map((device) => ({ gateway: id, device })));
  if (devices.length === 0) return ["Devices: none yet"];
  const counts = new Map<DeviceStatus["state"], number>();
  for (const { device } of devices) counts.set(device.state, (counts.get(device.state) ?? 0) + 1);
  const states = [...counts].sort(([a], [b]) => rank(a) - rank(b));
  const listed = devices
    .sort((a, b) => rank(a.device.state) - rank(b.device.state) || b.device.waiting - a.device.waiting)
    .slice(0, look.maxRows);
  const rows = listed.map(({ gateway, device }) => [
    device.name,
    gateway,
    device.state === "held" ? "HELD" : device.state,
    shortCount(device.waiting),
    device.lastSeenMs === undefined ? "never" : `${shortAge(look.nowMs - device.lastSeenMs)} ago`,
    device.reason ?? "",
  ]);
  const heads = ["DEVICE", "GATEWAY", "STATE", "WAITING", "SEEN", "NOTE"];
  const [head, ...lines] = layOutTable(heads, rows, new Set([3]));
  return [
    `Devices: ${states.map(([state, count]) => `${shortCount(count)} ${state}`).join(", ")}`,
    ...(head === undefined ? [] : [paint("dim", head)]),
    ...lines.map((line, row) => (listed[row]?.device.state === "held" ? paint("yellow", line) : line)),
    ...remainder(devices.length - listed.length),
  ];
}

/** Held devices need somebody; those on their way come next; attached and detached ones are as they should be. */
function rank(state: DeviceStatus["state"]): number {
  return ["held", "attaching", "settling", "detaching", "attached", "detached"].indexOf(state);
}

function ledgerLines({ ledger, waitingBytes, maxBytes }: BridgeStatus, look: StatusLook): string[] {
  const up = [
    term("delivered", ledger.delivered),
    term("pending", ledger.pending),
    term("held", ledger.held),
    term("quarantined", ledger.quarantined),
    droppedTerm(ledger.dropped),
  ];
  const { down } = ledger;
  const downTerms = [term("delivered", down.delivered), term("pending", down.pending), droppedTerm(down.dropped)];
  const missing = imbalanceOf(ledger);
  const downMissing = down.received - down.delivered - down.pending - sum(down.dropped);
  return [
    `Messages up:   ${equation(ledger.received, up, missing, look)}`,
    `Messages down: ${equation(down.received, downTerms, downMissing, look)}`,
    `In the spool:  ${shortBytes(waitingBytes)} of ${shortBytes(maxBytes)}`,
  ];
}

function equation(received: number, terms: readonly string[], missing: number, look: StatusLook): string {
  const text = `received ${shortCount(received)} ${missing === 0 ? "=" : "≠"} ${terms.join(" + ")}`;
  return missing === 0 ? text : painter(look)("red", `${text} (off by ${missing})`);
}

function term(word: string, count: number): string {
  return `${word} ${shortCount(count)}`;
}

function droppedTerm(dropped: Readonly<Record<string, number>>): string {
  const reasons = Object.entries(dropped).filter(([, count]) => count !== 0);
  const list = reasons.map(([reason, count]) => `${printable(reason)} ${shortCount(count)}`).join(", ");
  return `${term("dropped", sum(dropped))}${list === "" ? "" : ` (${list})`}`;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function remainder(count: number): string[] {
  return count === 0 ? [] : [`… and ${shortCount(count)} more (--all lists them)`];
}

const colours = { red: 31, green: 32, yellow: 33, dim: 2 } as const;

function painter({ isColoured }: StatusLook): (colour: keyof typeof colours, text: string) => string {
  return (colour, text) => (isColoured ? `\u001b[${colours[colour]}m${text}\u001b[0m` : text);
}
