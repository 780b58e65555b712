import type { JsonText } from "../message/json.ts";
import type { Detached, DeviceId, ErrorReport, Removed, Renamed } from "../message/message.ts";
import type { RetryPolicy } from "../message/traits.ts";
import type { Attachments } from "./attachments.ts";
import type { Configuration } from "./configuration.ts";
import { type Core, isTaken } from "./core.ts";
import type { Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";
import type { LocalAttachments } from "./local-attachments.ts";
import { type ErrorCode, tellError } from "./local-errors.ts";
import type { Outbox } from "./outbox.ts";

export interface DeviceNotices {
  /** The cloud says what has become of a device. */
  receive(message: Removed | Renamed | Detached): void;
  /** The cloud would not have this device attached. */
  refused(lane: Lane, reason: string): void;
  /** The cloud reports an error on a topic, to a gateway that has such a topic too. */
  pass(message: ErrorReport, lane: Lane | undefined): void;
}

export interface DeviceNoticesParts {
  readonly core: Core;
  readonly lanes: Lanes;
  readonly outbox: Outbox;
  readonly attachments: Attachments;
  readonly configuration: Configuration;
  readonly local: LocalAttachments;
}

/** As after an error that says the same (IoT Core specification, Appendix B). */
const detachedPolicy: RetryPolicy = { action: "reattachSlowly", firstMs: 5000, capMs: 300_000 };
const success = '{"success":true}' as JsonText;

/** What a cloud tells about devices behind the gateway's back: removed, renamed, detached, refused. */
export function createDeviceNotices(parts: DeviceNoticesParts): DeviceNotices {
  const { core, lanes, outbox, attachments, configuration, local } = parts;
  /** The local gateway understands them and answers them itself. */
  const isUnderstood = core.options.local.traits.commands === "replied";

  return {
    receive(message) {
      switch (message.kind) {
        case "removed":
          removed(message);
          return;
        case "renamed":
          renamed(message);
          return;
        case "detached":
          detached(message);
      }
    },

    refused(lane, reason) {
      // Where errors come on a topic, the one that said so has been passed on.
      if (core.options.upstream.traits.errors === "none" || reason === "attach-unanswered") {
        tell(lane, "GATEWAY_ATTACHMENT_ERROR", `the cloud does not attach the device: ${reason}`);
      }
    },

    pass({ code, description }, lane) {
      if (lane === undefined) return;
      const { device } = lane;
      tellError(core, { code, description, ...(device === undefined ? {} : { device }) });
    },
  };

  function removed(message: Removed): void {
    const lane = lanes.findId(message.device);
    if (lane?.device === undefined) {
      answer(message.id);
      return;
    }
    core.report("warn", "device-removed", { device: lane.device });
    attachments.remove(lane);
    configuration.forget(lane);
    passDown({ ...message, device: lane.device }, () => answer(message.id));
    tell(lane, "GATEWAY_DETACHMENT_DEVICE_ERROR", "the device was removed in the cloud");
    dropLocally(lane.device);
  }

  function renamed(message: Renamed): void {
    const { device, name, id } = message;
    if (device === undefined) {
      answer(id);
      return;
    }
    const lane = lanes.ofId(device);
    const rename = () => {
      const isDone = lanes.rename(lane, name as DeviceId);
      const fields = { device: lane.device, upstreamId: name };
      if (isDone) {
        core.store(`alias/${lane.device}`, name);
        core.report("info", "device-renamed", fields);
      } else core.report("error", "device-not-renamed", { ...fields, reason: "another device has that name here" });
      answer(id);
    };
    passDown({ ...message, device: lane.device ?? device }, rename);
  }

  function detached(message: Detached): void {
    const lane = lanes.findId(message.device);
    if (lane?.device === undefined) return;
    const reason = `detached by the cloud${message.reason === undefined ? "" : `: code ${message.reason}`}`;
    core.report("warn", "device-detached", { device: lane.device, reason });
    if (lane.phase === "attached" || lane.phase === "attaching") attachments.lost(lane, detachedPolicy, reason);
    if (isUnderstood) core.deliver({ ...message, device: lane.device }, undefined, () => undefined);
  }

  /** Gives the gateway what it understands; `otherwise` where it does not, or is not there. */
  function passDown(message: Removed | Renamed, otherwise: () => void): void {
    if (!isUnderstood || core.connection === undefined) {
      otherwise();
      return;
    }
    core.deliver(message, core.connection, (outcome) => (isTaken(outcome) ? undefined : otherwise()));
  }

  /** The cloud sends such a message as a command to the gateway, again and again until it is answered. */
  function answer(id: number | undefined): void {
    if (id !== undefined)
      outbox.pushReply(lanes.own, { kind: "commandResponse", id, data: success }, undefined, undefined);
  }

  function tell({ device }: Lane, code: ErrorCode, description: string): void {
    tellError(core, { code, description, ...(device === undefined ? {} : { device }) });
  }

  /** The gateway has to attach it anew, as in its own cloud. */
  function dropLocally(device: DeviceId): void {
    if (!local.isRequired || !local.isAttached(device)) return;
    const called = local.nameOf(device);
    local.detach(device);
    core.emit({ kind: "revoke", devices: [...new Set([device, called])] });
  }
}
