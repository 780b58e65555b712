import { type JsonText, objectText, scalarText } from "../message/json.ts";
import type { Command, DeviceId, Telemetry } from "../message/message.ts";
import type { Alarm } from "./alarms.ts";
import type { Commands, CommandsParts } from "./commands.ts";
import { isTaken, type Mark } from "./core.ts";
import { digestOf } from "./digest.ts";
import { jsonOfBody, textOfBody } from "./document-shape.ts";
import type { DeliveryOutcome } from "./event.ts";
import { fitInto } from "./fitting.ts";
import type { Lane } from "./lane.ts";
import type { Arriving } from "./outbox.ts";

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
export function createFoldedCommands({ core, lanes, outbox }: CommandsParts): Commands {
  const { form, replies, timeout } = core.options.rules.commands;
  const commands = new Map<string, FoldedCommand>();

  return {
    restore(fact, value) {
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
      commands.set(keyOf(command.device, command.id), command);
      arm(command);
    },

    receive(lane, message, inbound) {
      const { id } = message;
      const { device } = lane;
      const digest = digestOf(`${message.method}\0${message.params}`);
      const known = id === undefined ? undefined : commands.get(keyOf(device, id));
      if (known?.digest === digest && !known.isUnsure) {
        core.countDown("received");
        core.dropDown("superseded");
        core.acknowledge(inbound);
        if (known.answer !== undefined) answer(lane, known.id, known.answer);
        return;
      }
      if (known !== undefined) forget(known);
      const command = id === undefined ? undefined : add({ id, device, digest });
      if (core.connection === undefined) {
        delivered(lane, command, "offline", inbound);
        return;
      }
      if (command !== undefined && replies !== null) store(command);
      core.deliverAfterFacts(fold(lane, message), core.connection, (outcome) =>
        delivered(lane, command, outcome, inbound),
      );
    },

    hears(message, arriving, isQueued) {
      const id = replyIn(message);
      if (id === undefined) return false;
      const command = commands.get(keyOf(message.device, id));
      if (command !== undefined && command.answer === undefined && command.reply === undefined) {
        command.reply = { seq: arriving.seq, index: arriving.index };
        core.alarms.cancel(command.alarm);
        store(command);
      }
      if (isQueued) takeReply(command, message, arriving);
      return true;
    },

    note() {},

    reply(_message, arriving) {
      core.settleAt(arriving, { kind: "dropped", reason: "unmatched" });
    },

    close() {},

    detached(lane) {
      for (const command of commands.values()) {
        if (command.device === lane.device && command.answer === undefined) forget(command);
      }
    },

    get open() {
      let count = 0;
      for (const { answer: given } of commands.values()) if (given === undefined) count += 1;
      return count;
    },
  };

  function add(command: Pick<FoldedCommand, "id" | "device" | "digest">): FoldedCommand {
    for (const oldest of commands.values()) {
      if (commands.size < maxKnown) break;
      forget(oldest);
    }
    const state = { isGiven: false, isUnsure: false, answer: undefined, reply: undefined, alarm: undefined };
    const added = { ...command, atMs: core.nowMs, ...state };
    commands.set(keyOf(command.device, command.id), added);
    return added;
  }

  function fold({ device }: Lane, { id, method = "", params }: Command): Command {
    const named = device === undefined ? {} : { device };
    if (form === "params") {
      const body = Buffer.from(params ?? "");
      return { kind: "command", ...named, folder: method.replaceAll(".", "/"), body };
    }
    const members: (readonly [string, JsonText])[] = [["method", scalarText(method)]];
    if (id !== undefined) members.unshift(["id", scalarText(id)]);
    if (params !== undefined) members.push(["params", params]);
    return { kind: "command", ...named, body: Buffer.from(objectText(members)) };
  }

  function delivered(
    lane: Lane,
    command: FoldedCommand | undefined,
    outcome: DeliveryOutcome,
    inbound: number | undefined,
  ): void {
    core.countDown("received");
    if (isTaken(outcome)) core.countDown("delivered");
    else core.dropDown(outcome === "unrepresentable" ? outcome : "offline");
    core.acknowledge(inbound);
    if (command === undefined || !isKnown(command) || command.reply !== undefined) return;
    if (!isTaken(outcome)) {
      finish(lane, command, errorText(outcome === "unrepresentable" ? outcome : "offline"));
      return;
    }
    if (replies === null) {
      finish(lane, command, success);
      return;
    }
    command.atMs = core.nowMs;
    command.isGiven = true;
    store(command);
    arm(command);
  }

  function finish(lane: Lane, command: FoldedCommand, data: JsonText): void {
    remember(command, data);
    answer(lane, command.id, data);
  }

  function remember(command: FoldedCommand, data: JsonText): void {
    command.answer = data;
    command.atMs = core.nowMs;
    store(command);
    arm(command);
  }

  function answer(lane: Lane, id: number, data: JsonText): void {
    if (lane.replies.length >= maxAnswers) {
      core.report("debug", "answer-dropped", { device: lane.device, id });
      return;
    }
    outbox.pushReply(lane, answerOf(lane, id, data), undefined, undefined);
  }

  function takeReply(command: FoldedCommand | undefined, message: Telemetry, arriving: Arriving): void {
    const { seq, index, arrivedMs } = arriving;
    const lane = lanes.find(message.device);
    if (command === undefined || lane === undefined || command.reply?.seq !== seq || command.reply.index !== index) {
      core.settleAt(arriving, { kind: "dropped", reason: "unmatched" });
      return;
    }
    if (lane.phase === "held" && lane.device !== undefined) {
      core.settleAt(arriving, outbox.heldFate(lane, lane.device));
      outbox.stored(lane);
      return;
    }
    const body = message.body ?? new Uint8Array();
    const data = jsonOfBody(body) ?? scalarText(textOfBody(body) ?? Buffer.from(body).toString("base64"));
    const reply = answerOf(lane, command.id, data);
    if (!("kind" in fitInto(core.packetBytes, reply))) {
      const named = lane.device === undefined ? {} : { device: lane.device };
      core.settleAt(arriving, { kind: "quarantined", ...named, reason: "oversize" });
      finish(lane, command, errorText("oversize"));
      return;
    }
    remember(command, data);
    outbox.pushReply(lane, reply, undefined, core.take(seq, index, arrivedMs));
  }

  /** The command that this telemetry answers, by its folder. */
  function replyIn({ folder }: Telemetry): number | undefined {
    if (replies === null || folder === undefined || !folder.startsWith(`${replies}/`)) return undefined;
    const id = folder.slice(replies.length + 1);
    return /^-?\d{1,10}$/.test(id) ? Number(id) : undefined;
  }

  function arm(command: FoldedCommand): void {
    core.alarms.cancel(command.alarm);
    const isAnswered = command.answer !== undefined || command.reply !== undefined;
    const dueMs = command.atMs + (isAnswered ? repeatMs : timeout);
    command.alarm = core.alarms.set(dueMs, () => {
      const lane = lanes.find(command.device);
      if (isAnswered || lane === undefined) forget(command);
      else finish(lane, command, errorText("timeout"));
    });
  }

  function isKnown(command: FoldedCommand): boolean {
    return commands.get(keyOf(command.device, command.id)) === command;
  }

  function forget(command: FoldedCommand): void {
    if (!isKnown(command)) return;
    commands.delete(keyOf(command.device, command.id));
    core.alarms.cancel(command.alarm);
    core.store(factOf(command), undefined);
  }

  function store(command: FoldedCommand): void {
    const { digest, atMs, answer: given, isGiven, reply } = command;
    core.store(factOf(command), JSON.stringify({ digest, atMs, answer: given, isGiven, reply }));
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
