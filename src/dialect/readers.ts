import { isUtf8 } from "node:buffer";
import { type JsonFault, type JsonNode, parseJson, scalarText, stringOf } from "../message/json.ts";
import { toStrictJson } from "./lenient-json.ts";

/** Turns the bytes of a payload into JSON for a pattern; `depth` is how many levels the pattern looks at. */
export type PayloadReader = (payload: Uint8Array, depth: number) => JsonNode | JsonFault;

/** How a rule can take its payload: `bytes` and `none` look at nothing, the others give JSON. */
export type ReaderName = "json" | "jsonOrText" | "attach" | "bytes" | "none";

/** The readers that give JSON. What they print is strict JSON, which each reads as what it says. */
export const jsonReaders: Readonly<Record<"json" | "jsonOrText" | "attach", PayloadReader>> = {
  json: readJson,
  jsonOrText,
  attach: readAttach,
};

export const readerNames: readonly ReaderName[] = ["json", "jsonOrText", "attach", "bytes", "none"];

/** JSON; where that fails JSON5, which real gateways send (`{device:'A'}`). Nothing at all is `null`, as Gson has it. */
function readJson(payload: Uint8Array, depth: number): JsonNode | JsonFault {
  const text = textOfUtf8(payload);
  if (text === undefined) return { kind: "fault", offset: 0, reason: "not UTF-8" };
  const strict = parseJson(text, depth);
  if (strict.kind !== "fault") return strict;
  if (text.trim() === "") return parseJson("null");
  const rewritten = toStrictJson(text);
  if (rewritten === undefined) return strict;
  return parseJson(rewritten, depth);
}

/** JSON, or text taken as a JSON string: a gateway may answer a call to itself with any bytes. */
function jsonOrText(payload: Uint8Array, depth: number): JsonNode | JsonFault {
  const text = textOfUtf8(payload);
  if (text === undefined) return { kind: "fault", offset: 0, reason: "not UTF-8" };
  const node = parseJson(text, depth);
  return node.kind === "fault" ? parseJson(scalarText(text)) : node;
}

/** The vendors' Node and Go samples send `{ 'authorization' : eyJ… }`, which is neither JSON nor JSON5. */
const bareToken = /authorization['"]?\s*:\s*['"]?([A-Za-z0-9_\-=.]+)/;

/** An object with a string `authorization` or without: whatever else an attach carries is of no interest. */
function readAttach(payload: Uint8Array, depth: number): JsonNode | JsonFault {
  const text = textOfUtf8(payload) ?? "";
  const node = parseJson(text, Math.max(1, depth));
  if (node.kind === "object") {
    const at = node.keys?.lastIndexOf("authorization") ?? -1;
    const token = node.items?.[at];
    return token?.kind === "string" ? tokenNode(stringOf(token)) : tokenNode("");
  }
  return tokenNode(node.kind === "fault" ? (bareToken.exec(text)?.[1] ?? "") : "");
}

function tokenNode(token: string): JsonNode | JsonFault {
  return parseJson(token === "" ? "{}" : `{"authorization":${scalarText(token)}}`);
}

/** `undefined` if the bytes are not UTF-8. */
function textOfUtf8(payload: Uint8Array): string | undefined {
  const bytes = Buffer.isBuffer(payload)
    ? payload
    : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const text = bytes.toString("utf8");
  // Ill-formed bytes decode to U+FFFD; only a text that has one needs the second look.
  return text.includes("\ufffd") && !isUtf8(payload) ? undefined : text;
}
