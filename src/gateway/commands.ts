import { type JsonText, scalarText } from "../message/json.ts";
import type { Command, CommandResponse, DeviceId, Telemetry } from "../message/message.ts";
import type { Alarm } from "./alarms.ts";
import { answerBody, type CalledCommand, callOfCommand } from "./command-shape.ts";
import { type Cargo, type Core, isTaken, type Mark } from "./core.ts";
import type { DeliveryOutcome } from "./event.ts";
import { fitInto } from "./fitting.ts";
import type { Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";
import type { Outbox } from "./outbox.ts";
import { telemetryOf } from "./translation.ts";

export interface Commands {
  restore(fact: string, value: string): void;
  receive(lane: Lane, message: Command, inbound: number | undefined): void;
  /** Done on arrival, whether or not the reply is to be queued now: the command will not time out any more. */
  note(message: CommandResponse, mark: Mark): void;
  /** Whether this telemetry is the answer to a command, and taken for that. */
  hears(message: Telemetry, arriving: Cargo, isQueued: boolean): boolean;
  /** This record was not kept: what it answers is open again, for the same answer to come once more. */
  refused(seq: number): void;
  /** Queues a reply for the upstream. */
  reply(message: CommandResponse, arriving: Cargo): void;
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
export class CorrelatedCommands implements Commands {
  readonly #parts: CommandsParts;
  readonly #core: Core;
  readonly #commands = new Map<number, OpenCommand>();
  #lastId = 0;
  #idsTo = 0;

  constructor(parts: CommandsParts) {
    this.#parts = parts;
    this.#core = parts.core;
  }

  restore(fact: string, value: string): void {
    if (fact === "commandIds") {
      this.#lastId = Number(value);
      this.#idsTo = this.#lastId;
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
    this.#commands.set(command.id, command);
    this.#arm(command);
  }

  receive(lane: Lane, message: Command, inbound: number | undefined): void {
    const call = this.#isCorrelating ? callOfCommand(message) : undefined;
    const { device } = lane;
    if (device === undefined && this.#core.adapt.guardsGateway) {
      const method = call?.method ?? message.method ?? "";
      if (!this.#core.options.rules.commands.gateway.includes(method)) {
        this.#refuse(lane, call, message, "forbidden", inbound);
        return;
      }
    }
    if (call === undefined) {
      this.#passOn(lane, message, inbound);
      return;
    }
    if (this.#core.connection === undefined || this.#commands.size >= maxOpen) {
      this.#refuse(lane, call, message, "offline", inbound);
      return;
    }
    const command = this.#open(device, call);
    const { id, method } = command;
    const { params } = call;
    const named = device === undefined ? {} : { device };
    this.#core.deliverAfterFacts({ kind: "command", ...named, id, method, params }, this.#core.connection, (outcome) =>
      this.#delivered(lane, command, outcome, inbound),
    );
  }

  note(message: CommandResponse, { seq, index }: Mark): void {
    const command = this.#commands.get(message.id);
    if (!this.#isCorrelating || command === undefined || command.answer !== undefined) return;
    command.answer = { seq, index };
    this.#store(command);
    this.#arm(command);
  }

  hears(): boolean {
    return false;
  }

  refused(seq: number): void {
    for (const command of this.#commands.values()) {
      if (typeof command.answer !== "object" || command.answer.seq !== seq) continue;
      command.answer = undefined;
      this.#store(command);
      this.#arm(command);
    }
  }

  reply(message: CommandResponse, arriving: Cargo): void {
    if (!this.#isCorrelating) {
      this.#passReply(message, arriving);
      return;
    }
    const command = this.#commands.get(message.id);
    if (command === undefined || !isSame(command.answer, arriving)) {
      this.#core.settleAt(arriving, { kind: "dropped", reason: "unmatched" });
      return;
    }
    const lane = this.#parts.lanes.find(command.device);
    if (lane === undefined || !isReachable(lane)) {
      this.close(command.id);
      this.#core.settleAt(arriving, { kind: "dropped", reason: "gone" });
      return;
    }
    const body = answerBody(command, { data: message.data });
    if (body.length > (this.#core.options.upstream.limits.telemetryBytes ?? Number.POSITIVE_INFINITY)) {
      this.close(command.id);
      this.#core.settleAt(arriving, { kind: "quarantined", ...named(lane), reason: "oversize" });
      return;
    }
    if (lane.phase === "held" && lane.device !== undefined) {
      this.#core.settleAt(arriving, this.#parts.outbox.heldFate(lane, lane.device));
      return;
    }
    const answer = telemetryOf(lane.id, body, this.#core.options.rules.commands.responses);
    this.#parts.outbox.pushReply(lane, answer, command.id, this.#core.take(arriving));
  }

  detached(lane: Lane): void {
    for (const command of this.#commands.values()) {
      if (command.device === lane.device && command.answer === undefined) this.close(command.id);
    }
  }

  get open(): number {
    let count = 0;
    for (const { answer } of this.#commands.values()) if (answer === undefined) count += 1;
    return count;
  }

  get #isCorrelating() {
    return this.#core.adapt.commands === "correlate";
  }

  #open(device: DeviceId | undefined, { method, ownId }: CalledCommand): OpenCommand {
    const deadlineMs = this.#core.nowMs + this.#core.options.rules.commands.timeout;
    const command = { id: this.#nextId(), device, method, ownId, deadlineMs, answer: undefined, alarm: undefined };
    this.#commands.set(command.id, command);
    this.#store(command);
    this.#arm(command);
    return command;
  }

  #nextId(): number {
    do this.#lastId = this.#lastId >= maxId ? 1 : this.#lastId + 1;
    while (this.#commands.has(this.#lastId));
    if (this.#lastId > this.#idsTo || this.#idsTo - this.#lastId > idBlock) {
      this.#idsTo = this.#lastId + idBlock - 1;
      this.#core.store("commandIds", String(this.#idsTo));
    }
    return this.#lastId;
  }

  #delivered(lane: Lane, command: OpenCommand, outcome: DeliveryOutcome, inbound: number | undefined): void {
    this.#core.countDown("received");
    if (isTaken(outcome)) this.#core.countDown("delivered");
    else this.#core.dropDown(outcome === "unrepresentable" ? outcome : "offline");
    this.#core.acknowledge(inbound);
    // A gateway that was written to and went away may have answered all the same, or does on its next connection.
    if (isTaken(outcome) || command.answer !== undefined || this.#commands.get(command.id) !== command) return;
    this.close(command.id);
    this.#answerOurselves(lane, command, outcome === "unrepresentable" ? outcome : "offline");
  }

  #refuse(
    lane: Lane,
    call: CalledCommand | undefined,
    message: Command,
    reason: "forbidden" | "offline",
    inbound: number | undefined,
  ): void {
    this.#core.countDown("received");
    this.#core.dropDown(reason);
    if (reason === "forbidden")
      this.#core.report("warn", "command-forbidden", { method: call?.method ?? message.method });
    this.#core.acknowledge(inbound);
    if (call !== undefined) this.#answerOurselves(lane, call, reason);
    else if (message.id !== undefined) {
      const data = `{"error":${scalarText(reason)}}` as JsonText;
      this.#parts.outbox.pushReply(lane, { kind: "commandResponse", id: message.id, data }, undefined, undefined);
    }
  }

  #timedOut(command: OpenCommand): void {
    const lane = this.#parts.lanes.find(command.device);
    if (command.answer !== undefined || lane === undefined || !isReachable(lane)) {
      this.close(command.id);
      return;
    }
    command.answer = "timeout";
    this.#core.report("info", "command-timeout", { device: command.device, method: command.method });
    this.#answerOurselves(lane, command, "timeout", command.id);
  }

  /** The same answer as a device would give, with the reason why it is not from the device. */
  #answerOurselves(lane: Lane, call: Pick<CalledCommand, "ownId" | "method">, error: string, command?: number): void {
    if (!isReachable(lane) || lane.phase === "held" || lane.replies.length >= maxOwnAnswers) {
      this.#core.report("debug", "answer-dropped", { device: lane.device, method: call.method, error });
      if (command !== undefined) this.close(command);
      return;
    }
    const body = answerBody(call, { error });
    this.#parts.outbox.pushReply(
      lane,
      telemetryOf(lane.id, body, this.#core.options.rules.commands.responses),
      command,
      undefined,
    );
  }

  #arm(command: OpenCommand): void {
    this.#core.alarms.cancel(command.alarm);
    const dueMs = command.answer === undefined ? command.deadlineMs : command.deadlineMs + forgetMs;
    command.alarm = this.#core.alarms.set(dueMs, () => this.#timedOut(command));
  }

  #store({ id, device, method, ownId, deadlineMs, answer }: OpenCommand): void {
    this.#core.store(`command/${id}`, JSON.stringify({ device, method, ownId, deadlineMs, answer }));
  }

  close(id: number): void {
    const command = this.#commands.get(id);
    if (command === undefined) return;
    this.#commands.delete(id);
    this.#core.alarms.cancel(command.alarm);
    this.#core.store(`command/${id}`, undefined);
  }

  /** Between equal clouds an order passes as it is, and its reply finds its own way. */
  #passOn(lane: Lane, message: Command, inbound: number | undefined): void {
    this.#core.deliver({ ...message, ...named(lane) }, undefined, (outcome) => {
      this.#core.countDown("received");
      if (isTaken(outcome)) this.#core.countDown("delivered");
      else this.#core.dropDown(outcome === "unrepresentable" ? outcome : "offline");
      this.#core.acknowledge(inbound);
    });
  }

  #passReply(message: CommandResponse, arriving: Cargo): void {
    const lane = this.#parts.lanes.find(message.device);
    if (lane === undefined || this.#core.adapt.commands !== "pass") {
      this.#core.settleAt(arriving, { kind: "dropped", reason: "unmatched" });
      return;
    }
    if (fitInto(this.#core.packetBytes, message).kind === "pieces") {
      this.#core.settleAt(arriving, { kind: "quarantined", ...named(lane), reason: "oversize" });
      return;
    }
    const cargo = this.#parts.outbox.admit(lane, arriving);
    const answer = lane.id === undefined ? message : { ...message, device: lane.id };
    if (cargo !== undefined) this.#parts.outbox.pushReply(lane, answer, undefined, cargo);
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
