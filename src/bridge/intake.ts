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
  /** A record was written. */
  readonly arrived: (record: SpoolRecord, decoded: Decoded, connection: number) => void;
}

/** A packet from the gateway, read, and what is to become of it. */
interface Decided {
  readonly packet: Packet;
  /** What the gateway said. */
  readonly said: Decoded;
  /** The same in the words of the upstream side. */
  readonly decoded: Decoded;
  /** What the deployment's mapping decided. */
  readonly fates: ReadonlyMap<number, Fate>;
  readonly admission: Admission;
}

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
 * Nearly all packets wait for nothing but the disk. An async function on their way would cost each as much as reading it:
 * so only what is rare is one.
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
    const { underWay } = this.#parts;
    underWay.packets += 1;
    const startedMs = performance.now();
    let taken: Promise<Verdict>;
    try {
      taken = this.#take(client, packet, exchange.packetId);
    } catch (error) {
      taken = Promise.reject(error);
    }
    taken.then(
      (verdict) => exchange.answer(this.#answer(verdict, packet.qos, startedMs)),
      () => {
        underWay.packets -= 1;
        exchange.answer({ kind: "close" });
      },
    );
  }

  #take(client: LocalClient, packet: Packet, packetId: number): Promise<Verdict> {
    if (this.#proof !== undefined) return this.#takeInTurn(client, packet, packetId);
    const { connection, protocol } = client;
    const { topic, qos, payload } = packet;
    const nowMs = this.#parts.now();
    const arrival: Arrival = { protocol, connection, nowMs, topic, qos, packetId, bytes: payload.length };
    const decided = this.#decide(packet, arrival);
    const { verify } = decided.admission;
    if (verify === undefined) return this.#keep(decided, connection);
    const taken = this.#prove(decided, arrival, verify).then((proven) => this.#keep(proven, connection));
    // Everything behind it waits until it is in the spool, so that the order stays.
    const over = () => {
      this.#proof = undefined;
    };
    this.#proof = taken.then(over, over);
    return taken;
  }

  async #takeInTurn(client: LocalClient, packet: Packet, packetId: number): Promise<Verdict> {
    while (this.#proof !== undefined) await this.#proof;
    return this.#take(client, packet, packetId);
  }

  #decide(packet: Packet, arrival: Arrival): Decided {
    const { id, log, mapping, read } = this.#parts;
    const said = read(packet);
    reportUnread(log, { gateway: id, packet, decoded: said });
    const { decoded, fates } = outward(mapping, said);
    return this.#admit({ packet, said, decoded, fates }, arrival);
  }

  /** A packet that the rules cannot stand is kept for those who can look: refused, it would come again and again. */
  #admit({ packet, said, decoded, fates }: Omit<Decided, "admission">, arrival: Arrival): Decided {
    const { engine, id, log, perform, trace } = this.#parts;
    try {
      const admission = engine.admit(decoded, arrival.protocol, arrival);
      // What is not kept is told of before what it causes; what is, with the number of its record.
      if (!admission.journal && admission.verify === undefined)
        trace.cameIn("local", packet, said, { fates: admission.fates });
      if (admission.effects !== undefined) perform(admission.effects);
      return { packet, said, decoded, fates, admission: withFates(admission, fates) };
    } catch (error) {
      log.error({ gateway: id, during: "admit", err: error }, "internal-error");
      return { packet, said, decoded: { kind: "unknownTopic", topic: arrival.topic }, fates, admission: setAside };
    }
  }

  /** Admits a packet once its token has been looked at. */
  async #prove(decided: Decided, arrival: Arrival, { device, token }: NonNullable<Admission["verify"]>) {
    const { id, now, verifyDevice } = this.#parts;
    const fault = await verifyDevice(id, device, token).catch(() => "it could not be checked");
    return this.#admit(decided, { ...arrival, nowMs: now(), proof: fault === undefined ? {} : { fault } });
  }

  /** Writes it down, if it is to be kept, and hands it on. */
  #keep({ admission, decoded, packet, said }: Decided, connection: number): Promise<Verdict> {
    const { arrived, local, now, spool, trace } = this.#parts;
    const { count, fates, priority, verdict } = admission;
    if (!admission.journal) return this.#count(admission);
    const dialect = local.dialect.name;
    const arrival = { packet, arrivedMs: now(), dialect, count, priority, fates };
    return new Promise((resolve, reject) => {
      spool.append(arrival, (record, error) => {
        try {
          if (record === undefined) {
            trace.cameIn("local", packet, said);
            resolve(this.#refused(packet, count, error));
            return;
          }
          trace.cameIn("local", packet, said, { record: record.seq, fates });
          arrived(record, decoded, connection);
          trace.followed();
          resolve(verdict);
        } catch (defect) {
          reject(defect);
        }
      });
    });
  }

  async #count({ fates, verdict }: Admission): Promise<Verdict> {
    const { spool } = this.#parts;
    await Promise.all([...fates.values()].filter(isFinal).map((fate) => spool.count(1, fate)));
    return verdict;
  }

  async #refused(packet: Packet, count: number, error: unknown): Promise<Verdict> {
    const { id, log, spool } = this.#parts;
    log.error({ gateway: id, topic: packet.topic, err: error }, "spool-refused");
    if (packet.qos > 0) return { kind: "close", code: 0x97 };
    await spool.count(count, { kind: "dropped", reason: "full" }).catch(() => undefined);
    return { kind: "acknowledge" };
  }

  /** The last thing done before the answer goes. */
  #answer(verdict: Verdict, qos: Packet["qos"], startedMs: number): Verdict {
    this.#parts.underWay.packets -= 1;
    const hasPuback = qos > 0 && (verdict.kind === "acknowledge" || verdict.kind === "reject");
    if (hasPuback) this.#parts.latency.puback.observeMs(performance.now() - startedMs);
    return verdict;
  }
}

/** What is not journaled can only be delivered or dropped: the others need a record to come back to. */
function isFinal(fate: Fate): fate is Extract<Fate, { kind: "delivered" | "dropped" }> {
  return fate.kind === "delivered" || fate.kind === "dropped";
}
