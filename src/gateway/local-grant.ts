import type { Core } from "./core.ts";
import type { Heard } from "./event.ts";
import type { LocalAttachments } from "./local-attachments.ts";

/** What a filter hears; `isLenient`: the cloud documents another filter for it. */
export type Wish = Heard & { readonly isLenient?: true };

/**
 * Whether the local gateway may subscribe, as its cloud decides it: to what is its own and its attached devices'. What is
 * granted by way of leniency is not in a strict cloud, which closes the connection on anything else.
 */
export function grantOf(
  core: Core,
  local: LocalAttachments,
  wish: Wish | "others" | "unlike",
): "grant" | "refuse" | "close" {
  const isStrict = core.options.strict === true;
  const otherwise = isStrict && local.isRequired ? "close" : "refuse";
  if (wish === "others") return "refuse";
  if (wish === "unlike") return otherwise;
  const { kind, device, isLenient = false } = wish;
  if (isLenient && isStrict) return "refuse";
  if (!local.isRequired) return "grant";
  if (!local.isAttached(local.idOf(device))) return otherwise;
  return kind === "error" && !local.isGateway ? "refuse" : "grant";
}
