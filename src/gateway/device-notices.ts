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
export class DeviceNotices {
  readonly #parts: DeviceNoticesParts;
  readonly #core: Core;

  constructor(parts: DeviceNoticesParts) {
    this.#parts = parts;
    this.#core = parts.core;
  }

  /** The cloud says what has become of a device. */
  receive(message: Removed | Renamed | Detached): void {
    switch (message.kind) {
      case "removed":
        this.#removed(message);
        return;
      case "renamed":
        this.#renamed(message);
        return;
      case "detached":
        this.#detached(message);
    }
  }

  /** The cloud would not have this device attached. */
  refused(lane: Lane, reason: string): void {
    // Where errors come on a topic, the one that said so has been passed on.
    if (this.#core.options.upstream.traits.errors === "none" || reason === "attach-unanswered") {
      this.#tell(lane, "GATEWAY_ATTACHMENT_ERROR", `the cloud does not attach the device: ${reason}`);
    }
  }

  /** The cloud reports an error on a topic, to a gateway that has such a topic too. */
  pass({ code, description }: ErrorReport, lane: Lane | undefined): void {
    if (lane === undefined) return;
    const { device } = lane;
    tellError(this.#core, { code, description, ...(device === undefined ? {} : { device }) });
  }

  /** The local gateway understands them and answers them itself. */
  get #isUnderstood() {
    return this.#core.options.local.traits.commands === "replied";
  }

  #removed(message: Removed): void {
    const lane = this.#parts.lanes.findId(message.device);
    if (lane?.device === undefined) {
      this.#answer(message.id);
      return;
    }
    this.#core.report("warn", "device-removed", { device: lane.device });
    this.#parts.attachments.remove(lane);
    this.#parts.configuration.forget(lane);
    this.#passDown({ ...message, device: lane.device }, () => this.#answer(message.id));
    this.#tell(lane, "GATEWAY_DETACHMENT_DEVICE_ERROR", "the device was removed in the cloud");
    this.#dropLocally(lane.device);
  }

  #renamed(message: Renamed): void {
    const { device, name, id } = message;
    if (device === undefined) {
      this.#answer(id);
      return;
    }
    const lane = this.#parts.lanes.ofId(device);
    const rename = () => {
      const isDone = this.#parts.lanes.rename(lane, name as DeviceId);
      const fields = { device: lane.device, upstreamId: name };
      if (isDone) {
        this.#core.store(`alias/${lane.device}`, name);
        this.#core.report("info", "device-renamed", fields);
      } else
        this.#core.report("error", "device-not-renamed", { ...fields, reason: "another device has that name here" });
      this.#answer(id);
    };
    this.#passDown({ ...message, device: lane.device ?? device }, rename);
  }

  #detached(message: Detached): void {
    const lane = this.#parts.lanes.findId(message.device);
    if (lane?.device === undefined) return;
    const reason = `detached by the cloud${message.reason === undefined ? "" : `: code ${message.reason}`}`;
    this.#core.report("warn", "device-detached", { device: lane.device, reason });
    if (lane.phase === "attached" || lane.phase === "attaching")
      this.#parts.attachments.lost(lane, detachedPolicy, reason);
    if (this.#isUnderstood) this.#core.deliver({ ...message, device: lane.device }, undefined, () => undefined);
  }

  /** Gives the gateway what it understands; `otherwise` where it does not, or is not there. */
  #passDown(message: Removed | Renamed, otherwise: () => void): void {
    if (!this.#isUnderstood || this.#core.connection === undefined) {
      otherwise();
      return;
    }
    this.#core.deliver(message, this.#core.connection, (outcome) => (isTaken(outcome) ? undefined : otherwise()));
  }

  /** The cloud sends such a message as a command to the gateway, again and again until it is answered. */
  #answer(id: number | undefined): void {
    if (id !== undefined)
      this.#parts.outbox.pushReply(
        this.#parts.lanes.own,
        { kind: "commandResponse", id, data: success },
        undefined,
        undefined,
      );
  }

  #tell({ device }: Lane, code: ErrorCode, description: string): void {
    tellError(this.#core, { code, description, ...(device === undefined ? {} : { device }) });
  }

  /** The gateway has to attach it anew, as in its own cloud. */
  #dropLocally(device: DeviceId): void {
    if (!this.#parts.local.isRequired || !this.#parts.local.isAttached(device)) return;
    const called = this.#parts.local.nameOf(device);
    this.#parts.local.detach(device);
    this.#core.emit({ kind: "revoke", devices: [...new Set([device, called])] });
  }
}
