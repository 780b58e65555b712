import { type JsonText, scalarText } from "../message/json.ts";
import type { Command, CommandResponse, DeviceId, Telemetry } from "../message/message.ts";
import type { Alarm } from "./alarms.ts";
import { answerBody, type CalledCommand, callOfCommand } from "./command-shape.ts";
import { type Core, isTaken, type Mark } from "./core.ts";
import type { DeliveryOutcome } from "./event.ts";
import { fitInto } from "./fitting.ts";
import type { Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";
import type { Arriving, Outbox } from "./outbox.ts";
import { telemetryOf } from "./translation.ts";

export interface Commands {
  restore(fact: string, value: string): void;
  receive(lane: Lane, message: Command, inbound: number | undefined): void;
  /** Done on arrival, whether or not the reply is to be queued now: the command will not time out any more. */
  note(message: CommandResponse, mark: Mark): void;
  /** Whether this telemetry is the answer to a command, and taken for that. */
  hears(message: Telemetry, arriving: Arriving, isQueued: boolean): boolean;
  /** Queues a reply for the upstream. */
  reply(message: CommandResponse, arriving: Arriving): void;
  /** The answer is there, or will never go: the command is closed. */
  close(id: number): void;
  /** The device is out of reach: nothing can be answered for it any more. */
  detached(lane: Lane): void;
  /** Commands that nobody has answered yet. */
  readonly open: number;
}

interface OpenCommand {
  readonly id: number;
  /** Absent: the gateway itself. */
  readonly device: DeviceId | undefined;
  readonly method: string;
  readonly ownId: JsonText;
  readonly deadlineMs: number;
  /** The reply that was taken for it; `timeout` where none came in time. */
  answer: Mark | "timeout" | undefined;
  alarm: Alarm | undefined;
}

/** What a cloud may have open at one gateway. */
const maxOpen = 4096;
/** Answers of our own that may wait for one device; a flood of refused commands is not answered in full. */
const maxOwnAnswers = 256;
/** So many ids are taken from the disk at a time: one that a late reply may still name is not used again after a restart. */
const idBlock = 1024;
const maxId = 0x7fffffff;
/** An answered command whose reply was discarded is forgotten in the end. */
const forgetMs = 24 * 3600_000;

export interface CommandsParts {
  readonly core: Core;
  readonly lanes: Lanes;
  readonly outbox: Outbox;
}

/**
 * Orders from a cloud that sends them one way, for a gateway that answers each by its id. The ids are ours, unique among
 * the gateway's open commands; what is open is a fact on disk, so that a reply finds its command, and a time-out its time,
 * after a restart too.
 */
export function createCommands({ core, lanes, outbox }: CommandsParts): Commands {
  const { rules, upstream } = core.options;
  const isCorrelating = core.adapt.commands === "correlate";
  const commands = new Map<number, OpenCommand>();
  let lastId = 0;
  let idsTo = 0;

  return {
    restore(fact, value) {
      if (fact === "commandIds") {
        lastId = Number(value);
        idsTo = lastId;
        return;
      }
      const stored = JSON.parse(value) as {
        device?: DeviceId;
        method: string;
        ownId: string;
        deadlineMs: number;
        answer?: Mark | "timeout";
      };
      const command: OpenCommand = {
        id: Number(fact.slice("command/".length)),
        device: stored.device,
        method: stored.method,
        ownId: stored.ownId as JsonText,
        deadlineMs: stored.deadlineMs,
        answer: stored.answer === "timeout" ? undefined : stored.answer,
        alarm: undefined,
      };
      commands.set(command.id, command);
      arm(command);
    },

    receive(lane, message, inbound) {
      const call = isCorrelating ? callOfCommand(message) : undefined;
      const { device } = lane;
      if (device === undefined && core.adapt.guardsGateway) {
        const method = call?.method ?? message.method ?? "";
        if (!rules.commands.gateway.includes(method)) return refuse(lane, call, message, "forbidden", inbound);
      }
      if (call === undefined) return passOn(lane, message, inbound);
      if (core.connection === undefined || commands.size >= maxOpen)
        return refuse(lane, call, message, "offline", inbound);
      const command = open(device, call);
      const { id, method } = command;
      const { params } = call;
      const named = device === undefined ? {} : { device };
      core.deliverAfterFacts({ kind: "command", ...named, id, method, params }, core.connection, (outcome) =>
        delivered(lane, command, outcome, inbound),
      );
    },

    note(message, { seq, index }) {
      const command = commands.get(message.id);
      if (!isCorrelating || command === undefined || command.answer !== undefined) return;
      command.answer = { seq, index };
      store(command);
      arm(command);
    },

    hears: () => false,

    reply(message, arriving) {
      if (!isCorrelating) return passReply(message, arriving);
      const command = commands.get(message.id);
      if (command === undefined || !isSame(command.answer, arriving)) {
        return core.settleAt(arriving, { kind: "dropped", reason: "unmatched" });
      }
      const lane = lanes.find(command.device);
      if (lane === undefined || !isReachable(lane)) {
        close(command.id);
        return core.settleAt(arriving, { kind: "dropped", reason: "gone" });
      }
      const body = answerBody(command, { data: message.data });
      if (body.length > (upstream.limits.telemetryBytes ?? Number.POSITIVE_INFINITY)) {
        close(command.id);
        return core.settleAt(arriving, { kind: "quarantined", ...named(lane), reason: "oversize" });
      }
      const { seq, index, arrivedMs } = arriving;
      if (lane.phase === "held" && lane.device !== undefined) {
        return core.settleAt(arriving, outbox.heldFate(lane, lane.device));
      }
      const answer = telemetryOf(lane.id, body, rules.commands.responses);
      outbox.pushReply(lane, answer, command.id, core.take(seq, index, arrivedMs));
    },

    close,

    detached(lane) {
      for (const command of commands.values()) {
        if (command.device === lane.device && command.answer === undefined) close(command.id);
      }
    },

    get open() {
      let count = 0;
      for (const { answer } of commands.values()) if (answer === undefined) count += 1;
      return count;
    },
  };

  function open(device: DeviceId | undefined, { method, ownId }: CalledCommand): OpenCommand {
    const deadlineMs = core.nowMs + rules.commands.timeout;
    const command = { id: nextId(), device, method, ownId, deadlineMs, answer: undefined, alarm: undefined };
    commands.set(command.id, command);
    store(command);
    arm(command);
    return command;
  }

  function nextId(): number {
    do lastId = lastId >= maxId ? 1 : lastId + 1;
    while (commands.has(lastId));
    if (lastId > idsTo || idsTo - lastId > idBlock) {
      idsTo = lastId + idBlock - 1;
      core.store("commandIds", String(idsTo));
    }
    return lastId;
  }

  function delivered(lane: Lane, command: OpenCommand, outcome: DeliveryOutcome, inbound: number | undefined): void {
    core.countDown("received");
    if (isTaken(outcome)) core.countDown("delivered");
    else core.dropDown(outcome === "unrepresentable" ? outcome : "offline");
    core.acknowledge(inbound);
    // A gateway that was written to and went away may have answered all the same, or does on its next connection.
    if (isTaken(outcome) || command.answer !== undefined || commands.get(command.id) !== command) return;
    close(command.id);
    answerOurselves(lane, command, outcome === "unrepresentable" ? outcome : "offline");
  }

  function refuse(
    lane: Lane,
    call: CalledCommand | undefined,
    message: Command,
    reason: "forbidden" | "offline",
    inbound: number | undefined,
  ): void {
    core.countDown("received");
    core.dropDown(reason);
    if (reason === "forbidden") core.report("warn", "command-forbidden", { method: call?.method ?? message.method });
    core.acknowledge(inbound);
    if (call !== undefined) answerOurselves(lane, call, reason);
    else if (message.id !== undefined) {
      const data = `{"error":${scalarText(reason)}}` as JsonText;
      outbox.pushReply(lane, { kind: "commandResponse", id: message.id, data }, undefined, undefined);
    }
  }

  function timedOut(command: OpenCommand): void {
    const lane = lanes.find(command.device);
    if (command.answer !== undefined || lane === undefined || !isReachable(lane)) {
      close(command.id);
      return;
    }
    command.answer = "timeout";
    core.report("info", "command-timeout", { device: command.device, method: command.method });
    answerOurselves(lane, command, "timeout", command.id);
  }

  /** The same answer as a device would give, with the reason why it is not from the device. */
  function answerOurselves(
    lane: Lane,
    call: Pick<CalledCommand, "ownId" | "method">,
    error: string,
    command?: number,
  ): void {
    if (!isReachable(lane) || lane.phase === "held" || lane.replies.length >= maxOwnAnswers) {
      core.report("debug", "answer-dropped", { device: lane.device, method: call.method, error });
      if (command !== undefined) close(command);
      return;
    }
    const body = answerBody(call, { error });
    outbox.pushReply(lane, telemetryOf(lane.id, body, rules.commands.responses), command, undefined);
  }

  function arm(command: OpenCommand): void {
    core.alarms.cancel(command.alarm);
    const dueMs = command.answer === undefined ? command.deadlineMs : command.deadlineMs + forgetMs;
    command.alarm = core.alarms.set(dueMs, () => timedOut(command));
  }

  function store({ id, device, method, ownId, deadlineMs, answer }: OpenCommand): void {
    core.store(`command/${id}`, JSON.stringify({ device, method, ownId, deadlineMs, answer }));
  }

  function close(id: number): void {
    const command = commands.get(id);
    if (command === undefined) return;
    commands.delete(id);
    core.alarms.cancel(command.alarm);
    core.store(`command/${id}`, undefined);
  }

  /** Between equal clouds an order passes as it is, and its reply finds its own way. */
  function passOn(lane: Lane, message: Command, inbound: number | undefined): void {
    core.deliver({ ...message, ...named(lane) }, undefined, (outcome) => {
      core.countDown("received");
      if (isTaken(outcome)) core.countDown("delivered");
      else core.dropDown(outcome === "unrepresentable" ? outcome : "offline");
      core.acknowledge(inbound);
    });
  }

  function passReply(message: CommandResponse, arriving: Arriving): void {
    const lane = lanes.find(message.device);
    if (lane === undefined || core.adapt.commands !== "pass") {
      core.settleAt(arriving, { kind: "dropped", reason: "unmatched" });
      return;
    }
    if (!("kind" in fitInto(core.packetBytes, message))) {
      core.settleAt(arriving, { kind: "quarantined", ...named(lane), reason: "oversize" });
      return;
    }
    const cargo = outbox.admit(lane, arriving);
    const answer = lane.id === undefined ? message : { ...message, device: lane.id };
    if (cargo !== undefined) outbox.pushReply(lane, answer, undefined, cargo);
  }
}

/** Whether something can still be said for the device without attaching it for that. */
function isReachable(lane: Lane): boolean {
  return lane.device === undefined || lane.isKnown || lane.isStored || lane.phase !== "detached";
}

function isSame(answer: OpenCommand["answer"], { seq, index }: Mark): boolean {
  return typeof answer === "object" && answer.seq === seq && answer.index === index;
}

function named(lane: Lane): { readonly device?: DeviceId } {
  return lane.device === undefined ? {} : { device: lane.device };
}
