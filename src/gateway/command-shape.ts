import { type JsonText, kindOf, membersOf, objectText, scalarText, toJsonText } from "../message/json.ts";
import type { Command } from "../message/message.ts";
import { jsonOfBody, textOfBody } from "./document-shape.ts";

/** A command in terms of a call: what to do, with what, and the number its sender knows it by. */
export interface CalledCommand {
  readonly method: string;
  readonly params: JsonText;
  /** The command's own id as JSON; `null` if it has none. */
  readonly ownId: JsonText;
}

const noId = "null" as JsonText;

/**
 * Reads an opaque command. The body `{"method", "params"?, "id"?}` is the call itself; otherwise the folder names the
 * method, `/` as `.`, and the body is its parameters: as JSON, else as text, else in base64.
 */
export function callOfCommand({ folder, body = new Uint8Array() }: Command): CalledCommand {
  const json = jsonOfBody(body);
  const called = json === undefined ? undefined : calledBody(json);
  if (called !== undefined) return called;
  const method = folder === undefined ? "command" : folder.replaceAll("/", ".");
  return { method, params: json ?? textParams(body), ownId: noId };
}

/** The body that carries an answer up: `data`, or the `error` that stands in for it. */
export function answerBody(
  { ownId, method }: Pick<CalledCommand, "ownId" | "method">,
  answer: { readonly data: JsonText } | { readonly error: string },
): Uint8Array {
  const last =
    "data" in answer ? (["data", unwrap(answer.data)] as const) : (["error", scalarText(answer.error)] as const);
  return Buffer.from(objectText([["id", ownId], ["method", scalarText(method)], last]));
}

function calledBody(json: JsonText): CalledCommand | undefined {
  if (kindOf(json) !== "object") return undefined;
  const members = membersOf(json);
  const method = members.get("method");
  if (method === undefined || kindOf(method) !== "string") return undefined;
  const known = Number(members.has("params")) + Number(members.has("id")) + 1;
  // Another member would be lost: then the whole body is the parameters.
  if (members.size !== known) return undefined;
  return {
    method: JSON.parse(method) as string,
    params: members.get("params") ?? ("{}" as JsonText),
    ownId: members.get("id") ?? noId,
  };
}

function textParams(body: Uint8Array): JsonText {
  return scalarText(textOfBody(body) ?? Buffer.from(body).toString("base64"));
}

/** Real gateways often answer with JSON inside a string (ThingsBoard specification, 9.2). */
function unwrap(data: JsonText): JsonText {
  if (kindOf(data) !== "string") return data;
  const inner = toJsonText(JSON.parse(data) as string);
  if (inner === undefined) return data;
  const kind = kindOf(inner);
  return kind === "object" || kind === "array" ? inner : data;
}
