import type { JsonText } from "../message/json.ts";
import type { AttributesRequest, AttributesResponse, Call, CallResult } from "../message/message.ts";
import type { Alarm } from "./alarms.ts";
import type { Core } from "./core.ts";
import type { Dispatch } from "./dispatch.ts";
import { Fifo } from "./fifo.ts";
import { type Flights, flightFor } from "./flights.ts";
import type { Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";

/** What to ask for: a device's attributes by `scope` and name, or the gateway's own by `sharedKeys`. */
export type Wanted = Pick<AttributesRequest, "scope" | "key" | "keys" | "clientKeys" | "sharedKeys">;

/** A question of ours to the cloud: nobody behind us has asked it. */
export interface OwnQuestion {
  readonly id: number;
  readonly message: AttributesRequest | Call;
  readonly done: (answer: AttributesResponse | CallResult | undefined) => void;
  alarm: Alarm | undefined;
}

/** The highest ids a server takes; a gateway counts its own up from 1. */
const highestId = 0x7fffffff;
const lowestId = 0x70000000;
const patienceMs = 10_000;

export interface OwnQuestionsParts {
  readonly core: Core;
  readonly flights: Flights;
  readonly dispatch: Dispatch;
  readonly lanes: Lanes;
}

/** What we ask a cloud for on our own account, in between what its gateways ask. Owns the ids that make the answers ours. */
export class OwnQuestions {
  readonly #parts: OwnQuestionsParts;
  readonly #core: Core;
  readonly #open = new Map<Lane, Map<number, OwnQuestion>>();
  #lastId = highestId + 1;

  constructor(parts: OwnQuestionsParts) {
    this.#parts = parts;
    this.#core = parts.core;
  }

  /** Asks for attributes, once the device is attached and has its turn. `done` hears nothing where no answer comes. */
  askAttributes(lane: Lane, wanted: Wanted, done: (answer: AttributesResponse | undefined) => void): void {
    const id = this.#nextId();
    const message: AttributesRequest = { kind: "attributesRequest", id, ...wanted };
    const question = this.#add(lane, id, message, (answer) =>
      done(answer?.kind === "attributesResponse" ? answer : undefined),
    );
    lane.questions ??= new Fifo();
    lane.questions.push(question);
    this.#parts.dispatch.wake(lane);
  }

  /** Asks at once, before all else. */
  call(method: string, params: JsonText, done: (data: JsonText | undefined) => void): void {
    const id = this.#nextId();
    const question = this.#add(this.#parts.lanes.own, id, { kind: "call", id, method, params }, (answer) =>
      done(answer?.kind === "callResult" ? answer.data : undefined),
    );
    this.#publish(this.#parts.lanes.own, question);
  }

  /** Sends the first question that waits. */
  send(lane: Lane): void {
    const question = lane.questions?.shift();
    if (question !== undefined) this.#publish(lane, question);
  }

  /** Whether this is the answer to a question of ours. */
  answered(message: AttributesResponse | CallResult, lane: Lane | undefined): boolean {
    if (lane === undefined || message.id < lowestId) return false;
    return this.#end(lane, message.id, message);
  }

  /** The cloud has refused the question that this publish was. */
  refused(lane: Lane, id: number): void {
    this.#end(lane, id, undefined);
  }

  /** No answers come any more: to all, or to those about one device. */
  giveUp(lane?: Lane): void {
    for (const one of lane === undefined ? [...this.#open.keys()] : [lane]) {
      one.questions?.drain();
      for (const id of [...(this.#open.get(one)?.keys() ?? [])]) this.#end(one, id, undefined);
    }
  }

  #nextId(): number {
    this.#lastId = this.#lastId <= lowestId ? highestId : this.#lastId - 1;
    return this.#lastId;
  }

  #add(lane: Lane, id: number, message: OwnQuestion["message"], done: OwnQuestion["done"]): OwnQuestion {
    const question: OwnQuestion = { id, message, done, alarm: undefined };
    const ofLane = this.#open.get(lane) ?? new Map<number, OwnQuestion>();
    this.#open.set(lane, ofLane.set(id, question));
    return question;
  }

  #publish(lane: Lane, question: OwnQuestion): void {
    const { id, message } = question;
    const named = lane.id === undefined || message.kind === "call" ? message : { ...message, device: lane.id };
    question.alarm = this.#core.alarms.set(this.#core.nowMs + patienceMs, () => this.#end(lane, id, undefined));
    const flight = flightFor("question", lane);
    flight.revision = id;
    this.#parts.flights.send(flight, named);
  }

  #end(lane: Lane, id: number, answer: AttributesResponse | CallResult | undefined): boolean {
    const ofLane = this.#open.get(lane);
    const question = ofLane?.get(id);
    if (ofLane === undefined || question === undefined) return false;
    ofLane.delete(id);
    if (ofLane.size === 0) this.#open.delete(lane);
    this.#core.alarms.cancel(question.alarm);
    question.done(answer);
    return true;
  }
}
