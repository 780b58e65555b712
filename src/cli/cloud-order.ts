import type { Cloud } from "../cloud/cloud.ts";
import { type JsonText, kindOf, membersOf, parseJson, stringOf, toJsonText } from "../message/json.ts";

/** What became of an order, as a log line. */
export interface OrderResult {
  readonly level: "info" | "warn";
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const wanted = 'wanted {"config":{"device","body"}} or {"command":{"device","folder","body"}}';

/**
 * Does what one line of JSON on stdin asks for: a configuration or a command to a device.
 *
 * A `body` that is a JSON string is sent as its text, any other as the JSON it is, digit for digit; `body64` is bytes.
 */
export function runOrder(line: string, cloud: Cloud): OrderResult {
  const order = toJsonText(line);
  const members: ReadonlyMap<string, JsonText> = order === undefined ? new Map() : membersOf(order);
  const [name, inner] = [...members][0] ?? [];
  if (members.size !== 1 || inner === undefined || (name !== "config" && name !== "command")) return unreadable(wanted);
  const fields = membersOf(inner);
  const device = textOf(fields.get("device"));
  const body = bodyOf(fields);
  if (device === undefined || body === undefined) return unreadable(`${name} needs "device" and "body" or "body64"`);
  try {
    if (name === "config") {
      return { level: "info", event: "config set", fields: { device, version: cloud.setConfig(device, body) } };
    }
    const folder = textOf(fields.get("folder"));
    const outcome = cloud.sendCommand(device, body, folder);
    const about = { device, ...(folder === undefined ? {} : { folder }) };
    return outcome.delivered
      ? { level: "info", event: "command sent", fields: about }
      : { level: "warn", event: "command not delivered", fields: { ...about, reason: outcome.reason } };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { level: "warn", event: "order refused", fields: { reason: error.message } };
  }
}

function unreadable(reason: string): OrderResult {
  return { level: "warn", event: "order not understood", fields: { reason } };
}

function bodyOf(fields: ReadonlyMap<string, JsonText>): Uint8Array | undefined {
  const body = fields.get("body");
  if (body !== undefined) return Buffer.from(textOf(body) ?? body);
  const bytes = textOf(fields.get("body64"));
  return bytes === undefined ? undefined : Buffer.from(bytes, "base64");
}

/** What a JSON string says; `undefined` for anything else. */
function textOf(value: JsonText | undefined): string | undefined {
  if (value === undefined || kindOf(value) !== "string") return undefined;
  const node = parseJson(value, 0);
  return node.kind === "fault" ? undefined : stringOf(node);
}
