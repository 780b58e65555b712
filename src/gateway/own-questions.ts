import type { JsonText } from "../message/json.ts";
import type { AttributesRequest, AttributesResponse, Call, CallResult } from "../message/message.ts";
import type { Alarm } from "./alarms.ts";
import type { Core } from "./core.ts";
import { Fifo } from "./fifo.ts";
import type { Flights } from "./flights.ts";
import type { Lane } from "./lane.ts";

/** What to ask for: a device's attributes by `scope` and name, or the gateway's own by `sharedKeys`. */
export type Wanted = Pick<AttributesRequest, "scope" | "key" | "keys" | "clientKeys" | "sharedKeys">;

/** A question of ours to the cloud: nobody behind us has asked it. */
export interface OwnQuestion {
  readonly id: number;
  readonly message: AttributesRequest | Call;
  readonly done: (answer: AttributesResponse | CallResult | undefined) => void;
  alarm: Alarm | undefined;
}

export interface OwnQuestions {
  /** Asks for attributes, once the device is attached and has its turn. `done` hears nothing where no answer comes. */
  askAttributes(lane: Lane, wanted: Wanted, done: (answer: AttributesResponse | undefined) => void): void;
  /** Asks at once, before all else. */
  call(method: string, params: JsonText, done: (data: JsonText | undefined) => void): void;
  /** Sends the first question that waits. */
  send(lane: Lane): void;
  /** Whether this is the answer to a question of ours. */
  answered(message: AttributesResponse | CallResult, lane: Lane | undefined): boolean;
  /** The cloud has refused the question that this publish was. */
  refused(lane: Lane, id: number): void;
  /** No answers come any more: to all, or to those about one device. */
  giveUp(lane?: Lane): void;
}

/** The highest ids a server takes; a gateway counts its own up from 1. */
const highestId = 0x7fffffff;
const lowestId = 0x70000000;
const patienceMs = 10_000;

/** What we ask a cloud for on our own account, in between what its gateways ask. Owns the ids that make the answers ours. */
export function createOwnQuestions(
  core: Core,
  { flights, own, wake }: { readonly flights: Flights; readonly own: Lane; readonly wake: (lane: Lane) => void },
): OwnQuestions {
  const open = new Map<Lane, Map<number, OwnQuestion>>();
  let lastId = highestId + 1;

  return {
    askAttributes(lane, wanted, done) {
      const id = nextId();
      const message: AttributesRequest = { kind: "attributesRequest", id, ...wanted };
      const question = add(lane, id, message, (answer) =>
        done(answer?.kind === "attributesResponse" ? answer : undefined),
      );
      lane.questions ??= new Fifo();
      lane.questions.push(question);
      wake(lane);
    },

    call(method, params, done) {
      const id = nextId();
      const question = add(own, id, { kind: "call", id, method, params }, (answer) =>
        done(answer?.kind === "callResult" ? answer.data : undefined),
      );
      publish(own, question);
    },

    send(lane) {
      const question = lane.questions?.shift();
      if (question !== undefined) publish(lane, question);
    },

    answered(message, lane) {
      if (lane === undefined || message.id < lowestId) return false;
      return end(lane, message.id, message);
    },

    refused(lane, id) {
      end(lane, id, undefined);
    },

    giveUp(lane) {
      for (const one of lane === undefined ? [...open.keys()] : [lane]) {
        one.questions?.drain();
        for (const id of [...(open.get(one)?.keys() ?? [])]) end(one, id, undefined);
      }
    },
  };

  function nextId(): number {
    lastId = lastId <= lowestId ? highestId : lastId - 1;
    return lastId;
  }

  function add(lane: Lane, id: number, message: OwnQuestion["message"], done: OwnQuestion["done"]): OwnQuestion {
    const question: OwnQuestion = { id, message, done, alarm: undefined };
    const ofLane = open.get(lane) ?? new Map<number, OwnQuestion>();
    open.set(lane, ofLane.set(id, question));
    return question;
  }

  function publish(lane: Lane, question: OwnQuestion): void {
    const { id, message } = question;
    const named = lane.id === undefined || message.kind === "call" ? message : { ...message, device: lane.id };
    question.alarm = core.alarms.set(core.nowMs + patienceMs, () => end(lane, id, undefined));
    flights.send("question", lane, named, { revision: id });
  }

  function end(lane: Lane, id: number, answer: AttributesResponse | CallResult | undefined): boolean {
    const ofLane = open.get(lane);
    const question = ofLane?.get(id);
    if (ofLane === undefined || question === undefined) return false;
    ofLane.delete(id);
    if (ofLane.size === 0) open.delete(lane);
    core.alarms.cancel(question.alarm);
    question.done(answer);
    return true;
  }
}
