import type { Decoded } from "../message/decoded.ts";
import type { AttributesResponse, CallResult, DeviceId, DownMessage } from "../message/message.ts";
import { admitPacket } from "./admission.ts";
import type { Alarm } from "./alarms.ts";
import { createArrivals } from "./arrivals.ts";
import { Attachments } from "./attachments.ts";
import { createAttributeRequests } from "./attribute-requests.ts";
import { factsOfCloud } from "./cloud-facts.ts";
import { createCollectedConfiguration } from "./collected-configuration.ts";
import { createCommands } from "./commands.ts";
import { createConfiguration } from "./configuration.ts";
import { Core, type GatewayEngineOptions } from "./core.ts";
import { createDepartures } from "./departures.ts";
import { createDeviceNotices } from "./device-notices.ts";
import { Dispatch, type Step, type Steps } from "./dispatch.ts";
import { createDownlinkBound } from "./downlink-bound.ts";
import { createElimination } from "./elimination.ts";
import type {
  Admission,
  Arrival,
  Carried,
  CarriedLocal,
  CarriedUpstream,
  GatewayEffect,
  GatewayEvent,
  GatewayStatus,
  Heard,
} from "./event.ts";
import { Flights } from "./flights.ts";
import { createFoldedCommands } from "./folded-commands.ts";
import { createKeepAlive } from "./keep-alive.ts";
import { createKeptConfiguration } from "./kept-configuration.ts";
import { createLandings } from "./landings.ts";
import type { Lane } from "./lane.ts";
import { statusOfLane } from "./lane-status.ts";
import { Lanes } from "./lanes.ts";
import { createLimitsInquiry } from "./limits-inquiry.ts";
import { createLocalAdmission } from "./local-admission.ts";
import { LocalAttachments } from "./local-attachments.ts";
import { tellStray } from "./local-errors.ts";
import { grantOf, type Wish } from "./local-grant.ts";
import { Outbox } from "./outbox.ts";
import { createOwnAttributes } from "./own-attributes.ts";
import { createOwnQuestions } from "./own-questions.ts";
import { createPassedQuestions } from "./passed-questions.ts";
import { recordsOf } from "./records-of.ts";
import { createReportedState } from "./reported-state.ts";
import { createUpstreamErrors } from "./upstream-errors.ts";

export type { GatewayEngineOptions } from "./core.ts";
export type {
  Admission,
  Arrival,
  Carried,
  DeliveryOutcome,
  GatewayEffect,
  GatewayEvent,
  GatewayStatus,
} from "./event.ts";
export type { Side } from "./side.ts";

/** The rules between the two clouds of one gateway. */
export interface Gateway {
  /** Decides on a packet from the local side before it is journaled. */
  admit(decoded: Decoded, protocol: 3 | 4 | 5, arrival?: Arrival): Admission;
  /** Whether the local gateway may subscribe: to this, to what others may hear, or to a filter unlike any of its cloud. */
  grants(wish: Wish | "others" | "unlike"): "grant" | "refuse" | "close";
  /** Advances by one event; what should happen comes back in order. Deterministic: same events and times, same effects. */
  handle(event: GatewayEvent, nowMs: number): readonly GatewayEffect[];
  /** For the rules that take the place of these. */
  carry(): Carried;
  /** When `handle({ kind: "tick" })` is next due, Unix milliseconds. */
  readonly wakeAtMs: number | undefined;
  /** Messages taken from the spool and not yet settled or parked. */
  readonly load: number;
  /** Records of which a message is published and not acknowledged, or is a question that is being answered. */
  sending(): ReadonlySet<number>;
  status(nowMs: number): GatewayStatus;
  /** The records whose messages an unacknowledged publish carries, or goes ahead of; for people. */
  recordsOf(token: number): readonly number[];
  /** The local side's name for an id of the upstream, where it has one; for people. */
  nameOf(id: DeviceId): DeviceId | undefined;
}

/**
 * The rules of one gateway: a state machine that is told what happened and says what to do. Which adaptations are at work
 * follows from the traits of the two sides alone.
 *
 * @param options `facts` is what the `store` effects of an earlier run left: with them it goes on where that one ended.
 */
export function createGateway(options: GatewayEngineOptions): Gateway {
  const core = new Core(options);
  const local = new LocalAttachments(core);
  core.nameOf = (device) => local.nameOf(device);
  const admitLocally = createLocalAdmission(core, local);
  const lanes = new Lanes(core);
  const flights = new Flights(core);
  const steps: Steps = {
    next: (lane) => departures.next(lane),
    bytes: (lane, step: Step) => departures.bytes(lane, step),
    use: (lane, step: Step) => departures.use(lane, step),
    perform: (lane, step: Step) => departures.perform(lane, step),
  };
  const isTooMuch = createDownlinkBound(core, lanes);
  const dispatch = new Dispatch(core, flights, steps);
  const wake = (lane: Lane) => dispatch.wake(lane);
  const state = createReportedState(core, wake);
  const questions = createOwnQuestions(core, { flights, own: lanes.own, wake });
  const keepAlive = createKeepAlive(core, questions);
  const limits = createLimitsInquiry(core, flights, questions);
  const outbox = new Outbox({ core, flights, dispatch, answerLost: (id) => commands.close(id) });
  const commands =
    core.adapt.commands === "fold"
      ? createFoldedCommands({ core, lanes, outbox })
      : createCommands({ core, lanes, outbox });
  const attachments = new Attachments({
    core,
    lanes,
    flights,
    dispatch,
    outbox,
    state,
    attached(lane) {
      configuration.attached(lane);
      keepAlive.attached(lane);
    },
    refused: (lane, reason) => notices.refused(lane, reason),
    detached(lane) {
      commands.detached(lane);
      questions.giveUp(lane);
      if (core.adapt.config === "keep") configuration.forget(lane);
    },
  });
  const departures = createDepartures({ core, flights, outbox, attachments, state, questions });
  const requests = createAttributeRequests(core, (lane) => configuration.desired(lane));
  const configuration =
    core.adapt.config === "collect"
      ? createCollectedConfiguration(core, questions)
      : core.adapt.config === "keep"
        ? createKeptConfiguration(core)
        : createConfiguration(core, (lane) => requests.hasDocument(lane));
  const notices = createDeviceNotices({ core, lanes, outbox, attachments, configuration, local });
  const ownAttributes = createOwnAttributes(core);
  const passed = createPassedQuestions(core, lanes, outbox);
  const landings = createLandings({ core, flights, dispatch, outbox, attachments, state, commands, questions });
  const elimination = createElimination({
    core,
    flights,
    dispatch,
    steps,
    setAside: landings.setAside,
    begin: () => attachments.opened(),
    inquire() {
      limits.opened();
      configuration.attached(lanes.own);
    },
    avoidInquiry: limits.avoid,
  });
  const errors = createUpstreamErrors({
    core,
    lanes,
    flights,
    attachments,
    setAside: landings.setAside,
    tell: (message, lane) => notices.pass(message, lane),
  });
  const arrive = createArrivals({
    core,
    lanes,
    outbox,
    attachments,
    state,
    commands,
    requests,
    ownAttributes,
    passed,
    configuration,
    wake,
  });
  let awayAlarm: Alarm | undefined;
  let hasBegun = false;

  const facts = factsOfCloud(options.facts, options.cloud, (effect) => core.emit(effect));
  for (const [key, value] of facts) restore(key, value);

  return {
    admit(decoded, protocol, arrival) {
      if (arrival === undefined || !local.isRequired) return admitPacket(core, decoded, protocol);
      core.nowMs = arrival.nowMs;
      const admission = admitLocally(decoded, arrival);
      const effects = core.takeEffects();
      return effects.length === 0 ? admission : { ...admission, effects };
    },

    grants: (wish) => grantOf(core, local, wish),

    handle(event, nowMs) {
      core.nowMs = nowMs;
      if (!hasBegun) begin();
      react(event);
      core.alarms.runDue(nowMs);
      elimination.pump();
      return core.takeEffects();
    },

    carry() {
      const isSteady = core.isUpstreamOpen && !core.isHeldBack && !core.isNarrowing;
      const { told, pacing } = core;
      const { rules, upstream } = options;
      const how = { limits: upstream.limits, config: rules.config };
      return {
        local: { attached: local.carry(), asked: passed.carry() },
        ...(isSteady ? { upstream: { attached: attachments.carry(), told, pacing, ...how } } : {}),
      };
    },

    get wakeAtMs() {
      return core.alarms.nextMs;
    },

    get load() {
      return core.load;
    },

    sending() {
      const seqs = new Set<number>();
      for (const { seq } of core.questions) seqs.add(seq);
      for (const { lane, purpose, waiting, riders } of flights.all()) {
        if (purpose === "state") for (const seq of state.sending(lane)) seqs.add(seq);
        for (const one of [waiting, ...riders]) if (one?.cargo !== undefined) seqs.add(one.cargo.seq);
      }
      return seqs;
    },

    status: () => ({
      devices: [...lanes.all()].map(statusOfLane),
      openCommands: commands.open,
      inFlight: flights.size,
      queued: core.load,
    }),

    recordsOf: (token) => recordsOf(flights.find(token)),

    nameOf: (id) => lanes.findId(id)?.device,
  };

  function react(event: GatewayEvent): void {
    switch (event.kind) {
      case "arrived": {
        const { seq, arrivedMs, connection, messages, open, queue } = event;
        for (let index = 0; index < messages.length; index++) {
          const message = messages[index];
          if (message === undefined || !open(index)) continue;
          const identified = local.identify(message);
          arrive({ seq, index, arrivedMs, connection, message: identified, isRecalled: false }, queue);
        }
        return;
      }
      case "caughtUp":
        // Some may have been dropped before they were read.
        for (const lane of lanes.all()) lane.unreadDetaches = 0;
        attachments.caughtUp();
        return;
      case "recalled": {
        const { seq, index, arrivedMs } = event;
        const message = local.identify(event.message);
        const lane = "device" in message ? lanes.find(message.device) : undefined;
        arrive({ seq, index, arrivedMs, connection: undefined, message, isRecalled: true }, true);
        if (lane !== undefined) outbox.recalled(lane);
        return;
      }
      case "recallEnded": {
        const lane = lanes.find(event.device);
        if (lane !== undefined) outbox.recallEnded(lane);
        return;
      }
      case "localConnected":
        localConnected(event.connection, event.carried);
        return;
      case "localSubscribed":
        if (event.connection === core.connection) localSubscribed(event.heard);
        return;
      case "localStray":
        if (event.connection === core.connection) tellStray(core, event);
        return;
      case "localDisconnected":
        localDisconnected(event.connection);
        return;
      case "upstreamOpened":
        upstreamOpened(event.carried);
        return;
      case "upstreamClosed":
        elimination.closed(event.reason);
        upstreamClosed();
        return;
      case "acknowledged":
        elimination.acknowledged(event.token);
        landings.acknowledged(event.token, event.code);
        return;
      case "unsendable":
        landings.setAside(event.token, event.reason);
        return;
      case "subscribed":
        attachments.subscribed(event.token, event.codes);
        return;
      case "received":
        received(event.message, event.inbound, event.about);
        return;
      case "delivered":
        core.deliveryEnded(event.token, event.outcome);
        return;
      case "withdrawn":
        withdraw(event.seqs);
        return;
      case "retry":
        retry(event.device);
        return;
      case "tick":
        return;
      case "draining":
        core.isDraining = true;
        return;
    }
  }

  /** The first event brings the first time: without a local gateway the devices' time to be detached begins to run. */
  function begin(): void {
    hasBegun = true;
    startAwayAlarm();
  }

  function startAwayAlarm(): void {
    core.alarms.cancel(awayAlarm);
    awayAlarm = core.alarms.set(core.nowMs + options.rules.detachAfter, () =>
      attachments.leave((lane) => core.connection === undefined || !local.isAttached(lane.device)),
    );
  }

  function localConnected(connection: number, carried: CarriedLocal | undefined): void {
    if (core.connection !== undefined) connectionEnded(core.connection);
    core.connection = connection;
    const lost = local.connected(carried?.attached);
    if (lost.length > 0) core.emit({ kind: "revoke", devices: lost });
    if (carried !== undefined) passed.carried(carried.asked);
    // Where devices have to be attached, being there is not enough: those that are not attached again still leave.
    if (!local.isRequired) {
      core.alarms.cancel(awayAlarm);
      attachments.stay();
    }
    offerConfiguration();
  }

  function localSubscribed(heard: readonly Heard[] | undefined): void {
    // On shared topics one subscription is for all devices.
    if (heard === undefined || options.local.traits.packet === "devices") {
      offerConfiguration();
      return;
    }
    for (const { kind, device } of heard) {
      if (device !== undefined) local.called(device);
      const lane = kind === "config" ? lanes.find(local.idOf(device)) : undefined;
      if (lane !== undefined) configuration.heard(lane);
    }
  }

  function localDisconnected(connection: number): void {
    connectionEnded(connection);
    if (core.connection !== connection) return;
    core.connection = undefined;
    startAwayAlarm();
  }

  function connectionEnded(connection: number): void {
    if (connection === core.connection) local.disconnected();
    requests.connectionEnded(connection);
    passed.connectionEnded(connection);
  }

  function offerConfiguration(): void {
    configuration.offer(lanes.own);
    for (const lane of lanes.all()) configuration.offer(lane);
  }

  function upstreamOpened(carried: CarriedUpstream | undefined): void {
    core.isUpstreamOpen = true;
    // A configuration is read as it comes: to read it otherwise, it has to come again, as it does when it is subscribed to.
    if (carried === undefined || !isEqual(carried.config, options.rules.config)) {
      core.pacing.restart(core.nowMs);
      elimination.opened();
      return;
    }
    // Clouds count on: who changes the rules often has no more to spend for that.
    if (isEqual(carried.limits, options.upstream.limits)) core.pacing = carried.pacing;
    elimination.resumed();
    limits.resumed(carried.told);
    configuration.attached(lanes.own);
    attachments.resumed(carried.attached);
  }

  function upstreamClosed(): void {
    core.isUpstreamOpen = false;
    errors.closed();
    configuration.upstreamClosed(lanes.own);
    for (const lane of lanes.all()) configuration.upstreamClosed(lane);
    attachments.closed();
    questions.giveUp();
    limits.closed();
  }

  function received(message: DownMessage, inbound: number | undefined, about: number | undefined): void {
    switch (message.kind) {
      case "config":
        if (isTooMuch(message)) break;
        configuration.receive(lanes.ofId(message.device), message, inbound);
        return;
      case "command":
        if (isTooMuch(message)) break;
        commands.receive(lanes.ofId(message.device), message, inbound);
        return;
      case "error":
        errors.receive(message, about);
        break;
      case "attributesResponse":
        answered(message);
        break;
      case "callResult":
        answered(message);
        break;
      case "removed":
      case "renamed":
      case "detached":
        notices.receive(message);
        break;
    }
    core.acknowledge(inbound);
  }

  function answered(message: AttributesResponse | CallResult): void {
    const lane = lanes.findId(message.kind === "callResult" ? undefined : message.device);
    if (!questions.answered(message, lane)) passed.answered(message, lane?.device);
  }

  function withdraw(seqs: ReadonlySet<number>): void {
    for (const lane of [lanes.own, ...lanes.all()]) {
      if (lane.data.length > 0 || lane.replies.length > 0) outbox.withdraw(lane, seqs);
      state.withdraw(lane, seqs);
      wake(lane);
    }
  }

  function retry(device: DeviceId | undefined): void {
    if (device === undefined) {
      for (const lane of [...lanes.all()]) if (lane.phase === "held" || lane.hasHeld) attachments.retry(lane);
      return;
    }
    const lane = lanes.of(device);
    // The operator may know of more than the rules do.
    if (!lane.hasHeld) outbox.stored(lane);
    attachments.retry(lane);
  }

  function restore(key: string, value: string): void {
    const slash = key.indexOf("/");
    const fact = slash === -1 ? key : key.slice(0, slash);
    const lane = () => (key.length === slash + 1 ? lanes.own : lanes.of(key.slice(slash + 1) as DeviceId));
    switch (fact) {
      case "attached":
      case "waiting":
        attachments.restore(lane(), fact, value);
        return;
      case "local":
        local.restore(key.slice(slash + 1) as DeviceId);
        return;
      case "document":
      case "documentTaken":
      case "desired":
      case "taken":
      case "doubtful":
      case "collected":
        configuration.restore(lane(), fact, value);
        return;
      case "reported":
      case "published":
        state.restore(lane(), fact, value);
        return;
      case "command":
      case "commandIds":
      case "folded":
        commands.restore(key, value);
        return;
      case "alias": {
        lanes.rename(lane(), value as DeviceId);
        lanes.takeName(lane());
        return;
      }
      case "connectors":
        ownAttributes.restore(value);
        return;
      default: // a later version's
    }
  }
}

/** Options are plain data. */
function isEqual(one: object, other: object): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
