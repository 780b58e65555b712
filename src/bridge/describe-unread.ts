import type { Decoded } from "../message/decoded.ts";

/** Why a packet, or a part of it, could not be read; with the place of the rule, where there is one. */
export function describeUnread(decoded: Decoded): string {
  if (decoded.kind === "unknownTopic") return "no rule has this topic";
  const where = `${decoded.rule.file}:${decoded.rule.line}`;
  if (decoded.kind === "unreadable") return `${decoded.reason} (${where})`;
  const parts = decoded.misfits.map(({ path, wanted, got }) => `at "${path}" wanted ${wanted}, got ${got}`);
  return `${parts.slice(0, 3).join("; ")}${parts.length > 3 ? "; …" : ""} (${where})`;
}
