import type { JsonText } from "../message/json.ts";
import type { Config } from "../message/message.ts";
import type { Alarm } from "./alarms.ts";
import type { Configuration, ConfigurationFact } from "./configuration.ts";
import { type Core, isTaken } from "./core.ts";
import type { DeliveryOutcome } from "./event.ts";
import { factName, type Lane } from "./lane.ts";

/** The newest document of a device, and whether the local gateway has it. */
export interface KeptDocument {
  body: Uint8Array;
  /** The gateway has taken this body at least once. */
  isTaken: boolean;
  /** What to acknowledge upstream once it has. */
  inbound: number[];
  /** The body that is on its way to the gateway. */
  giving: Uint8Array | undefined;
  /** The gateway has subscribed since, so it gets the document whether or not it had it before. */
  isWanted: boolean;
  alarm: Alarm | undefined;
}

/** After a gateway that listens refused a document. */
const offerAgainMs = 5000;

/**
 * Whole documents of one cloud for a gateway of the same kind of cloud, as they are: the newest when it subscribes and each
 * newer one as it comes (IoT Core specification, section 8). The upstream is acknowledged when the gateway has taken it, or
 * a newer one. The newest is kept on disk, so that a subscription is answered with the upstream down too. One is on its way
 * at a time; what comes meanwhile replaces what waits.
 */
export class KeptConfiguration implements Configuration {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  restore(lane: Lane, fact: ConfigurationFact, value: string): void {
    lane.kept ??= blank();
    if (fact === "document") lane.kept.body = Buffer.from(value, "base64");
    else lane.kept.isTaken = true;
  }

  receive(lane: Lane, { body = new Uint8Array() }: Config, inbound: number | undefined): void {
    const before = lane.kept;
    if (before !== undefined && Buffer.compare(before.body, body) === 0) {
      // The cloud says it again whenever we connect; who has it need not hear it again.
      if (before.isTaken) {
        this.#core.acknowledge(inbound);
        return;
      }
      if (inbound !== undefined) before.inbound.push(inbound);
      this.#offer(lane, before);
      return;
    }
    this.#core.countDown("received");
    if (before?.isTaken === false) this.#core.dropDown("superseded");
    const kept = before ?? blank();
    lane.kept = kept;
    // A view would keep all of the network's buffer.
    kept.body = Uint8Array.from(body);
    kept.isTaken = false;
    if (inbound !== undefined) kept.inbound.push(inbound);
    this.#core.store(`document/${factName(lane)}`, Buffer.from(body).toString("base64"));
    this.#core.store(`documentTaken/${factName(lane)}`, undefined);
    this.#offer(lane, kept);
  }

  offer(lane: Lane): void {
    if (lane.kept !== undefined) this.#offer(lane, lane.kept);
  }

  heard(lane: Lane): void {
    if (lane.kept === undefined) return;
    lane.kept.isWanted = true;
    this.#offer(lane, lane.kept);
  }

  forget(lane: Lane): void {
    if (lane.kept === undefined) return;
    this.#core.alarms.cancel(lane.kept.alarm);
    if (!lane.kept.isTaken) this.#core.dropDown("offline");
    lane.kept = undefined;
    this.#core.store(`document/${factName(lane)}`, undefined);
    this.#core.store(`documentTaken/${factName(lane)}`, undefined);
  }

  upstreamClosed(lane: Lane): void {
    if (lane.kept !== undefined) lane.kept.inbound = [];
  }

  attached(): void {
    undefined;
    return;
  }

  reported(): void {
    undefined;
    return;
  }

  desired(): JsonText | undefined {
    return undefined;
  }

  #offer(lane: Lane, kept: KeptDocument): void {
    if (kept.giving !== undefined || this.#core.connection === undefined) return;
    if (kept.isTaken && !kept.isWanted) return;
    this.#core.alarms.cancel(kept.alarm);
    kept.isWanted = false;
    kept.giving = kept.body;
    const { device } = lane;
    const message: Config = { kind: "config", ...(device === undefined ? {} : { device }), body: kept.body };
    this.#core.deliver(message, this.#core.connection, (outcome) => this.#given(lane, kept, outcome));
  }

  #given(lane: Lane, kept: KeptDocument, outcome: DeliveryOutcome): void {
    const { giving } = kept;
    kept.giving = undefined;
    if (lane.kept !== kept) return;
    const isOver = isTaken(outcome) || outcome === "unrepresentable";
    if (isOver && giving === kept.body) this.#take(lane, kept, outcome);
    else if (outcome === "rejected") {
      kept.alarm = this.#core.alarms.set(this.#core.nowMs + offerAgainMs, () => this.#offer(lane, kept));
    }
    // Who is not subscribed says so once it is; who is gone comes back and subscribes.
    if (kept.isWanted || (isOver && giving !== kept.body)) this.#offer(lane, kept);
  }

  #take(lane: Lane, kept: KeptDocument, outcome: DeliveryOutcome): void {
    if (!kept.isTaken) {
      kept.isTaken = true;
      this.#core.store(`documentTaken/${factName(lane)}`, "");
      if (outcome === "unrepresentable") this.#core.dropDown(outcome);
      else this.#core.countDown("delivered");
    }
    for (const inbound of kept.inbound.splice(0)) this.#core.acknowledge(inbound);
  }
}

function blank(): KeptDocument {
  return { body: new Uint8Array(), isTaken: false, inbound: [], giving: undefined, isWanted: false, alarm: undefined };
}
