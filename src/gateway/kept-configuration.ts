import type { Config } from "../message/message.ts";
import type { Alarm } from "./alarms.ts";
import type { Configuration } from "./configuration.ts";
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
export function createKeptConfiguration(core: Core): Configuration {
  return {
    restore(lane, fact, value) {
      lane.kept ??= blank();
      if (fact === "document") lane.kept.body = Buffer.from(value, "base64");
      else lane.kept.isTaken = true;
    },

    receive(lane, { body = new Uint8Array() }, inbound) {
      const before = lane.kept;
      if (before !== undefined && Buffer.compare(before.body, body) === 0) {
        // The cloud says it again whenever we connect; who has it need not hear it again.
        if (before.isTaken) return core.acknowledge(inbound);
        if (inbound !== undefined) before.inbound.push(inbound);
        return offer(lane, before);
      }
      core.countDown("received");
      if (before?.isTaken === false) core.dropDown("superseded");
      const kept = before ?? blank();
      lane.kept = kept;
      // A view would keep all of the network's buffer.
      kept.body = Uint8Array.from(body);
      kept.isTaken = false;
      if (inbound !== undefined) kept.inbound.push(inbound);
      core.store(`document/${factName(lane)}`, Buffer.from(body).toString("base64"));
      core.store(`documentTaken/${factName(lane)}`, undefined);
      offer(lane, kept);
    },

    offer(lane) {
      if (lane.kept !== undefined) offer(lane, lane.kept);
    },

    heard(lane) {
      if (lane.kept === undefined) return;
      lane.kept.isWanted = true;
      offer(lane, lane.kept);
    },

    forget(lane) {
      if (lane.kept === undefined) return;
      core.alarms.cancel(lane.kept.alarm);
      if (!lane.kept.isTaken) core.dropDown("offline");
      lane.kept = undefined;
      core.store(`document/${factName(lane)}`, undefined);
      core.store(`documentTaken/${factName(lane)}`, undefined);
    },

    upstreamClosed(lane) {
      if (lane.kept !== undefined) lane.kept.inbound = [];
    },

    attached: () => undefined,
    reported: () => undefined,
    desired: () => undefined,
  };

  function offer(lane: Lane, kept: KeptDocument): void {
    if (kept.giving !== undefined || core.connection === undefined) return;
    if (kept.isTaken && !kept.isWanted) return;
    core.alarms.cancel(kept.alarm);
    kept.isWanted = false;
    kept.giving = kept.body;
    const { device } = lane;
    const message: Config = { kind: "config", ...(device === undefined ? {} : { device }), body: kept.body };
    core.deliver(message, core.connection, (outcome) => given(lane, kept, outcome));
  }

  function given(lane: Lane, kept: KeptDocument, outcome: DeliveryOutcome): void {
    const { giving } = kept;
    kept.giving = undefined;
    if (lane.kept !== kept) return;
    const isOver = isTaken(outcome) || outcome === "unrepresentable";
    if (isOver && giving === kept.body) take(lane, kept, outcome);
    else if (outcome === "rejected") {
      kept.alarm = core.alarms.set(core.nowMs + offerAgainMs, () => offer(lane, kept));
    }
    // Who is not subscribed says so once it is; who is gone comes back and subscribes.
    if (kept.isWanted || (isOver && giving !== kept.body)) offer(lane, kept);
  }

  function take(lane: Lane, kept: KeptDocument, outcome: DeliveryOutcome): void {
    if (!kept.isTaken) {
      kept.isTaken = true;
      core.store(`documentTaken/${factName(lane)}`, "");
      if (outcome === "unrepresentable") core.dropDown(outcome);
      else core.countDown("delivered");
    }
    for (const inbound of kept.inbound.splice(0)) core.acknowledge(inbound);
  }
}

function blank(): KeptDocument {
  return { body: new Uint8Array(), isTaken: false, inbound: [], giving: undefined, isWanted: false, alarm: undefined };
}
