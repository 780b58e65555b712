import type { ErrorReport } from "../message/message.ts";
import type { RetryPolicy } from "../message/traits.ts";
import type { Attachments } from "./attachments.ts";
import type { Core } from "./core.ts";
import type { DeviceNotices } from "./device-notices.ts";
import type { Flights } from "./flights.ts";
import type { Landings } from "./landings.ts";
import type { Lanes } from "./lanes.ts";

/** One error may come twice, on two topics (IoT Core specification, section 12). */
const sameWithinMs = 2000;
const rememberedErrors = 1024;
/** Errors about nothing of ours, after which the connection is not to be trusted: more than 3 in a minute. */
const strayErrors = 3;
const strayWithinMs = 60_000;
/** For a code that the dialect says nothing about. */
const unknownPolicy: RetryPolicy = { action: "backoff", firstMs: 1000, capMs: 64_000 };

export interface UpstreamErrorsParts {
  readonly core: Core;
  readonly lanes: Lanes;
  readonly flights: Flights;
  readonly attachments: Attachments;
  readonly landings: Landings;
  readonly notices: DeviceNotices;
}

/** What comes of the errors a cloud reports on a topic: who is held, who is attached again, what is never sent again. */
export class UpstreamErrors {
  readonly #parts: UpstreamErrorsParts;
  readonly #core: Core;
  readonly #seen = new Map<string, number>();
  #strays: number[] = [];

  constructor(parts: UpstreamErrorsParts) {
    this.#parts = parts;
    this.#core = parts.core;
  }

  /** Does what the dialect says is to be done about this error. `about` is the publish it names, where that is known. */
  receive(message: ErrorReport, about: number | undefined): void {
    if (this.#isRepeat(message)) return;
    const { code, description, topic } = message;
    const lane = this.#parts.lanes.findId(message.device);
    const named = about === undefined ? undefined : this.#parts.flights.find(about);
    this.#core.report("warn", "upstream-error", { device: lane?.device ?? message.device, code, description, topic });
    this.#parts.notices.pass(message, lane);
    if (lane === undefined) return;
    const policy = this.#core.options.upstream.retries.get(code) ?? unknownPolicy;
    const reason = description === "" ? code : `${code}: ${description}`;
    const isUnused = lane.phase === "detached" && !lane.isKnown && lane.flying === 0;
    switch (policy.action) {
      case "hold":
        if (lane.phase !== "held" && lane.phase !== "detaching" && !isUnused) {
          this.#parts.attachments.hold(lane, reason, policy.everyMs);
        }
        return;
      case "reattach":
        // Each publish that was under way gets an error of its own: only the first one says something new.
        if (lane.phase === "attached") this.#parts.attachments.lost(lane, policy, reason);
        return;
      case "reattachSlowly":
      case "backoff":
        if (lane.phase !== "held" && lane.phase !== "pausing" && lane.phase !== "detaching" && !isUnused) {
          this.#parts.attachments.lost(lane, policy, reason);
        }
        return;
      case "quarantine": {
        // Without its packet id, the oldest one is the likeliest: a cloud answers in order.
        const culprit = named ?? this.#parts.flights.of(lane)[0];
        if (culprit === undefined) return;
        this.#core.emit({ kind: "forget", token: culprit.token });
        this.#parts.landings.setAside(culprit.token, reason);
        return;
      }
      case "forget":
        this.#stray(code);
        return;
    }
  }

  closed(): void {
    this.#seen.clear();
    this.#strays = [];
  }

  #stray(code: string): void {
    this.#strays = [...this.#strays.filter((atMs) => atMs > this.#core.nowMs - strayWithinMs), this.#core.nowMs];
    if (this.#strays.length <= strayErrors) return;
    this.#strays = [];
    this.#core.emit({ kind: "reconnect", reason: code });
  }

  #isRepeat({ code, device, packetId }: ErrorReport): boolean {
    const key = JSON.stringify([code, device, packetId]);
    const lastMs = this.#seen.get(key);
    this.#seen.delete(key);
    this.#seen.set(key, this.#core.nowMs);
    if (this.#seen.size > rememberedErrors) this.#seen.delete(this.#seen.keys().next().value as string);
    return lastMs !== undefined && this.#core.nowMs - lastMs < sameWithinMs;
  }
}
