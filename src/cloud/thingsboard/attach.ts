import { flushCalls } from "./calls.ts";
import type { Outcome } from "./outcome.ts";
import type { Attachment, Session } from "./session.ts";
import type { Tenant } from "./tenant.ts";

/** How a device is to be attached. */
export interface AttachRequest {
  readonly name: string;
  /** Its profile, should it have to be created. */
  readonly type: string;
  /** Whether another message than a connect brought it. */
  readonly isImplied: boolean;
}

/**
 * Attaches a device to a gateway, creating it if there is none of that name.
 *
 * Whoever had the device before loses it and is not told. The gateway is charged two messages; if only the second is refused,
 * the attachment takes uploads and delivers nothing.
 */
export function attach(
  session: Session,
  request: AttachRequest,
  tenant: Tenant,
): { readonly attachment: Attachment } | { readonly bad: Outcome } {
  const present = session.attachments.get(request.name);
  if (present !== undefined) return { attachment: present };
  const gateway = session.device;
  const tooFast = { bad: { kind: "tooFastToAttach", detail: "attaching is over the rate limit" } } as const;
  if (!tenant.allowances.spendChild(gateway, 0)) return tooFast;
  const found = tenant.inventory.getOrCreate(request.name, request.type);
  if ("code" in found) return { bad: { kind: "notAttached", ...found } };
  const { device, isNew } = found;
  const former = tenant.routes.get(device);
  if (former?.attachment !== undefined) former.session.detach(former.attachment.name, "evicted");
  else former?.session.close("taken-over", "device was attached by a gateway", 0x8e);
  if (session.isClosed) return tooFast; // it attached itself
  const isArmed = tenant.allowances.spendChild(gateway, 0);
  const attachment = session.addAttachment(device, request.name, isArmed);
  device.lastGateway = gateway;
  const { name, type, isImplied } = request;
  session.record({ kind: "attach", gateway: gateway.name, device: name, type, isImplied, isNew, isArmed });
  session.afterwards(() => flushCalls(tenant, device));
  return { attachment };
}
