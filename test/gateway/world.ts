import { droppedFull } from "../../src/gateway/core.ts";
import { poisonReason } from "../../src/gateway/elimination.ts";
import { createGateway, type GatewayEffect, type GatewayEvent } from "../../src/gateway/gateway.ts";
import type { Fate } from "../../src/message/fate.ts";
import { type JsonText, membersOf, objectText } from "../../src/message/json.ts";
import type { AttributesRequest, Call, DeviceId, UpMessage } from "../../src/message/message.ts";
import { attach, detach, named, optionsOf, reply, type Setup, state, telemetry } from "./play.ts";

/** One thing that happens; the numbers choose among what is possible at that moment. */
export interface Happening {
  readonly what: (typeof happenings)[number];
  readonly which: number;
  readonly device: number;
}

export const happenings = [
  "telemetry",
  "telemetry",
  "telemetry",
  "burst",
  "several",
  "state",
  "attach",
  "detach",
  "request",
  "call",
  "reply",
  "acknowledge",
  "acknowledge",
  "acknowledgeAll",
  "time",
  "wake",
  "wake",
  "close",
  "open",
  "error",
  "disconnect",
  "connect",
  "restart",
  "crash",
  "config",
  "command",
  "deliver",
  "deliver",
  "retry",
  "unsendable",
  "read",
  "subscribe",
  "answer",
  "refuse",
  "notice",
  "full",
] as const;

const devices = ["one", "two", "Device 3", undefined] as const;
const codes = [
  "GATEWAY_ATTACHMENT_ERROR",
  "GATEWAY_DEVICE_NOT_FOUND",
  "GATEWAY_DETACHMENT_DEVICE_ERROR",
  "GATEWAY_INVALID_MQTT_TOPIC",
  "UNKNOWN",
];
const outcomes = ["acknowledged", "written", "offline", "unsubscribed", "rejected", "unrepresentable"] as const;
const finals = new Set(["delivered", "dropped", "quarantined"]);

interface Record {
  readonly seq: number;
  readonly arrivedMs: number;
  readonly messages: readonly UpMessage[];
  readonly fates: (Fate | undefined)[];
}

interface Disk {
  readonly facts: Map<string, string>;
  readonly fates: Map<number, (Fate | undefined)[]>;
  readonly down: { received: number; ended: number };
}

/** The number in a telemetry message; -1 for anything else. */
function numberOf(message: UpMessage | undefined): number {
  if (message?.kind !== "telemetry") return -1;
  const text = message.body === undefined ? message.points?.[0]?.values : Buffer.from(message.body).toString();
  return Number(/"n":(\d+)/.exec(text ?? "")?.[1] ?? -1);
}

/** A bridge, a spool, a gateway and a strict cloud around one engine. Every step checks what must always hold. */
export class World {
  readonly problems: string[] = [];
  readonly records: Record[] = [];
  facts = new Map<string, string>();
  down = { received: 0, ended: 0 };
  /** The last state the cloud acknowledged, by device. */
  readonly states = new Map<string, string>();
  readonly reported = new Map<string, Map<string, JsonText>>();
  /** Devices of which a report was quarantined. */
  readonly setAside = new Set<string>();
  /** Connections that were closed because of a message. */
  poisonings = 0;
  readonly #setup: Setup;
  readonly #maxLoad: number;
  /** Telemetry with a number that this divides is what the cloud closes connections for. */
  readonly #poison: number | undefined;
  #isPoisoned = false;
  /** The local side speaks of opaque bodies. */
  readonly #isOpaque: boolean;
  /** The cloud speaks of single attributes, and of calls. */
  readonly #isChanging: boolean;
  #engine: ReturnType<typeof createGateway>;
  #now = 1_000_000;
  #seq = 0;
  #count = 0;
  /** Every record up to here has been queued with the engine. */
  #cursor = 0;
  #isCaughtUp = true;
  #isOpen = false;
  #connection: number | undefined;
  #connections = 0;
  #unacknowledged: { token: number; message: UpMessage }[] = [];
  #deliveries: { token: number; command: number | undefined }[] = [];
  #subscriptions: number[] = [];
  /** Questions of the engine's own, that nobody has answered. */
  #questions: (AttributesRequest | Call)[] = [];
  /** The names the cloud has for renamed devices. */
  readonly #renamed = new Map<string, string>();
  #attached = new Set<string>();
  #commands: number[] = [];
  readonly #firstPublishes = new Map<string, number>();
  #before: Disk;
  #events: GatewayEvent[] = [];

  constructor(setup: Setup, maxLoad: number, poison?: number) {
    this.#setup = setup;
    this.#maxLoad = maxLoad;
    this.#poison = poison;
    this.#isOpaque = setup.local?.traits.body === "bytes";
    this.#isChanging = setup.upstream?.traits.config === "changes";
    this.#engine = createGateway(optionsOf(setup));
    this.#before = this.#disk();
    this.#handle({ kind: "caughtUp" });
    this.#connect();
  }

  happen({ what, which, device: chosen }: Happening): void {
    const device = devices[chosen % devices.length];
    switch (what) {
      case "telemetry":
        this.#send(this.#telemetry(device));
        return;
      case "burst":
        for (let i = 0; i < 12; i++) this.#send(this.#telemetry(device));
        return;
      case "several":
        this.#send(...devices.map((each) => this.#telemetry(each)));
        return;
      case "state":
        this.#send(this.#state(device, which));
        return;
      case "attach":
        device === undefined ? undefined : this.#send(attach(device));
        return;
      case "detach":
        device === undefined ? undefined : this.#send(detach(device));
        return;
      case "request":
        this.#send({ kind: "attributesRequest", ...named(device), id: 1, scope: "shared", keys: ["a"] });
        return;
      case "call":
        this.#send({ kind: "call", id: which, method: which % 2 === 0 ? "getSessionLimits" : "nothing" });
        return;
      case "reply":
        this.#send(reply(device, this.#commands[which % (this.#commands.length + 1)] ?? 999_999, '"{}"'));
        return;
      case "acknowledge":
        this.#acknowledge(which % Math.max(1, this.#unacknowledged.length));
        return;
      case "acknowledgeAll":
        while (this.#unacknowledged.length > 0 && which % 3 > 0) this.#acknowledge(0);
        return;
      case "time":
        this.#now += [1, 50, 500, 1100, 5000, 20_000, 700_000][which % 7] ?? 0;
        this.#handle({ kind: "tick" });
        return;
      case "wake":
        this.#wake();
        return;
      case "close":
        // With poison about, other closes are ones for which no message is blamed.
        this.#close(this.#poison === undefined && which % 2 === 0 ? "reset" : "keepalive");
        return;
      case "open":
        this.#open();
        return;
      case "error":
        this.#error(device, codes[which % codes.length] as string);
        return;
      case "disconnect":
        this.#disconnect();
        return;
      case "connect":
        this.#connect();
        return;
      case "restart":
        this.#restart(this.#disk());
        return;
      case "crash":
        this.#restart(this.#before);
        return;
      case "config":
        this.#config(device, which);
        return;
      case "command":
        this.#command(device, which);
        return;
      case "deliver":
        this.#deliver(which, outcomes[which % outcomes.length] as (typeof outcomes)[number]);
        return;
      case "retry":
        this.#handle(device === undefined ? { kind: "retry" } : { kind: "retry", device: device as DeviceId });
        return;
      case "unsendable": {
        const [lost] = this.#unacknowledged.splice(which % Math.max(1, this.#unacknowledged.length), 1);
        if (lost === undefined) return;
        const named = "device" in lost.message ? lost.message.device : undefined;
        if (lost.message.kind === "state") this.setAside.add((named ?? "").replace("%20", " "));
        this.#handle({ kind: "unsendable", token: lost.token, reason: "unrepresentable" });
        return;
      }
      case "read":
        this.#readOn();
        return;
      case "subscribe": {
        const connection = this.#connection;
        if (connection === undefined) return;
        this.#handle({ kind: "localSubscribed", connection, heard: [{ kind: "config", ...named(device) }] });
        return;
      }
      case "answer":
        this.#answer(which);
        return;
      case "refuse":
        this.#refuse(which);
        return;
      case "notice":
        this.#notice(device, which);
        return;
      case "full":
        this.#makeRoom(1 + (which % 3));
        return;
    }
  }

  /** From now on all goes well; true once nothing waits any more. */
  settleDown(): boolean {
    this.#connect();
    for (let round = 0; round < 2000; round++) {
      if (!this.#isOpen) this.#open();
      this.#readOn();
      if (round % 50 === 0) this.#handle({ kind: "retry" });
      while (this.#subscriptions.length > 0) {
        const token = this.#subscriptions.shift() as number;
        this.#handle({ kind: "subscribed", token, codes: [1, 1] });
      }
      while (this.#deliveries.length > 0) this.#deliver(0, "acknowledged");
      while (this.#unacknowledged.length > 0) this.#acknowledge(0);
      while (this.#questions.length > 0) this.#answer(0);
      if (this.#isDone()) return true;
      this.#wake();
    }
    return false;
  }

  isPoison(number: number): boolean {
    return this.#poison !== undefined && number % this.#poison === 0;
  }

  /** Numbers of telemetry that was found to be to blame for closes. */
  get convicted(): readonly number[] {
    return this.records.flatMap(({ fates, messages }) =>
      fates.flatMap((fate, index) =>
        fate?.kind === "quarantined" && fate.reason === poisonReason ? [numberOf(messages[index])] : [],
      ),
    );
  }

  /** What is still open, for a failing run. */
  open(): readonly string[] {
    return this.records.flatMap(({ seq, fates, messages }) =>
      fates.flatMap((fate, index) =>
        fate !== undefined && finals.has(fate.kind)
          ? []
          : [`${seq}.${index} ${messages[index]?.kind} ${JSON.stringify(fate)}`],
      ),
    );
  }

  get load(): number {
    return this.#engine.load;
  }

  #isDone(): boolean {
    return this.open().length === 0 && this.down.received === this.down.ended && this.#unacknowledged.length === 0;
  }

  #telemetry(device: string | undefined): UpMessage {
    this.#count += 1;
    const values = `{"n":${this.#count}}`;
    if (this.#isOpaque) return { kind: "telemetry", ...named(device), body: Buffer.from(values) };
    return telemetry(device, values, this.#count);
  }

  #state(device: string | undefined, which: number): UpMessage {
    this.#count += 1;
    const change = `{"k${which % 3}":${this.#count}}` as JsonText;
    if (this.#isOpaque) return { kind: "state", ...named(device), body: Buffer.from(change) };
    if (this.#connection === undefined) return state(device, change);
    const members = this.reported.get(device ?? "") ?? new Map<string, JsonText>();
    for (const [key, value] of membersOf(change)) members.set(key, value);
    this.reported.set(device ?? "", members);
    return state(device, change);
  }

  #send(...messages: readonly UpMessage[]): void {
    if (this.#connection === undefined) return;
    this.#seq += 1;
    const record: Record = { seq: this.#seq, arrivedMs: this.#now, messages, fates: messages.map(() => undefined) };
    this.records.push(record);
    const queue = this.#isCaughtUp && this.#engine.load < this.#maxLoad;
    if (queue) this.#cursor = record.seq;
    else this.#isCaughtUp = false;
    this.#arrive(record, queue, this.#connection);
  }

  #readOn(): void {
    while (!this.#isCaughtUp && this.#engine.load < this.#maxLoad) {
      const record = this.records.find(
        ({ seq, fates }) => seq > this.#cursor && fates.some((fate) => fate === undefined),
      );
      if (record === undefined) {
        this.#isCaughtUp = true;
        this.#handle({ kind: "caughtUp" });
        return;
      }
      this.#cursor = record.seq;
      this.#arrive(record, true, undefined);
    }
  }

  #arrive({ seq, arrivedMs, messages, fates }: Record, queue: boolean, connection: number | undefined): void {
    this.#handle({
      kind: "arrived",
      record: { seq, arrivedMs, isOpen: (index) => fates[index] === undefined },
      bytes: 100,
      connection,
      messages,
      queue,
    });
  }

  /** The spool drops its oldest records, but none that is being sent. */
  #makeRoom(wanted: number): void {
    const sending = this.#engine.sending();
    const isLeft = (fate: Fate | undefined) => !finals.has(fate?.kind ?? "") || fate?.kind === "quarantined";
    const oldest = this.records.filter(({ seq, fates }) => !sending.has(seq) && fates.some(isLeft)).slice(0, wanted);
    for (const { fates, messages } of oldest) {
      for (const [index, fate] of fates.entries()) {
        if (!isLeft(fate)) continue;
        fates[index] = droppedFull;
        const message = messages[index];
        if (message?.kind === "state") this.setAside.add(message.device ?? "");
      }
    }
    this.#handle({ kind: "withdrawn", seqs: new Set(oldest.map(({ seq }) => seq)) });
  }

  #open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#handle({ kind: "upstreamOpened" });
  }

  #close(reason: string): void {
    if (!this.#isOpen) return;
    const unacknowledged = this.#unacknowledged.map(({ token }) => token);
    this.#hangUp();
    this.#handle({ kind: "upstreamClosed", reason, unacknowledged });
  }

  #hangUp(): void {
    this.#isOpen = false;
    this.#unacknowledged = [];
    this.#subscriptions = [];
    this.#questions = [];
    this.#attached.clear();
  }

  #connect(): void {
    this.#connections += 1;
    this.#connection = this.#connections;
    this.#handle({ kind: "localConnected", connection: this.#connections });
  }

  #disconnect(): void {
    if (this.#connection === undefined) return;
    const connection = this.#connection;
    this.#connection = undefined;
    this.#handle({ kind: "localDisconnected", connection });
  }

  /** The program ends with this on its disk; the cloud has seen what it has seen. */
  #restart(disk: Disk): void {
    this.facts = new Map(disk.facts);
    this.down = { ...disk.down };
    for (const { seq, fates } of this.records) {
      const kept = disk.fates.get(seq);
      for (let i = 0; i < fates.length; i++) fates[i] = kept?.[i];
    }
    this.#hangUp();
    this.#deliveries = [];
    this.#connection = undefined;
    this.#events = [];
    this.#cursor = 0;
    this.#isCaughtUp = false;
    this.#engine = createGateway({ ...optionsOf(this.#setup), facts: [...this.facts] });
    this.#readOn();
  }

  #acknowledge(index: number): void {
    const [landed] = this.#unacknowledged.splice(index, 1);
    if (landed === undefined) return;
    const { message, token } = landed;
    const device = "device" in message ? message.device : undefined;
    if (message.kind === "attach" && device !== undefined) this.#attached.add(device);
    if (message.kind === "state" && message.body !== undefined) {
      this.states.set(device ?? "", Buffer.from(message.body).toString());
    }
    this.#handle({ kind: "acknowledged", token, code: 0 });
  }

  #error(device: string | undefined, code: string): void {
    if (!this.#isOpen || device === undefined || this.#isChanging) return;
    const id = this.#idOf(device);
    // That error answers a publish, and comes to each of them.
    const isAbout = ({ message }: { message: UpMessage }) =>
      message.kind !== "attach" && "device" in message && message.device === id;
    if (code === "GATEWAY_DEVICE_NOT_FOUND" && !this.#unacknowledged.some(isAbout)) return;
    if (/ATTACHMENT|NOT_FOUND|DETACHMENT/.test(code)) this.#attached.delete(id);
    // No word on which message is meant: a document set aside is not expected to arrive.
    if (code === "GATEWAY_INVALID_MQTT_TOPIC") this.setAside.add(device);
    this.#now += 2000;
    this.#handle({
      kind: "received",
      inbound: undefined,
      message: { kind: "error", device: id, code, description: "no" },
    });
  }

  #config(device: string | undefined, which: number): void {
    const id = device === undefined ? undefined : this.#idOf(device);
    if (!this.#isOpen || (id !== undefined && !this.#attached.has(id))) return;
    if (this.#isChanging) {
      this.#count += 1;
      const change = which % 3 === 0 ? { deleted: ["a"] } : { values: `{"a":${which % 5},"b":1}` as JsonText };
      this.#handle({ kind: "received", inbound: this.#count, message: { kind: "config", ...named(id), ...change } });
      return;
    }
    const body = ["", "{}", '{"a":1}', '{"a":2,"b":[1]}', '{"deleted":1}', "text"][which % 6] as string;
    this.#count += 1;
    this.#handle({
      kind: "received",
      inbound: this.#count,
      message: { kind: "config", ...named(id), body: Buffer.from(body) },
    });
  }

  #command(device: string | undefined, which: number): void {
    const id = device === undefined ? undefined : this.#idOf(device);
    if (!this.#isOpen || (id !== undefined && !this.#attached.has(id))) return;
    this.#count += 1;
    if (this.#isChanging) {
      const call = { id: which % 4, method: `m${which % 3}`, params: "1" as JsonText };
      this.#handle({ kind: "received", inbound: this.#count, message: { kind: "command", ...named(id), ...call } });
      return;
    }
    const body = Buffer.from(`{"method":"m","id":${which}}`);
    this.#handle({ kind: "received", inbound: this.#count, message: { kind: "command", ...named(id), body } });
  }

  #idOf(device: string): DeviceId {
    const renamed = this.#renamed.get(device);
    if (renamed !== undefined && this.#attached.has(renamed)) return renamed as DeviceId;
    return (this.#isChanging ? device : device.replace(" ", "%20")) as DeviceId;
  }

  #answer(which: number): void {
    const [question] = this.#questions.splice(which % Math.max(1, this.#questions.length), 1);
    if (question === undefined) return;
    const { id } = question;
    const inbound = undefined;
    if (question.kind === "call") {
      const data = ['{"error":"timeout"}', "{}", '{"rateLimits":{"messages":"50:1"},"maxInflightMessages":20}'][
        which % 3
      ];
      this.#handle({ kind: "received", inbound, message: { kind: "callResult", id, data: data as JsonText } });
      return;
    }
    const values = ['{"a":1,"b":2}', '{"a":3}', "{}"][which % 3] as JsonText;
    const { device } = question;
    const answer = device === undefined ? { shared: values } : { values };
    const message = { kind: "attributesResponse", ...named(device), id, ...(which % 4 === 0 ? {} : answer) } as const;
    this.#handle({ kind: "received", inbound, message });
  }

  /** The oldest publish is refused with a reason code, which only ThingsBoard does. */
  #refuse(which: number): void {
    if (!this.#isChanging) return;
    const landed = this.#unacknowledged.shift();
    if (landed === undefined) return;
    const code = [0x97, 0x99, 0x80][which % 3] as number;
    this.#handle({ kind: "acknowledged", token: landed.token, code });
  }

  #notice(device: string | undefined, which: number): void {
    if (!this.#isOpen || !this.#isChanging || device === undefined) return;
    const id = this.#idOf(device);
    const what = (["removed", "renamed", "detached"] as const)[which % 3] as "removed" | "renamed" | "detached";
    if (what === "removed" || what === "detached") {
      this.#attached.delete(id);
      const more = what === "removed" ? { id: which } : { reason: 150 };
      this.#handle({ kind: "received", inbound: undefined, message: { kind: what, device: id, ...more } });
      return;
    }
    const name = `${device}-${which % 2}`;
    this.#renamed.set(device, name);
    this.#handle({ kind: "received", inbound: undefined, message: { kind: "renamed", device: id, name, id: which } });
  }

  #deliver(which: number, outcome: (typeof outcomes)[number]): void {
    const [delivery] = this.#deliveries.splice(which % Math.max(1, this.#deliveries.length), 1);
    if (delivery === undefined) return;
    this.#handle({ kind: "delivered", token: delivery.token, outcome });
  }

  #wake(): void {
    const wakeAtMs = this.#engine.wakeAtMs;
    if (wakeAtMs !== undefined) this.#now = Math.max(this.#now, wakeAtMs);
    this.#handle({ kind: "tick" });
  }

  #disk(): Disk {
    return {
      facts: new Map(this.facts),
      fates: new Map(this.records.map(({ seq, fates }) => [seq, [...fates]])),
      down: { ...this.down },
    };
  }

  #handle(event: GatewayEvent): void {
    this.#before = this.#disk();
    this.#events.push(event);
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
      for (const effect of this.#engine.handle(next, this.#now)) this.#perform(effect);
      if (!this.#isPoisoned) continue;
      this.#isPoisoned = false;
      this.poisonings += 1;
      const unacknowledged = this.#unacknowledged.map(({ token }) => token);
      this.#hangUp();
      this.#events.unshift({ kind: "upstreamClosed", reason: "closed", unacknowledged });
    }
    const { load, loadBytes } = this.#engine;
    if (load < 0 || loadBytes < 0) this.problems.push("load below zero");
    if (load === 0 && loadBytes !== 0) this.problems.push(`${loadBytes} bytes of nothing`);
    const wakeAtMs = this.#engine.wakeAtMs;
    if (wakeAtMs !== undefined && wakeAtMs <= this.#now) this.problems.push(`wakes in the past after ${event.kind}`);
  }

  #perform(effect: GatewayEffect): void {
    switch (effect.kind) {
      case "publish":
        this.#publish(effect.token, effect.message);
        if (effect.isQuestion === true) this.#questions.push(effect.message as AttributesRequest | Call);
        return;
      case "forget":
        this.#unacknowledged = this.#unacknowledged.filter(({ token }) => token !== effect.token);
        return;
      case "subscribe":
        this.#subscriptions.push(effect.token);
        if (effect.device !== undefined && !this.#attached.has(effect.device)) {
          this.problems.push(`subscribed for "${effect.device}", which is not attached`);
        }
        return;
      case "settle":
        this.#settle(effect.ref.seq, effect.ref.index, effect.fate);
        return;
      case "store":
        if (effect.value === undefined) this.facts.delete(effect.key);
        else this.facts.set(effect.key, effect.value);
        return;
      case "deliver": {
        const command = effect.message.kind === "command" ? effect.message.id : undefined;
        if (command !== undefined) this.#commands.push(command);
        this.#deliveries.push({ token: effect.token, command });
        return;
      }
      case "recall":
        this.#recall(effect.device, effect.limit);
        return;
      case "countDown":
        if (effect.event === "received") this.down.received += effect.count;
        else this.down.ended += effect.count;
        if (this.down.ended > this.down.received) this.problems.push("more ended downwards than was received");
        return;
      default:
    }
  }

  #publish(token: number, message: UpMessage): void {
    const device = "device" in message ? message.device : undefined;
    if (!this.#isOpen) this.problems.push("published with the upstream closed");
    this.#unacknowledged.push({ token, message });
    const { inFlight } = optionsOf(this.#setup);
    if (this.#unacknowledged.length > inFlight) this.problems.push("more in flight than the window");
    if (message.kind === "attach") return;
    if (device !== undefined && !this.#attached.has(device)) {
      this.problems.push(`published ${message.kind} for "${device}", which is not attached`);
    }
    if (message.kind === "detach" && device !== undefined) this.#attached.delete(device);
    if (message.kind !== "telemetry" || message.folder !== undefined) return;
    const text = message.body === undefined ? JSON.stringify(message.points) : Buffer.from(message.body).toString();
    for (const [, digits] of text.matchAll(/n\\?":(\d+)/g)) {
      const number = Number(digits);
      if (this.#isDropped(number)) this.problems.push(`published ${number}, which counts as dropped`);
      if (this.isPoison(number)) this.#isPoisoned = true;
      const last = this.#firstPublishes.get(device ?? "") ?? 0;
      if (number > last) this.#firstPublishes.set(device ?? "", number);
      else if (!this.#published.has(number))
        this.problems.push(`published ${number} for the first time behind ${last}`);
      this.#published.add(number);
    }
  }

  #isDropped(number: number): boolean {
    return this.records.some(({ fates, messages }) =>
      messages.some((message, index) => fates[index] === droppedFull && numberOf(message) === number),
    );
  }

  readonly #published = new Set<number>();

  #settle(seq: number, index: number, fate: Fate): void {
    const record = this.records[seq - 1];
    const previous = record?.fates[index];
    if (record === undefined || index >= record.fates.length)
      this.problems.push(`settled ${seq}.${index}, which is not there`);
    else if (previous === droppedFull && fate.kind === "dropped") {
      // The rules have heard of it; the spool has no such record any more.
    } else if (previous !== undefined) {
      this.problems.push(`settled ${seq}.${index} as ${fate.kind} after ${previous.kind}`);
    } else {
      record.fates[index] = fate;
      const message = record.messages[index];
      if (fate.kind === "quarantined" && message?.kind === "state") this.setAside.add(message.device ?? "");
    }
  }

  #recall(device: DeviceId, limit: number): void {
    let found = 0;
    for (const { seq, arrivedMs, messages, fates } of this.records) {
      for (let index = 0; index < fates.length && found < limit; index++) {
        const fate = fates[index];
        const message = messages[index];
        if (message === undefined || (fate?.kind !== "held" && fate?.kind !== "parked") || fate.device !== device)
          continue;
        found += 1;
        fates[index] = undefined;
        this.#events.push({ kind: "recalled", seq, arrivedMs, index, message });
      }
    }
    if (found < limit) this.#events.push({ kind: "recallEnded", device });
  }

  /** What the device reported, merged, as the cloud should have it. */
  expectedState(device: string | undefined): string | undefined {
    const members = this.reported.get(device ?? "");
    return members === undefined ? undefined : objectText(members);
  }
}
