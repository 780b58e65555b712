import { type JsonText, objectText, scalarText } from "../../message/json.ts";
import type { TenantDevice } from "./inventory.ts";
import { commandFilters } from "./subscriptions.ts";
import type { Route, Tenant } from "./tenant.ts";

/** A command to a device. */
export interface CallRequest {
  readonly method: string;
  readonly params: JsonText;
  /** How long it waits to be delivered and answered. */
  readonly timeoutMs: number;
  /** Kept until it is answered or its time is over; a caller is never told that the device is away. */
  readonly isPersistent: boolean;
  /** Needs no answer; on the wire nothing tells it from others. */
  readonly isOneWay: boolean;
}

/** How a command ended. `delivered` is the end of a one-way command, `offline` that it found no active connection. */
export type CallOutcome =
  | { readonly kind: "reply"; readonly data: string }
  | { readonly kind: "delivered" }
  | { readonly kind: "timeout" }
  | { readonly kind: "offline" };

/** A command that is not over. */
export interface PendingCall {
  readonly id: number;
  readonly request: CallRequest;
  /** Whether it has been sent, now or on an earlier connection. */
  wasSent: boolean;
  end(outcome: CallOutcome): void;
}

/**
 * Sends a command to a device that is attached, or connected and has subscribed; otherwise it is sent as soon as that is so.
 *
 * Ids count per device and begin with 0. What was sent and is not answered is sent again, with its id, whenever the device
 * is attached anew (ThingsBoard, DeviceActorMessageProcessor).
 */
export function startCall(tenant: Tenant, device: TenantDevice, request: CallRequest): Promise<CallOutcome> {
  return new Promise((resolve) => {
    const call: PendingCall = {
      id: device.nextCallId++,
      request,
      wasSent: false,
      end(outcome) {
        clearTimeout(timer);
        device.calls.delete(call.id);
        resolve(outcome);
      },
    };
    const timer = setTimeout(
      () => call.end({ kind: call.wasSent || request.isPersistent ? "timeout" : "offline" }),
      request.timeoutMs,
    );
    device.calls.set(call.id, call);
    deliver(tenant.routes.get(device), call);
  });
}

/** Sends all commands that wait for a device. */
export function flushCalls(tenant: Tenant, device: TenantDevice): void {
  for (const call of [...device.calls.values()]) deliver(tenant.routes.get(device), call);
}

/** Takes a device's answer; false if nobody waits for it. */
export function takeReply(device: TenantDevice, id: number, data: string): boolean {
  const call = device.calls.get(id);
  if (call === undefined || call.request.isOneWay) return false;
  call.end({ kind: "reply", data });
  return true;
}

function deliver(route: Route | undefined, call: PendingCall): void {
  if (route === undefined) return;
  const { session, attachment } = route;
  const members: [string, JsonText][] = [
    ["method", scalarText(call.request.method)],
    ["params", call.request.params],
  ];
  if (attachment !== undefined) {
    if (!attachment.isArmed) return;
    const data = objectText([["id", scalarText(call.id)], ...members]);
    const payload = objectText([
      ["device", scalarText(attachment.name)],
      ["data", data],
    ]);
    const sent = session.send("v1/gateway/rpc", payload, "v1/gateway/rpc");
    if (sent === undefined) return;
    call.wasSent = true;
    // PUBACKs for a gateway's devices are not followed, so a persistent command is done only where none is to come.
    if (call.request.isOneWay && (!call.request.isPersistent || sent.qos === 0)) call.end({ kind: "delivered" });
    return;
  }
  const filter = [...commandFilters].find((each) => session.subscriptions.has(each));
  if (filter === undefined) return;
  const sent = session.send(filter.replace("+", String(call.id)), objectText(members), filter, () => {
    if (call.request.isOneWay) call.end({ kind: "delivered" });
  });
  if (sent === undefined) return;
  call.wasSent = true;
  if (call.request.isOneWay && sent.qos === 0) call.end({ kind: "delivered" });
}
