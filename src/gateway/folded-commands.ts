import { type JsonText, objectText, scalarText } from "../message/json.ts";
import type { Command, CommandResponse, DeviceId, Telemetry } from "../message/message.ts";
import type { Alarm } from "./alarms.ts";
import type { Commands, CommandsParts } from "./commands.ts";
import { type Cargo, type Core, isTaken, type Mark } from "./core.ts";
import { digestOf } from "./digest.ts";
import { jsonOfBody, textOfBody } from "./document-shape.ts";
import type { DeliveryOutcome } from "./event.ts";
import { fitInto } from "./fitting.ts";
import type { Lane } from "./lane.ts";

interface FoldedCommand {
  /** The cloud's, counted per device and from 0 again after its restarts: it proves nothing by itself. */
  readonly id: number;
  readonly device: DeviceId | undefined;
  /** What it asks for, in short. */
  readonly digest: string;
  /** When it was given to the gateway, or answered. */
  atMs: number;
  /** The gateway has it. */
  isGiven: boolean;
  /** An earlier run ended while it was on its way: if it comes again, it is given again. */
  readonly isUnsure: boolean;
  answer: JsonText | undefined;
  /** The telemetry that was taken for its answer. */
  reply: Mark | undefined;
  alarm: Alarm | undefined;
}

/** A command that comes again within this time of its answer is the same one (translation, section 6). */
const repeatMs = 10 * 60_000;
/** What may be remembered of one cloud; the oldest are forgotten first. */
const maxKnown = 4096;
/** Answers that may wait for one device. */
const maxAnswers = 256;
const success = '{"success":true}' as JsonText;

/**
 * Calls of a cloud that wants an answer to each, for a gateway that takes orders one way: the method becomes the folder and
 * the parameters the body. That the gateway took it is the answer, or telemetry in a folder of its own is; there always is
 * one, and a call that the cloud repeats gets the same one without being carried out twice.
 */
export class FoldedCommands implements Commands {
  readonly #parts: CommandsParts;
  readonly #core: Core;
  readonly #commands = new Map<string, FoldedCommand>();

  constructor(parts: CommandsParts) {
    this.#parts = parts;
    this.#core = parts.core;
  }

  restore(fact: string, value: string): void {
    const [, id = "", device = ""] = /^folded\/(-?\d+)\/(.*)$/s.exec(fact) ?? [];
    const stored = JSON.parse(value) as Pick<FoldedCommand, "digest" | "atMs" | "answer" | "reply"> & {
      readonly isGiven?: boolean;
    };
    const { isGiven = true } = stored;
    const command: FoldedCommand = {
      id: Number(id),
      device: device === "" ? undefined : (device as DeviceId),
      ...{ digest: stored.digest, atMs: stored.atMs, answer: stored.answer, reply: stored.reply, alarm: undefined },
      ...{ isGiven, isUnsure: !isGiven && stored.answer === undefined && stored.reply === undefined },
    };
    this.#commands.set(keyOf(command.device, command.id), command);
    this.#arm(command);
  }

  receive(lane: Lane, message: Command, inbound: number | undefined): void {
    const { id } = message;
    const { device } = lane;
    const digest = digestOf(`${message.method}\0${message.params}`);
    const known = id === undefined ? undefined : this.#commands.get(keyOf(device, id));
    if (known?.digest === digest && !known.isUnsure) {
      this.#core.countDown("received");
      this.#core.dropDown("superseded");
      this.#core.acknowledge(inbound);
      if (known.answer !== undefined) this.#answer(lane, known.id, known.answer);
      return;
    }
    if (known !== undefined) this.#forget(known);
    const command = id === undefined ? undefined : this.#add({ id, device, digest });
    if (this.#core.connection === undefined) {
      this.#delivered(lane, command, "offline", inbound);
      return;
    }
    if (command !== undefined && this.#core.options.rules.commands.replies !== null) this.#store(command);
    this.#core.deliverAfterFacts(this.#fold(lane, message), this.#core.connection, (outcome) =>
      this.#delivered(lane, command, outcome, inbound),
    );
  }

  hears(message: Telemetry, arriving: Cargo, isQueued: boolean): boolean {
    const id = this.#replyIn(message);
    if (id === undefined) return false;
    const command = this.#commands.get(keyOf(message.device, id));
    if (command !== undefined && command.answer === undefined && command.reply === undefined) {
      command.reply = { seq: arriving.seq, index: arriving.index };
      this.#core.alarms.cancel(command.alarm);
      this.#store(command);
    }
    if (isQueued) this.#takeReply(command, message, arriving);
    return true;
  }

  note(): void {}

  refused(seq: number): void {
    for (const command of this.#commands.values()) {
      if (command.reply?.seq !== seq) continue;
      command.reply = undefined;
      command.answer = undefined;
      this.#store(command);
      this.#arm(command);
    }
  }

  reply(_message: CommandResponse, arriving: Cargo): void {
    this.#core.settleAt(arriving, { kind: "dropped", reason: "unmatched" });
  }

  close(): void {}

  detached(lane: Lane): void {
    for (const command of this.#commands.values()) {
      if (command.device === lane.device && command.answer === undefined) this.#forget(command);
    }
  }

  get open(): number {
    let count = 0;
    for (const { answer: given } of this.#commands.values()) if (given === undefined) count += 1;
    return count;
  }

  #add(command: Pick<FoldedCommand, "id" | "device" | "digest">): FoldedCommand {
    for (const oldest of this.#commands.values()) {
      if (this.#commands.size < maxKnown) break;
      this.#forget(oldest);
    }
    const state = { isGiven: false, isUnsure: false, answer: undefined, reply: undefined, alarm: undefined };
    const added = { ...command, atMs: this.#core.nowMs, ...state };
    this.#commands.set(keyOf(command.device, command.id), added);
    return added;
  }

  #fold({ device }: Lane, { id, method = "", params }: Command): Command {
    const named = device === undefined ? {} : { device };
    if (this.#core.options.rules.commands.form === "params") {
      const body = Buffer.from(params ?? "");
      return { kind: "command", ...named, folder: method.replaceAll(".", "/"), body };
    }
    const members: (readonly [string, JsonText])[] = [["method", scalarText(method)]];
    if (id !== undefined) members.unshift(["id", scalarText(id)]);
    if (params !== undefined) members.push(["params", params]);
    return { kind: "command", ...named, body: Buffer.from(objectText(members)) };
  }

  #delivered(
    lane: Lane,
    command: FoldedCommand | undefined,
    outcome: DeliveryOutcome,
    inbound: number | undefined,
  ): void {
    this.#core.countDown("received");
    if (isTaken(outcome)) this.#core.countDown("delivered");
    else this.#core.dropDown(outcome === "unrepresentable" ? outcome : "offline");
    this.#core.acknowledge(inbound);
    if (command === undefined || !this.#isKnown(command) || command.reply !== undefined) return;
    if (!isTaken(outcome)) {
      this.#finish(lane, command, errorText(outcome === "unrepresentable" ? outcome : "offline"));
      return;
    }
    if (this.#core.options.rules.commands.replies === null) {
      this.#finish(lane, command, success);
      return;
    }
    command.atMs = this.#core.nowMs;
    command.isGiven = true;
    this.#store(command);
    this.#arm(command);
  }

  #finish(lane: Lane, command: FoldedCommand, data: JsonText): void {
    this.#remember(command, data);
    this.#answer(lane, command.id, data);
  }

  #remember(command: FoldedCommand, data: JsonText): void {
    command.answer = data;
    command.atMs = this.#core.nowMs;
    this.#store(command);
    this.#arm(command);
  }

  #answer(lane: Lane, id: number, data: JsonText): void {
    if (lane.replies.length >= maxAnswers) {
      this.#core.report("debug", "answer-dropped", { device: lane.device, id });
      return;
    }
    this.#parts.outbox.pushReply(lane, answerOf(lane, id, data), undefined, undefined);
  }

  #takeReply(command: FoldedCommand | undefined, message: Telemetry, arriving: Cargo): void {
    const { seq, index } = arriving;
    const lane = this.#parts.lanes.find(message.device);
    if (command === undefined || lane === undefined || command.reply?.seq !== seq || command.reply.index !== index) {
      this.#core.settleAt(arriving, { kind: "dropped", reason: "unmatched" });
      return;
    }
    if (lane.phase === "held" && lane.device !== undefined) {
      this.#core.settleAt(arriving, this.#parts.outbox.heldFate(lane, lane.device));
      this.#parts.outbox.stored(lane);
      return;
    }
    const body = message.body ?? new Uint8Array();
    const data = jsonOfBody(body) ?? scalarText(textOfBody(body) ?? Buffer.from(body).toString("base64"));
    const reply = answerOf(lane, command.id, data);
    if (fitInto(this.#core.packetBytes, reply).kind === "pieces") {
      const named = lane.device === undefined ? {} : { device: lane.device };
      this.#core.settleAt(arriving, { kind: "quarantined", ...named, reason: "oversize" });
      this.#finish(lane, command, errorText("oversize"));
      return;
    }
    this.#remember(command, data);
    this.#parts.outbox.pushReply(lane, reply, undefined, this.#core.take(arriving));
  }

  /** The command that this telemetry answers, by its folder. */
  #replyIn({ folder }: Telemetry): number | undefined {
    if (
      this.#core.options.rules.commands.replies === null ||
      folder === undefined ||
      !folder.startsWith(`${this.#core.options.rules.commands.replies}/`)
    )
      return undefined;
    const id = folder.slice(this.#core.options.rules.commands.replies.length + 1);
    return /^-?\d{1,10}$/.test(id) ? Number(id) : undefined;
  }

  #arm(command: FoldedCommand): void {
    this.#core.alarms.cancel(command.alarm);
    const isAnswered = command.answer !== undefined || command.reply !== undefined;
    const dueMs = command.atMs + (isAnswered ? repeatMs : this.#core.options.rules.commands.timeout);
    command.alarm = this.#core.alarms.set(dueMs, () => {
      const lane = this.#parts.lanes.find(command.device);
      if (isAnswered || lane === undefined) this.#forget(command);
      else this.#finish(lane, command, errorText("timeout"));
    });
  }

  #isKnown(command: FoldedCommand): boolean {
    return this.#commands.get(keyOf(command.device, command.id)) === command;
  }

  #forget(command: FoldedCommand): void {
    if (!this.#isKnown(command)) return;
    this.#commands.delete(keyOf(command.device, command.id));
    this.#core.alarms.cancel(command.alarm);
    this.#core.store(factOf(command), undefined);
  }

  #store(command: FoldedCommand): void {
    const { digest, atMs, answer: given, isGiven, reply } = command;
    this.#core.store(factOf(command), JSON.stringify({ digest, atMs, answer: given, isGiven, reply }));
  }
}

function answerOf({ id: device }: Lane, id: number, data: JsonText) {
  return { kind: "commandResponse", ...(device === undefined ? {} : { device }), id, data } as const;
}

function errorText(error: string): JsonText {
  return objectText([["error", scalarText(error)]]);
}

function factOf({ id, device }: FoldedCommand): string {
  return `folded/${id}/${device ?? ""}`;
}

function keyOf(device: DeviceId | undefined, id: number): string {
  return `${id}/${device ?? ""}`;
}
