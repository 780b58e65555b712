import { type JsonText, membersOf } from "../message/json.ts";
import type { UpMessage } from "../message/message.ts";
import { Bucket } from "./bucket.ts";
import type { RateLimits, SessionLimits } from "./session-limits.ts";

/** What a publish uses up of the limits that a cloud has told. */
export interface Use {
  /** It is the gateway's own, not one of its devices'. */
  readonly isOwn: boolean;
  readonly messages: number;
  readonly uploads: number;
  readonly points: number;
}

/** To find or make a device, and to open and subscribe it (ThingsBoard specification, 11.1). */
const messagesOfAttach = 2;

interface Buckets {
  readonly messages: readonly Bucket[];
  readonly uploads: readonly Bucket[];
  readonly points: readonly Bucket[];
}

/** Keeps what goes upstream below the limits that the cloud has told for this connection. */
export class Quota {
  readonly #own: Buckets;
  readonly #devices: Buckets;

  constructor({ own, devices }: SessionLimits, pace: number, nowMs: number) {
    this.#own = bucketsOf(own, pace, nowMs);
    this.#devices = bucketsOf(devices, pace, nowMs);
  }

  has(nowMs: number, use: Use): boolean {
    const { messages, uploads, points } = this.#of(use);
    return (
      hasAll(messages, nowMs, use.messages) && hasAll(uploads, nowMs, use.uploads) && hasAll(points, nowMs, use.points)
    );
  }

  spend(nowMs: number, use: Use): void {
    const { messages, uploads, points } = this.#of(use);
    for (const bucket of messages) bucket.spend(nowMs, use.messages);
    for (const bucket of uploads) bucket.spend(nowMs, use.uploads);
    for (const bucket of points) bucket.spend(nowMs, use.points);
  }

  readyAtMs(nowMs: number, use: Use): number {
    const { messages, uploads, points } = this.#of(use);
    const at = (buckets: readonly Bucket[], amount: number) =>
      amount === 0 ? [] : buckets.map((bucket) => bucket.readyAtMs(nowMs, amount));
    return Math.max(nowMs, ...at(messages, use.messages), ...at(uploads, use.uploads), ...at(points, use.points));
  }

  #of({ isOwn }: Use): Buckets {
    return isOwn ? this.#own : this.#devices;
  }
}

/** What a message uses up. */
export function useOf(message: UpMessage): Use {
  const isOwn = !("device" in message) || message.device === undefined;
  switch (message.kind) {
    case "telemetry": {
      let points = 0;
      for (const { values } of message.points ?? []) points += keysIn(values);
      return upload(isOwn, points);
    }
    case "state":
      return upload(isOwn, keysIn(message.values));
    case "attach":
      return { isOwn, messages: messagesOfAttach, uploads: 0, points: 0 };
    default:
      return { isOwn, messages: 1, uploads: 0, points: 0 };
  }
}

/** Without a data point in it, it is a message like any other. */
function upload(isOwn: boolean, points: number): Use {
  return points === 0 ? { isOwn, messages: 1, uploads: 0, points } : { isOwn, messages: 0, uploads: 1, points };
}

function keysIn(values: JsonText | undefined): number {
  return values === undefined ? 0 : membersOf(values).size;
}

function bucketsOf({ messages, uploads, points }: RateLimits, pace: number, nowMs: number): Buckets {
  const fill = (limits: RateLimits["messages"]) =>
    limits.map((limit) => {
      const bucket = new Bucket(limit, pace);
      bucket.restart(nowMs);
      return bucket;
    });
  return { messages: fill(messages), uploads: fill(uploads), points: fill(points) };
}

function hasAll(buckets: readonly Bucket[], nowMs: number, amount: number): boolean {
  return amount === 0 || buckets.every((bucket) => bucket.has(nowMs, amount));
}
