import type { DeploymentSession } from "../dialect/deployment/deployment.ts";
import type { BoundDialect } from "../dialect/dialect.ts";
import type { Carried, CarriedUpstream, GatewayEffect, GatewayEvent } from "../gateway/event.ts";
import type { Gateway } from "../gateway/gateway.ts";
import type { Exchange, LocalClient, LocalListener, StrayPacket } from "../local/listener.ts";
import type { Decoded } from "../message/decoded.ts";
import type { MessageRef } from "../message/fate.ts";
import type { Latency } from "../message/latency.ts";
import type { Log } from "../message/log.ts";
import type { DeviceId, DownMessage, UpMessage } from "../message/message.ts";
import type { Packet, Subscription } from "../message/packet.ts";
import type { GatewaySpool, SpoolRecord } from "../spool/spool.ts";
import { AfterFacts } from "./after-facts.ts";
import { Backlog } from "./backlog.ts";
import { Deliveries } from "./deliveries.ts";
import { Intake, internalError } from "./intake.ts";
import type { KeptUpstream } from "./kept-upstream.ts";
import { LinkTrace } from "./link-trace.ts";
import type { MemoryShare } from "./memory-share.ts";
import type { ReadingTurns } from "./reading-turns.ts";
import { reportUnread } from "./report-unread.ts";
import { type RestOptions, Succession } from "./succession.ts";
import type { Trace } from "./trace.ts";
import { Turns } from "./turns.ts";

export interface LinkParts {
  readonly id: string;
  readonly engine: Gateway;
  readonly local: BoundDialect;
  readonly upstream: BoundDialect;
  /** The deployment's own mapping, at the local side. */
  readonly mapping?: DeploymentSession | undefined;
  readonly spool: GatewaySpool;
  /** What of the backlog may be in memory. */
  readonly share: MemoryShare;
  /** Shared by all links. */
  readonly readingTurns: ReadingTurns;
  /** The dialect that wrote a record, for a backlog older than the configuration. */
  readonly dialectOf: (name: string) => BoundDialect | undefined;
  /** The link is its owner from here on. */
  readonly connection: KeptUpstream;
  readonly deliver: LocalListener["deliver"];
  readonly revoke: LocalListener["revoke"];
  readonly verifyDevice: LocalListener["verifyDevice"];
  /** The local dialect for a gateway that calls itself by another name than its id. */
  readonly localAs: (name: string) => BoundDialect;
  readonly log: Log;
  /** Shared by all links. */
  readonly latency: Latency;
  readonly now: () => number;
  readonly trace?: Pick<Trace, "isOn" | "tell"> | undefined;
}

/** What a link takes over from the one before. */
export interface Handover {
  readonly carried: Carried;
  /** The local connection that there is, and when it began, Unix milliseconds. */
  readonly client: (LocalClient & { readonly sinceMs: number }) | undefined;
}

/** Stands for all devices in topics that name none. */
const anyDevice = "any" as DeviceId;

/**
 * One gateway's way through the parts: packets in, decoded, admitted, journaled, handed to the rules, and what the rules
 * want done. It knows no topic and no message kind.
 *
 * Which records it hands over as they arrive and which later is for `Backlog` to say.
 */
export class Link {
  readonly id: string;
  readonly #parts: LinkParts;
  readonly #upstream: KeptUpstream;
  readonly #turns: Turns;
  /** What goes to the gateway, and to the cloud as an acknowledgement. */
  readonly #afterFacts: AfterFacts;
  /** The local dialect as the connected gateway speaks it: with the name that it calls itself by. */
  #local: BoundDialect;
  /** These two, once there is something for them to do: of many gateways most are silent. */
  #intake: Intake | undefined;
  #deliveries: Deliveries | undefined;
  readonly #backlog: Backlog;
  readonly #trace: LinkTrace;
  #isClosed = false;
  readonly #succession = new Succession<Link>();
  /** What the link before knew of the connection upstream. */
  #carried: CarriedUpstream | undefined;
  /** What the link before had not finished, of what came on a connection that is still there. */
  #taken: { readonly connection: number; readonly sinceMs: number; readonly lastSeq: number } | undefined;

  constructor(parts: LinkParts) {
    this.id = parts.id;
    this.#parts = parts;
    this.#local = parts.local;
    this.#trace = new LinkTrace(parts);
    this.#afterFacts = new AfterFacts(() => parts.spool.flushed());
    this.#turns = new Turns({
      engine: parts.engine,
      now: parts.now,
      perform: (effect) => this.#perform(effect),
      eventFailed: (event, error) => this.#eventFailed(event, error),
      effectFailed: (effect, error) => this.#effectFailed(effect, error),
      idle: () => this.#backlog.readOn(),
    });
    const { dialectOf, engine, mapping, readingTurns: turns, share, spool } = parts;
    this.#backlog = new Backlog({
      dialectOf,
      engine,
      mapping,
      share,
      spool,
      turns,
      dispatch: (event) => this.#dispatch(event),
      connectionOf: (record) => this.#connectionOf(record),
    });
    this.#upstream = parts.connection;
    this.#upstream.take({
      opened: () => this.#upstreamOpened(),
      resumed: () => {
        const carried = this.#carried;
        this.#dispatch({ kind: "upstreamOpened", ...(carried === undefined ? {} : { carried }) });
      },
      closed: (reason, detail, unacknowledged) => this.#upstreamClosed(reason, detail, unacknowledged),
      acknowledged: (token, code) => this.#dispatch({ kind: "acknowledged", token, code }),
      subscribed: (token, codes) => this.#dispatch({ kind: "subscribed", token, codes }),
      received: (packet, inbound) => this.#received(packet, inbound),
      oversized: (topic, bytes) => {
        parts.log.error({ gateway: this.id, topic, bytes }, "upstream-packet-too-large");
        parts.spool.countDown("received", 1);
        parts.spool.countDown("dropped", 1, "oversize");
      },
    });
    parts.spool.sentBy({
      sending: () => parts.engine.sending(),
      dropped: (seqs) => this.#dispatch({ kind: "withdrawn", seqs }),
    });
    this.#backlog.readOn();
  }

  /** The highest QoS at which the gateway may subscribe to the filter; `undefined`: not at all. */
  subscribable(filter: string): 0 | 1 | "close" | undefined {
    const wish = this.#local.subscribable(filter);
    const answer = this.#parts.engine.grants(wish ?? (this.#local.resembles("down", filter) ? "others" : "unlike"));
    return answer === "grant" ? wish?.qos : answer === "close" ? "close" : undefined;
  }

  /** Takes a packet from the gateway, and answers once it is safe on disk, or is not to be kept. */
  publish(client: LocalClient, packet: Packet, exchange: Exchange): void {
    const { successor } = this.#succession;
    if (successor === undefined) this.#takingIn().take(client, packet, exchange);
    else void successor.then((link) => link.publish(client, packet, exchange));
  }

  /** Whether the gateway sends more than is sent on. */
  get isOutrun(): boolean {
    return this.#backlog.isOverflowing;
  }

  /** A packet about an exchange that there is not. */
  localStray(client: LocalClient, { type, packetId }: StrayPacket): void {
    this.#dispatch({ kind: "localStray", connection: client.connection, type, packetId });
  }

  localConnected(client: LocalClient): void {
    this.#speakAs(client);
    this.#dispatch({ kind: "localConnected", connection: client.connection });
  }

  /** The gateway has subscribed. */
  localSubscribed(client: LocalClient, filters: readonly Subscription[]): void {
    const heard = filters.flatMap(({ filter }) => this.#local.subscribable(filter) ?? []);
    this.#dispatch({ kind: "localSubscribed", connection: client.connection, heard });
  }

  localDisconnected(client: LocalClient): void {
    this.#dispatch({ kind: "localDisconnected", connection: client.connection });
  }

  /** Goes on where the link ended that this one takes the place of. */
  resume({ client, carried }: Handover): void {
    this.#carried = carried.upstream;
    if (client === undefined) return;
    const { connection, sinceMs } = client;
    this.#taken = { connection, sinceMs, lastSeq: this.#parts.spool.lastSeq };
    this.#speakAs(client);
    this.#dispatch({ kind: "localConnected", connection, carried: carried.local });
  }

  /** Tries held messages again: of one device, or of all. */
  retry(device?: DeviceId): void {
    this.#dispatch(device === undefined ? { kind: "retry" } : { kind: "retry", device });
  }

  /** Whether messages of the record have been handed to the rules and have no fate yet. */
  isUnderWay(record: SpoolRecord): boolean {
    return this.#backlog.isUnderWay(record);
  }

  /**
   * Hands a message that was made open again to the rules: in the order of the spool, and before all that comes later.
   * `isShared`: other messages of its record are under way.
   */
  again(ref: MessageRef, options: { readonly isShared: boolean }): void {
    this.#backlog.again(ref, options);
  }

  /** What the rules know, and the state of the connection upstream. */
  status() {
    const { clockFinding, expiresAtMs, lastProvenMs, state } = this.#upstream;
    const oldestPendingMs = this.#parts.spool.oldestPendingMs();
    return {
      ...this.#parts.engine.status(this.#parts.now()),
      ledger: this.#parts.spool.ledger,
      ...(oldestPendingMs === undefined ? {} : { oldestPendingMs }),
      upstream: {
        state,
        ...this.#upstream.facts.status(),
        ...(lastProvenMs === undefined ? {} : { lastProvenMs }),
        ...(clockFinding === undefined ? {} : { clock: clockFinding }),
        ...(expiresAtMs === undefined ? {} : { tokenExpiresMs: expiresAtMs }),
      },
    };
  }

  /** Sends what can still be sent within `drainMs`, then ends the connection. */
  async close(drainMs: number): Promise<void> {
    this.#dispatch({ kind: "draining" });
    const deadline = this.#parts.now() + drainMs;
    while (this.#upstream.state === "open" && this.#parts.spool.ledger.pending > 0 && this.#parts.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    this.#isClosed = true;
    this.#turns.close();
    this.#backlog.close();
    await this.#afterFacts.done();
    await this.#upstream.close({ drainMs: Math.max(0, deadline - this.#parts.now()) });
  }

  /**
   * Comes to rest, for another link to take the place of this one. The gateway's packets are taken all the while; in the
   * last moment they wait for the other link.
   */
  rest(options: RestOptions): Promise<void> {
    this.#backlog.close();
    return this.#succession.rest(this.#upstream, () => this.#afterFacts.isBusy, options);
  }

  /** What the successor has to know of the connections; nothing that happens from here on is this link's any more. */
  leave(): Carried {
    this.#isClosed = true;
    this.#succession.isOver = true;
    this.#turns.close();
    return this.#parts.engine.carry();
  }

  /** The other link is there. */
  succeeded(successor: Link): void {
    this.#succession.succeeded(successor);
  }

  #takingIn(): Intake {
    if (this.#intake !== undefined) return this.#intake;
    // A spread would give the parts of each link a hidden class of their own, and slow down every look at them.
    const { engine, id, latency, local, log, mapping, now, spool, verifyDevice } = this.#parts;
    this.#intake = new Intake({
      id,
      engine,
      local,
      mapping,
      spool,
      verifyDevice,
      log,
      latency,
      now,
      trace: this.#trace,
      underWay: this.#succession,
      read: (packet) => this.#local.decode("up", packet),
      perform: (effects) => this.#turns.perform(effects),
      arrived: (record, decoded, connection) => this.#arrived(record, decoded, connection),
      synced: () => this.#backlog.readOn(),
      refused: (seq) => this.#dispatch({ kind: "refused", seq }),
    });
    return this.#intake;
  }

  #handingOver(): Deliveries {
    if (this.#deliveries !== undefined) return this.#deliveries;
    const { deliver, id, log, mapping, revoke } = this.#parts;
    this.#deliveries = new Deliveries({
      id,
      mapping,
      deliver,
      revoke,
      log,
      trace: this.#trace,
      underWay: this.#succession,
      dialect: () => this.#local,
      delivered: (token, outcome) => this.#dispatch({ kind: "delivered", token, outcome }),
      failed: (effect, error) => this.#effectFailed(effect, error),
    });
    return this.#deliveries;
  }

  #speakAs({ name }: LocalClient): void {
    const { local, localAs } = this.#parts;
    this.#local = name === this.id ? local : localAs(name);
  }

  #connectionOf({ arrivedMs, seq }: SpoolRecord): number | undefined {
    const taken = this.#taken;
    return taken !== undefined && arrivedMs >= taken.sinceMs && seq <= taken.lastSeq ? taken.connection : undefined;
  }

  #arrived(record: SpoolRecord, decoded: Decoded, connection: number): void {
    const queue = this.#backlog.admit(record);
    if (decoded.kind !== "messages") return;
    const messages = decoded.messages as readonly UpMessage[];
    const bytes = record.packet.payload.length;
    this.#dispatch({ kind: "arrived", record, bytes, connection, messages, queue });
  }

  #received(packet: Packet, inbound: number): void {
    const { upstream } = this.#parts;
    const decoded = upstream.decode("down", packet);
    this.#trace.cameIn("upstream", packet, decoded);
    const handle = packet.qos === 0 ? undefined : inbound;
    reportUnread(this.#parts.log, { gateway: this.id, packet, decoded });
    if (decoded.kind !== "messages" || decoded.messages.length === 0) {
      if (handle !== undefined) this.#upstream.acknowledge(handle);
      return;
    }
    const last = decoded.messages.length - 1;
    for (const [index, message] of decoded.messages.entries()) {
      const about = "packetId" in message && message.packetId ? this.#upstream.tokenOf(message.packetId) : undefined;
      this.#dispatch({
        kind: "received",
        message: message as DownMessage,
        inbound: index === last ? handle : undefined,
        ...(about === undefined ? {} : { about }),
      });
    }
    this.#trace.followed();
  }

  #upstreamClosed(reason: string, detail: string, unacknowledged: readonly number[]): void {
    this.#upstream.facts.closed(reason, detail, this.#parts.now());
    if (!this.#isClosed) {
      const level = ownReasons.has(reason) ? "info" : "warn";
      this.#parts.log[level](
        { gateway: this.id, reason, detail, unacknowledged: unacknowledged.length },
        "upstream-closed",
      );
      this.#dispatch({ kind: "upstreamClosed", reason, unacknowledged });
    }
    // The rules may have said what it was.
    this.#upstream.facts.count();
  }

  #upstreamOpened(): void {
    const gap = this.#upstream.facts.opened(this.#parts.now());
    this.#parts.log.info({ gateway: this.id, ...gap }, "upstream-open");
    const detail = this.#upstream.clockFinding;
    if (detail !== undefined) this.#parts.log.error({ gateway: this.id, detail }, "clock-wrong");
    this.#dispatch({ kind: "upstreamOpened" });
  }

  #dispatch(event: GatewayEvent): void {
    if (this.#succession.isOver) return;
    this.#turns.dispatch(event);
  }

  #eventFailed(event: GatewayEvent, error: unknown): void {
    const { log, spool } = this.#parts;
    log.error({ gateway: this.id, during: event.kind, err: error }, "internal-error");
    if (event.kind !== "arrived") return;
    for (const index of event.messages.keys()) {
      if (event.record.isOpen(index)) spool.settle({ seq: event.record.seq, index }, internalError);
    }
  }

  /** What waits for an answer gets one. */
  #effectFailed(effect: GatewayEffect, error: unknown): void {
    this.#parts.log.error({ gateway: this.id, during: effect.kind, err: error }, "internal-error");
    const { reason } = internalError;
    if (effect.kind === "publish") this.#dispatch({ kind: "unsendable", token: effect.token, reason });
    if (effect.kind === "deliver") {
      this.#dispatch({ kind: "delivered", token: effect.token, outcome: "unrepresentable" });
    }
  }

  #perform(effect: GatewayEffect): void {
    if (this.#succession.isUnderWay && begins.has(effect.kind)) return;
    const { spool, upstream } = this.#parts;
    switch (effect.kind) {
      case "publish": {
        const encoded = upstream.encode(effect.message);
        if (encoded.kind === "unrepresentable") {
          this.#dispatch({ kind: "unsendable", token: effect.token, reason: encoded.reason });
          return;
        }
        this.#trace.goesUp(encoded, effect);
        this.#upstream.publish(encoded.packet, effect.token);
        return;
      }
      case "subscribe":
        this.#upstream.subscribe(this.#filters(effect), effect.token);
        return;
      case "unsubscribe":
        this.#upstream.unsubscribe(this.#filters(effect).map(({ filter }) => filter));
        return;
      case "deliver":
        if (effect.isAfterFacts === true) this.#afterFacts.run(this.#trace.later(() => this.#leave(effect)));
        else this.#handingOver().give(effect);
        return;
      case "revoke":
        this.#handingOver().revoke(effect.devices);
        return;
      case "acknowledge":
        this.#afterFacts.run(this.#trace.later(() => this.#leave(effect)));
        return;
      case "forget":
        this.#upstream.forget(effect.token);
        return;
      case "reconnect": {
        const { detail = "", reason } = effect;
        if (this.#upstream.state === "waiting") this.#upstream.facts.rename(reason, detail);
        this.#upstream.reconnect(reason);
        return;
      }
      case "settle": {
        const { fate, ref } = effect;
        if (fate.kind === "delivered") this.#parts.latency.delivery.observeMs(this.#parts.now() - ref.arrivedMs);
        spool.settle(ref, fate);
        return;
      }
      case "store":
        spool.put(effect.key, effect.value);
        this.#afterFacts.stored();
        return;
      case "recall":
        for (const event of this.#backlog.recall(effect.device, effect.limit)) this.#dispatch(event);
        return;
      case "countDown":
        spool.countDown(effect.event, effect.count, effect.reason);
        this.#afterFacts.stored();
        return;
      case "report":
        this.#parts.log[effect.level]({ gateway: this.id, ...effect.fields }, effect.event);
        return;
    }
  }

  #filters(effect: Extract<GatewayEffect, { kind: "subscribe" | "unsubscribe" }>): readonly Subscription[] {
    const device = "isForAll" in effect ? anyDevice : effect.device;
    const all = effect.kinds.flatMap((kind) => this.#parts.upstream.filtersFor(kind, device));
    // Several kinds may come on one topic.
    return [...new Map(all.map((subscription) => [subscription.filter, subscription])).values()];
  }

  /** Does what is seen from outside; as this may be later, what it meets is dealt with here. */
  #leave(effect: Extract<GatewayEffect, { kind: "deliver" | "acknowledge" }>): void {
    try {
      if (effect.kind === "deliver") this.#handingOver().give(effect);
      else this.#upstream.acknowledge(effect.inbound);
    } catch (error) {
      this.#effectFailed(effect, error);
    }
  }
}

/** Connections that we end, and make anew at once. */
const ownReasons: ReadonlySet<string> = new Set(["token-expired", "shutdown", "reload"]);

/** What makes new work: whoever did none of it could as well have been ended just before, and is taken up from the disk. */
const begins: ReadonlySet<GatewayEffect["kind"]> = new Set(["publish", "subscribe", "unsubscribe", "recall"]);
