import type { Fate } from "../../message/fate.ts";
import type { Config, DeviceId, Message, Point, State, Telemetry, UpMessage } from "../../message/message.ts";
import { type MappedBody, mapDocument, mapTelemetryBody } from "./body.ts";
import type { DeploymentMemory, DeploymentSession } from "./deployment.ts";
import { createRulesByDevice } from "./device-rules.ts";
import { inFolders } from "./folders.ts";
import type { KeyTable } from "./key-table.ts";
import type { Naming } from "./name-rules.ts";
import { createQuestions } from "./questions.ts";
import type { MappingRule } from "./rule.ts";
import { refsFor } from "./rules-used.ts";
import type { TelemetryShape } from "./shape.ts";
import { mapNames, mapValues } from "./values.ts";

export interface SessionParts {
  readonly naming: Naming;
  readonly rules: readonly MappingRule[];
  readonly shape: TelemetryShape | undefined;
}

type Outward = { readonly message: UpMessage } | { readonly fate: Fate };
type Inward = ReturnType<DeploymentSession["inward"]>;

const noFates: ReadonlyMap<number, Fate> = new Map();

/** The mapping at work for one gateway. */
export function openSession({ naming, rules, shape }: SessionParts, memory: DeploymentMemory): DeploymentSession {
  const byDevice = createRulesByDevice(rules, memory);
  const questions = createQuestions();
  const hasFolders = rules.some(
    ({ folder, keys }) => folder !== undefined || keys.some((key) => key.folder !== undefined),
  );
  const folders = (message: Telemetry) =>
    message.device === undefined ? [message] : inFolders(message, byDevice.of(message.device));

  return {
    naming,
    telemetry: { ...(shape === undefined ? {} : { shape }), ...(hasFolders ? { folders } : {}) },

    outward(decoded) {
      if (decoded.kind !== "messages" || rules.length === 0) return { decoded, fates: noFates };
      const messages: Message[] = [];
      const fates = new Map<number, Fate>();
      for (const [index, message] of decoded.messages.entries()) {
        const out = outward(message as UpMessage);
        if ("fate" in out) fates.set(index, out.fate);
        messages.push("message" in out ? out.message : message);
      }
      return { decoded: { ...decoded, messages }, fates };
    },

    inward(message) {
      if (rules.length === 0 || !("device" in message) || message.device === undefined)
        return { kind: "message", message };
      const own = byDevice.of(message.device);
      if (message.kind === "config") return config(message, own.tables.config);
      return message.kind === "attributesResponse"
        ? questions.answer(message, message.device, own)
        : { kind: "message", message };
    },

    rulesFor: (message) =>
      "device" in message && message.device !== undefined
        ? refsFor(message, { name: naming.ruleFor(message.device), rules: byDevice.of(message.device) })
        : [],
  };

  function outward(message: UpMessage): Outward {
    if (!("device" in message) || message.device === undefined) return { message };
    const { device } = message;
    if (message.kind === "attach" && message.profile !== undefined) byDevice.learnProfile(device, message.profile);
    const own = byDevice.of(device);
    const drop = own.dropOf(message.kind);
    if (drop !== undefined) return { fate: droppedBy(drop) };
    switch (message.kind) {
      case "telemetry":
        return telemetry(message, device, own.tables.telemetry);
      case "state":
        return state(message, device, own.tables.state);
      case "attributesRequest":
        return { message: questions.ask(message, device, own) };
      default:
        return { message };
    }
  }

  function telemetry(message: Telemetry, device: DeviceId, table: KeyTable): Outward {
    const { body, folder } = message;
    if (table.isEmpty || (body !== undefined && isReply(folder))) return { message };
    if (body !== undefined) {
      const mapped = mapTelemetryBody(body, (values) => mapValues(values, table, "outward"), shape);
      return withBody(message, device, mapped);
    }
    const points: Point[] = [];
    let emptiedBy: MappingRule | undefined;
    for (const point of message.points ?? []) {
      const mapped = mapValues(point.values, table, "outward");
      if (mapped.kind === "unrepresentable") return { fate: unrepresentable(device, mapped.reason) };
      if (mapped.emptiedBy === undefined) points.push({ ...point, values: mapped.values });
      else emptiedBy ??= mapped.emptiedBy;
    }
    if (points.length === 0 && emptiedBy !== undefined) return { fate: droppedBy(emptiedBy) };
    return { message: { ...message, points } };
  }

  function state(message: State, device: DeviceId, table: KeyTable): Outward {
    const { body, values } = message;
    if (table.isEmpty) return { message };
    if (body !== undefined) {
      const mapped = mapDocument(body, (text) => mapValues(text, table, "outward"));
      return withBody(message, device, mapped);
    }
    if (values === undefined) return { message };
    const mapped = mapValues(values, table, "outward");
    if (mapped.kind === "unrepresentable") return { fate: unrepresentable(device, mapped.reason) };
    if (mapped.emptiedBy !== undefined) return { fate: droppedBy(mapped.emptiedBy) };
    return { message: { ...message, values: mapped.values } };
  }

  /** Answers to commands are telemetry of their own, in a folder that is kept for them. */
  function isReply(folder: string | undefined): boolean {
    const { replies } = memory;
    return replies !== null && folder !== undefined && (folder === replies || folder.startsWith(`${replies}/`));
  }
}

function withBody(message: Telemetry | State, device: DeviceId, mapped: MappedBody): Outward {
  if (mapped.kind === "unrepresentable") return { fate: unrepresentable(device, mapped.reason) };
  if (mapped.emptiedBy !== undefined) return { fate: droppedBy(mapped.emptiedBy) };
  return { message: { ...message, body: mapped.body } };
}

function config(message: Config, table: KeyTable): Inward {
  const { body, values, deleted } = message;
  if (table.isEmpty) return { kind: "message", message };
  if (body !== undefined) {
    const mapped = mapDocument(body, (text) => mapValues(text, table, "inward"));
    return mapped.kind === "unrepresentable" ? mapped : { kind: "message", message: { ...message, body: mapped.body } };
  }
  if (values !== undefined) {
    const mapped = mapValues(values, table, "inward");
    if (mapped.kind === "unrepresentable") return mapped;
    if (mapped.emptiedBy !== undefined) return { kind: "nothing" };
    return { kind: "message", message: { ...message, values: mapped.values } };
  }
  const names = mapNames(deleted ?? [], table, "inward");
  return names.length === 0 ? { kind: "nothing" } : { kind: "message", message: { ...message, deleted: names } };
}

function droppedBy({ ref }: MappingRule): Fate {
  return { kind: "dropped", reason: ref.name };
}

function unrepresentable(device: DeviceId, reason: string): Fate {
  return { kind: "quarantined", device, reason: `unrepresentable: ${reason}` };
}
