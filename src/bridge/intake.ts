import type { DeploymentSession } from "../dialect/deployment/deployment.ts";
import type { BoundDialect } from "../dialect/dialect.ts";
import { withFates } from "../gateway/admission.ts";
import type { Admission, Arrival, GatewayEffect } from "../gateway/event.ts";
import type { Gateway } from "../gateway/gateway.ts";
import type { Exchange, LocalClient, LocalListener, Verdict } from "../local/listener.ts";
import type { Decoded } from "../message/decoded.ts";
import type { Fate } from "../message/fate.ts";
import type { Latency } from "../message/latency.ts";
import type { Log } from "../message/log.ts";
import type { Packet } from "../message/packet.ts";
import type { GatewaySpool, SpoolRecord } from "../spool/spool.ts";
import type { LinkTrace } from "./link-trace.ts";
import { outward } from "./outward.ts";
import { reportUnread } from "./report-unread.ts";

export interface IntakeParts {
  /** The gateway's. */
  readonly id: string;
  readonly engine: Gateway;
  /** The dialect that records are written under. */
  readonly local: BoundDialect;
  readonly mapping?: DeploymentSession | undefined;
  readonly spool: GatewaySpool;
  readonly verifyDevice: LocalListener["verifyDevice"];
  readonly log: Log;
  readonly latency: Latency;
  readonly now: () => number;
  readonly trace: LinkTrace;
  /** Counts the packets that are on their way to the disk. */
  readonly underWay: { packets: number };
  /** Reads a packet as the connected gateway speaks. */
  readonly read: (packet: Packet) => Decoded;
  /** Does what is to be done before the answer is given. */
  readonly perform: (effects: readonly GatewayEffect[]) => void;
  /** A record is on its way to the disk. */
  readonly arrived: (record: SpoolRecord, decoded: Decoded, connection: number) => void;
  /** It is there, or was refused. */
  readonly synced: () => void;
  /** The disk did not take a record that was handed on. */
  readonly refused: (seq: number) => void;
}

/** A packet from the gateway, and what has become of it so far. */
interface Taken {
  readonly client: LocalClient;
  readonly packet: Packet;
  readonly exchange: Exchange;
  readonly startedMs: number;
  /** What the gateway said. */
  said: Decoded;
  /** The same in the words of the upstream side. */
  decoded: Decoded;
  /** What the deployment's mapping decided. */
  decided: ReadonlyMap<number, Fate>;
}

const unread: Decoded = { kind: "unknownTopic", topic: "" };
const undecided: ReadonlyMap<number, Fate> = new Map();

/** A defect here: what it was about is kept for those who can look. */
export const internalError = { kind: "quarantined", reason: "internal error" } as const;
const setAside: Admission = {
  verdict: { kind: "acknowledge" },
  journal: true,
  count: 1,
  fates: new Map([[0, internalError]]),
  priority: "data",
};

/**
 * What a gateway sends, up to the answer that it gets: read, admitted, and on disk if it is to be kept. Packets become
 * records in the order in which they came, also where one has to wait for a device's token to be looked at.
 *
 * Nearly all packets wait for nothing but the disk. A promise on their way would cost each as much as reading it: so only
 * what is rare has one.
 */
export class Intake {
  readonly #parts: IntakeParts;
  /** A packet waits for this to be admitted, and those behind it for their turn. */
  #proof: Promise<unknown> | undefined;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** Answers once the packet is safe on disk, or is not to be kept. */
  take(client: LocalClient, packet: Packet, exchange: Exchange): void {
    this.#parts.underWay.packets += 1;
    const startedMs = performance.now();
    this.#takeInTurn({
      client,
      packet,
      exchange,
      startedMs,
      said: unread,
      decoded: unread,
      decided: undecided,
    });
  }

  #takeInTurn(taken: Taken): void {
    if (this.#proof === undefined) this.#take(taken);
    else this.#proof.then(() => this.#takeInTurn(taken));
  }

  #take(taken: Taken): void {
    if (taken.exchange.isBehindRefused) {
      this.#answer(taken, { kind: "close" });
      return;
    }
    const { id, log, mapping, now, read } = this.#parts;
    const { packet } = taken;
    const { connection, protocol } = taken.client;
    const { topic, qos, payload } = packet;
    const { packetId } = taken.exchange;
    const arrival: Arrival = { protocol, connection, nowMs: now(), topic, qos, packetId, bytes: payload.length };
    let admission: Admission;
    try {
      taken.said = read(packet);
      reportUnread(log, { gateway: id, packet, decoded: taken.said });
      const outside = outward(mapping, taken.said);
      taken.decoded = outside.decoded;
      taken.decided = outside.fates;
      admission = this.#admit(taken, arrival);
    } catch {
      this.#answer(taken, { kind: "close" });
      return;
    }
    if (admission.verify === undefined) this.#keep(taken, admission);
    else this.#prove(taken, arrival, admission.verify);
  }

  /** A packet that the rules cannot stand is kept for those who can look: refused, it would come again and again. */
  #admit(taken: Taken, arrival: Arrival): Admission {
    const { engine, id, log, perform, trace } = this.#parts;
    const { decided, packet, said } = taken;
    try {
      const admission = engine.admit(taken.decoded, arrival.protocol, arrival);
      // What is not kept is told of before what it causes; what is, with the number of its record.
      if (!admission.journal && admission.verify === undefined)
        trace.cameIn("local", packet, said, { fates: admission.fates });
      if (admission.effects !== undefined) perform(admission.effects);
      return withFates(admission, decided);
    } catch (error) {
      log.error({ gateway: id, during: "admit", err: error }, "internal-error");
      taken.decoded = { kind: "unknownTopic", topic: arrival.topic };
      return setAside;
    }
  }

  /** Admits a packet once its token has been looked at. Everything behind it waits until then, so that the order stays. */
  #prove(taken: Taken, arrival: Arrival, { device, token }: NonNullable<Admission["verify"]>): void {
    const { id, now, verifyDevice } = this.#parts;
    this.#proof = verifyDevice(id, device, token)
      .catch(() => "it could not be checked")
      .then((fault) => {
        const proof = fault === undefined ? {} : { fault };
        this.#proof = undefined;
        if (taken.exchange.isBehindRefused) this.#answer(taken, { kind: "close" });
        else this.#keep(taken, this.#admit(taken, { ...arrival, nowMs: now(), proof }));
      });
  }

  /** Writes it down, if it is to be kept, and hands it on. */
  #keep(taken: Taken, admission: Admission): void {
    const { local, now, spool } = this.#parts;
    const { packet } = taken;
    const { count, fates, priority, verdict } = admission;
    if (!admission.journal) {
      this.#count(admission).then(
        () => this.#answer(taken, verdict),
        () => this.#answer(taken, { kind: "close" }),
      );
      return;
    }
    const dialect = local.dialect.name;
    const record = spool.append({ packet, arrivedMs: now(), dialect, count, priority, fates }, (error) => {
      this.#parts.synced();
      if (error === undefined) {
        this.#answer(taken, verdict);
        return;
      }
      if (record !== undefined) this.#parts.refused(record.seq);
      this.#refused(taken, count, error);
    });
    if (record !== undefined) this.#handOn(taken, record, fates);
  }

  /** While the disk syncs the record, what it says goes its way: the gateway's PUBACK alone has to wait. */
  #handOn(taken: Taken, record: SpoolRecord, fates: Admission["fates"]): void {
    const { arrived, trace } = this.#parts;
    trace.cameIn("local", taken.packet, taken.said, { record: record.seq, fates });
    arrived(record, taken.decoded, taken.client.connection);
    trace.followed();
    // It may wait long for the disk, and needs no more of it than the packet.
    taken.said = unread;
    taken.decoded = unread;
  }

  async #count({ fates, verdict }: Admission): Promise<Verdict> {
    const { spool } = this.#parts;
    await Promise.all([...fates.values()].filter(isFinal).map((fate) => spool.count(1, fate)));
    return verdict;
  }

  #refused(taken: Taken, count: number, error: unknown): void {
    const { id, log, spool, trace } = this.#parts;
    const { packet, said } = taken;
    if (said !== unread) trace.cameIn("local", packet, said);
    log.error({ gateway: id, topic: packet.topic, err: error }, "spool-refused");
    if (packet.qos > 0) this.#answer(taken, { kind: "close", code: 0x97 });
    else {
      const answer = () => this.#answer(taken, { kind: "acknowledge" });
      spool.count(count, { kind: "dropped", reason: "full" }).then(answer, answer);
    }
  }

  /** The last thing done. */
  #answer({ exchange, packet, startedMs }: Taken, verdict: Verdict): void {
    const { latency, underWay } = this.#parts;
    underWay.packets -= 1;
    const hasPuback = packet.qos > 0 && (verdict.kind === "acknowledge" || verdict.kind === "reject");
    if (hasPuback) latency.puback.observeMs(performance.now() - startedMs);
    exchange.answer(verdict);
  }
}

/** What is not journaled can only be delivered or dropped: the others need a record to come back to. */
function isFinal(fate: Fate): fate is Extract<Fate, { kind: "delivered" | "dropped" }> {
  return fate.kind === "delivered" || fate.kind === "dropped";
}
