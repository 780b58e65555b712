import type { ErrorReport } from "../message/message.ts";
import type { RetryPolicy } from "../message/traits.ts";
import type { Attachments } from "./attachments.ts";
import type { Core } from "./core.ts";
import type { Flights } from "./flights.ts";
import type { Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";

/** One error may come twice, on two topics (IoT Core specification, section 12). */
const sameWithinMs = 2000;
const rememberedErrors = 1024;
/** Errors about nothing of ours, after which the connection is not to be trusted: more than 3 in a minute. */
const strayErrors = 3;
const strayWithinMs = 60_000;
/** For a code that the dialect says nothing about. */
const unknownPolicy: RetryPolicy = { action: "backoff", firstMs: 1000, capMs: 64_000 };

export interface UpstreamErrors {
  /** Does what the dialect says is to be done about this error. `about` is the publish it names, where that is known. */
  receive(message: ErrorReport, about: number | undefined): void;
  closed(): void;
}

export interface UpstreamErrorsParts {
  readonly core: Core;
  readonly lanes: Lanes;
  readonly flights: Flights;
  readonly attachments: Attachments;
  /** A publish that will never do is not sent again. */
  readonly setAside: (token: number, reason: string) => void;
  /** The local gateway is told, if it has a topic for that. */
  readonly tell: (message: ErrorReport, lane: Lane | undefined) => void;
}

/** What comes of the errors a cloud reports on a topic: who is held, who is attached again, what is never sent again. */
export function createUpstreamErrors({
  core,
  lanes,
  flights,
  attachments,
  setAside,
  tell,
}: UpstreamErrorsParts): UpstreamErrors {
  const { retries } = core.options.upstream;
  const seen = new Map<string, number>();
  let strays: number[] = [];

  return {
    receive(message, about) {
      if (isRepeat(message)) return;
      const { code, description, topic } = message;
      const lane = lanes.findId(message.device);
      const named = about === undefined ? undefined : flights.find(about);
      core.report("warn", "upstream-error", { device: lane?.device ?? message.device, code, description, topic });
      tell(message, lane);
      if (lane === undefined) return;
      const policy = retries.get(code) ?? unknownPolicy;
      const reason = description === "" ? code : `${code}: ${description}`;
      const isUnused = lane.phase === "detached" && !lane.isKnown && lane.flying === 0;
      switch (policy.action) {
        case "hold":
          if (lane.phase !== "held" && lane.phase !== "detaching" && !isUnused) {
            attachments.hold(lane, reason, policy.everyMs);
          }
          return;
        case "reattach":
          // Each publish that was under way gets an error of its own: only the first one says something new.
          if (lane.phase === "attached") attachments.lost(lane, policy, reason);
          return;
        case "reattachSlowly":
        case "backoff":
          if (lane.phase !== "held" && lane.phase !== "pausing" && lane.phase !== "detaching" && !isUnused) {
            attachments.lost(lane, policy, reason);
          }
          return;
        case "quarantine": {
          // Without its packet id, the oldest one is the likeliest: a cloud answers in order.
          const culprit = named ?? flights.of(lane)[0];
          if (culprit === undefined) return;
          core.emit({ kind: "forget", token: culprit.token });
          setAside(culprit.token, reason);
          return;
        }
        case "forget":
          return stray(code);
      }
    },

    closed() {
      seen.clear();
      strays = [];
    },
  };

  function stray(code: string): void {
    strays = [...strays.filter((atMs) => atMs > core.nowMs - strayWithinMs), core.nowMs];
    if (strays.length <= strayErrors) return;
    strays = [];
    core.emit({ kind: "reconnect", reason: code });
  }

  function isRepeat({ code, device, packetId }: ErrorReport): boolean {
    const key = JSON.stringify([code, device, packetId]);
    const lastMs = seen.get(key);
    seen.delete(key);
    seen.set(key, core.nowMs);
    if (seen.size > rememberedErrors) seen.delete(seen.keys().next().value as string);
    return lastMs !== undefined && core.nowMs - lastMs < sameWithinMs;
  }
}
