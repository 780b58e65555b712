import type { JsonText } from "../../message/json.ts";
import { kindOf, membersOf } from "../../message/json.ts";
import type { DeviceId, Telemetry, UpMessage } from "../../message/message.ts";
import { jsonTextOf } from "../examples.ts";
import { type Fields, fieldsOfMap, number, text } from "../fields.ts";
import { type Blame, oneOf } from "../mistake.ts";
import { describeYaml, type YamlNode } from "../yaml-tree.ts";
import { parseDecimal, printDecimal } from "./decimal.ts";
import type { Deployment, DeploymentSession } from "./deployment.ts";
import { type KeyedKind, keyedKinds } from "./rule.ts";

const exampleKeys = ["device", "profile", "upstream", ...keyedKinds, "becomes", "dropped", "folder", "ts", "body"];
const exampleTime = 1483228800000;

/** One example: a device, what it is called upstream, what it says or hears, and what becomes of that. */
export interface MappingExample {
  readonly run: (deployment: Pick<Deployment, "open">, blame: Blame) => void;
}

/** Reads `examples: [{ device, profile, upstream, telemetry | state | config, becomes, dropped, folder, ts, body }]`. */
export function readMappingExamples(node: YamlNode | undefined, blame: Blame): readonly MappingExample[] {
  if (node === undefined) return [];
  if (node.kind !== "list") {
    blame(node.at, `"examples" holds ${describeYaml(node)}, wanted a list`);
    return [];
  }
  return node.items.flatMap((item) => readExample(item, blame) ?? []);
}

function readExample(node: YamlNode, blame: Blame): MappingExample | undefined {
  const fields = fieldsOfMap(node, "an example", exampleKeys, blame);
  if (fields === undefined) return undefined;
  const device = text(fields.get("device"), blame);
  if (!fields.has("device")) blame(node.at, 'An example without "device", wanted its name as the local side knows it');
  const kinds = keyedKinds.filter((kind) => fields.has(kind));
  const [kind] = kinds;
  if (kinds.length > 1)
    blame(node.at, `An example with ${kinds.map((one) => `"${one}"`).join(" and ")}, wanted one of them`);
  const results = ["becomes", "dropped", "folder", "body"].filter((key) => fields.has(key));
  if (kind !== undefined && results.length === 0) {
    blame(
      node.at,
      `An example with "${kind}" but without what becomes of it, wanted ${oneOf(["becomes", "dropped", "body"])}`,
    );
  }
  if (kind === undefined && !fields.has("upstream")) {
    blame(node.at, `An example that shows nothing, wanted "upstream" or one of ${oneOf(keyedKinds)}`);
  }
  const values = kind && objectOf(fields, kind, blame);
  const expected = {
    upstream: text(fields.get("upstream"), blame),
    becomes: objectOf(fields, "becomes", blame),
    dropped: text(fields.get("dropped"), blame),
    folder: text(fields.get("folder"), blame),
    body: text(fields.get("body"), blame),
  };
  const profile = text(fields.get("profile"), blame);
  const ts = number(fields.get("ts"), { least: 0, most: Number.MAX_SAFE_INTEGER }, blame) ?? exampleTime;
  if (device === undefined) return undefined;
  return {
    run: (deployment, report) => {
      const session = deployment.open({ facts: [], remember: () => undefined, replies: null });
      const id = device as DeviceId;
      if (profile !== undefined) up(session, { kind: "attach", device: id, profile });
      const said = { device: id, ts, values, kind, expected };
      for (const problem of problemsOf(session, said)) report(node.at, `The example for "${device}" ${problem}`);
    },
  };
}

interface Said {
  readonly device: DeviceId;
  readonly ts: number;
  readonly kind: KeyedKind | undefined;
  readonly values: JsonText | undefined;
  readonly expected: {
    readonly upstream: string | undefined;
    readonly becomes: JsonText | undefined;
    readonly dropped: string | undefined;
    readonly folder: string | undefined;
    readonly body: string | undefined;
  };
}

function* problemsOf(session: DeploymentSession, { device, ts, kind, values, expected }: Said): Generator<string> {
  if (expected.upstream !== undefined) {
    const name = session.naming.outward(device);
    if (name !== expected.upstream) yield `is called "${name}" upstream, wanted "${expected.upstream}"`;
    const back = session.naming.inward(name);
    if (back !== device) yield `is called "${name}" upstream, which reads back as "${back}"`;
  }
  if (kind === undefined || values === undefined) return;
  if (kind === "config") {
    if (expected.becomes !== undefined)
      yield* differences("reads back as", configOf(session, device, expected.becomes), values);
    return;
  }
  const message: UpMessage =
    kind === "telemetry" ? { kind, device, points: [{ ts, values }] } : { kind, device, values };
  const out = up(session, message);
  if ("fate" in out) {
    if (out.fate !== expected.dropped)
      yield `is ${out.fate === undefined ? "quarantined" : `dropped by "${out.fate}"`}, wanted ${expected.dropped === undefined ? "it to pass" : `"${expected.dropped}"`}`;
    return;
  }
  if (expected.dropped !== undefined) yield `passes, wanted it dropped by "${expected.dropped}"`;
  const made = out.message;
  const got = made.kind === "telemetry" ? made.points?.[0]?.values : made.kind === "state" ? made.values : undefined;
  if (got !== undefined && expected.becomes !== undefined) yield* differences("becomes", got, expected.becomes);
  if (made.kind === "telemetry") yield* telemetryProblems(session, made, expected);
}

function* telemetryProblems(
  session: DeploymentSession,
  message: Telemetry,
  { folder, body }: Said["expected"],
): Generator<string> {
  const parts = session.telemetry.folders?.(message) ?? [message];
  if (folder !== undefined) {
    const found = parts.map((part) => part.folder ?? "");
    if (found.length !== 1 || found[0] !== folder)
      yield `goes to ${found.map((one) => `"${one}"`).join(" and ")}, wanted "${folder}"`;
  }
  if (body !== undefined) {
    const printed = parts.map(({ points = [] }) => session.telemetry.shape?.print(points) ?? "nothing").join(" and ");
    if (printed !== body) yield `is published as ${printed}, wanted ${body}`;
  }
}

function up(
  session: DeploymentSession,
  message: UpMessage,
): { readonly message: UpMessage } | { readonly fate: string | undefined } {
  const rule = { name: "example", file: "", line: 0 };
  const { decoded, fates } = session.outward({ kind: "messages", rule, messages: [message], misfits: [] });
  const fate = fates.get(0);
  if (fate !== undefined) return { fate: fate.kind === "dropped" ? fate.reason : undefined };
  return { message: decoded.kind === "messages" ? (decoded.messages[0] as UpMessage) : message };
}

function configOf(session: DeploymentSession, device: DeviceId, values: JsonText): JsonText {
  const mapped = session.inward({ kind: "config", device, values });
  return (mapped.kind === "message" && mapped.message.kind === "config" && mapped.message.values) || ("{}" as JsonText);
}

function* differences(what: string, got: JsonText, wanted: JsonText): Generator<string> {
  if (canonical(got) !== canonical(wanted)) yield `${what} ${got}, wanted ${wanted}`;
}

/** The same text for the same members, in whatever order and however their numbers are written. */
function canonical(values: JsonText): string {
  const members = [...membersOf(values)].map(([key, value]) => {
    const exact = kindOf(value) === "number" ? parseDecimal(value) : undefined;
    return `${JSON.stringify(key)}:${exact === undefined ? value : printDecimal(exact)}`;
  });
  return members.sort().join();
}

function objectOf(fields: Fields, key: string, blame: Blame): JsonText | undefined {
  const entry = fields.get(key);
  if (entry === undefined) return undefined;
  if (entry.value.kind === "map") return jsonTextOf(entry.value);
  blame(entry.value.at, `"${key}" is ${describeYaml(entry.value)}, wanted a map from keys to values`);
  return undefined;
}
