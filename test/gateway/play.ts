import {
  createGateway,
  type GatewayEffect,
  type GatewayEngineOptions,
  type GatewayEvent,
  type Side,
} from "../../src/gateway/gateway.ts";
import type { RulesOptions } from "../../src/gateway/options.ts";
import type { Fate } from "../../src/message/fate.ts";
import type { JsonText } from "../../src/message/json.ts";
import type {
  Attach,
  Claim,
  CommandResponse,
  DeviceId,
  DownMessage,
  Telemetry,
  UpMessage,
} from "../../src/message/message.ts";

/** A cloud that knows devices by any message, and speaks of single attributes: ThingsBoard. */
export const changing: Side = {
  traits: {
    attach: "implied",
    config: "changes",
    state: "changes",
    commands: "replied",
    errors: "none",
    time: "payload",
    body: "points",
    packet: "devices",
  },
  ids: { form: "free", maxLength: 255 },
  limits: { packetBytes: 65536 },
  retries: new Map(),
};

/** A cloud that wants devices attached, and speaks of whole documents: the IoT Core family. No pace, for plain tests. */
export const documented: Side = {
  traits: {
    attach: "required",
    config: "document",
    state: "document",
    commands: "oneWay",
    errors: "topic",
    time: "arrival",
    body: "bytes",
    packet: "device",
  },
  ids: {
    form: "restricted",
    pattern: "[a-zA-Z][-a-zA-Z0-9._~%]*",
    minLength: 3,
    maxLength: 255,
    unescaped: "A-Za-z0-9._~-",
    reservedPrefixes: ["goog"],
  },
  limits: { telemetryBytes: 256_000, stateBytes: 64_000, configBytes: 64_000, commandBytes: 256_000 },
  retries: new Map([
    ["GATEWAY_ATTACHMENT_ERROR", { action: "hold", everyMs: 900_000 }],
    ["GATEWAY_DEVICE_NOT_FOUND", { action: "reattach", againMs: 60_000, everyMs: 900_000 }],
    ["GATEWAY_INVALID_MQTT_TOPIC", { action: "quarantine" }],
    ["GATEWAY_UNEXPECTED_PACKET_ID", { action: "forget" }],
    ["GATEWAY_DETACHMENT_DEVICE_ERROR", { action: "reattachSlowly", firstMs: 5000, capMs: 300_000 }],
    ["UNKNOWN", { action: "backoff", firstMs: 1000, capMs: 64_000 }],
  ]),
};

export const defaultRules: RulesOptions = {
  telemetry: { shape: "points", folderKey: "subFolder" },
  state: { mode: "document", interval: 1100 },
  config: { keys: [], document: null, gateway: "withhold" },
  commands: { form: "params", timeout: 60_000, responses: "responses", replies: null, gateway: [] },
  attributes: { gateway: "withhold" },
  claims: { folder: null },
  detachAfter: 600_000,
};

export type Setup = Partial<Omit<GatewayEngineOptions, "rules">> & {
  readonly rules?: {
    readonly [Key in keyof RulesOptions]?: RulesOptions[Key] extends object
      ? Partial<RulesOptions[Key]>
      : RulesOptions[Key];
  };
};

export function optionsOf(setup: Setup = {}): GatewayEngineOptions {
  const rules = Object.fromEntries(
    Object.entries(defaultRules).map(([key, value]) => {
      const given = setup.rules?.[key as keyof RulesOptions];
      return [key, typeof value === "object" ? { ...value, ...(given as object) } : (given ?? value)];
    }),
  ) as RulesOptions;
  return {
    id: "plant-1-gw",
    local: changing,
    upstream: documented,
    inFlight: 256,
    attachTimeoutMs: 10_000,
    settleMs: 500,
    facts: [],
    ...setup,
    rules,
  };
}

/** An engine at a time, and what it keeps on disk. Effects come back in a form that reads well in a test. */
export class Play {
  readonly facts = new Map<string, string>();
  readonly options: GatewayEngineOptions;
  engine: ReturnType<typeof createGateway>;
  now: number;
  #seq = 0;

  constructor(setup: Setup = {}, now = 1_000_000) {
    this.options = optionsOf(setup);
    for (const [key, value] of this.options.facts) this.facts.set(key, value);
    this.engine = createGateway(this.options);
    this.now = now;
    this.do({ kind: "caughtUp" });
  }

  /** One with both sides there and nothing else happened; tokens 1 and 2 are used, and 3 where limits are asked for. */
  static open(setup: Setup = {}): Play {
    const play = new Play(setup);
    play.do({ kind: "localConnected", connection: 1 });
    play.openUpstream();
    return play;
  }

  /** A connection whose server tells that it has no limits, where it is asked. */
  openUpstream(): void {
    const asked = this.do({ kind: "upstreamOpened" }).find(isPublish);
    if (asked === undefined) return;
    this.acknowledge(asked.publish);
    const data = '{"rateLimits":{},"gatewayRateLimits":{}}' as JsonText;
    const own = this.answer({ kind: "callResult", id: asked.id, data }).find(isPublish);
    if (own?.kind !== "attributesRequest") return;
    this.acknowledge(own.publish);
    this.answer({ kind: "attributesResponse", id: own.id });
  }

  /** From the upstream, at QoS 0. */
  answer(message: DownMessage): readonly unknown[] {
    return this.do({ kind: "received", inbound: undefined, message });
  }

  /** One with this device attached and quiet. */
  static attached(device: string, setup: Setup = {}): Play {
    const play = Play.open(setup);
    play.bring(device);
    return play;
  }

  /** All effects, reports left out. */
  do(event: GatewayEvent, afterMs = 0): readonly unknown[] {
    this.now += afterMs;
    const effects = this.engine.handle(event, this.now);
    for (const effect of effects) {
      if (effect.kind !== "store") continue;
      if (effect.value === undefined) this.facts.delete(effect.key);
      else this.facts.set(effect.key, effect.value);
    }
    return effects.filter(({ kind }) => kind !== "report").map(readable);
  }

  tick(afterMs: number): readonly unknown[] {
    return this.do({ kind: "tick" }, afterMs);
  }

  /** A packet from the live gateway, the next in the spool. */
  send(...messages: readonly UpMessage[]): readonly unknown[] {
    this.#seq += 1;
    return this.arrive(this.#seq, messages);
  }

  arrive(
    seq: number,
    messages: readonly UpMessage[],
    queue = true,
    connection: number | "ended" = 1,
  ): readonly unknown[] {
    return this.do({
      kind: "arrived",
      record: { seq, arrivedMs: this.now, isOpen: () => true },
      bytes: 100,
      connection: connection === "ended" ? undefined : connection,
      messages,
      queue,
    });
  }

  acknowledge(token: number, code = 0): readonly unknown[] {
    return this.do({ kind: "acknowledged", token, code });
  }

  delivered(
    token: number,
    outcome: "acknowledged" | "written" | "offline" | "unsubscribed" | "rejected" = "acknowledged",
  ) {
    return this.do({ kind: "delivered", token, outcome });
  }

  /** Connects and attaches a device, all the way. */
  bring(device: string): void {
    const publish = this.send(attach(device)).find(isPublish);
    if (publish === undefined) throw new Error("no attach was published");
    this.acknowledge(publish.publish);
    this.tick(this.options.settleMs);
  }

  /** The program dies and starts again with what is on disk. */
  restart(): void {
    this.engine = createGateway({ ...this.options, facts: [...this.facts] });
    this.do({ kind: "caughtUp" });
  }
}

export function attach(device: string, profile?: string): Attach {
  return { kind: "attach", device: device as DeviceId, ...(profile === undefined ? {} : { profile }) };
}

export function detach(device: string): UpMessage {
  return { kind: "detach", device: device as DeviceId };
}

export function telemetry(device: string | undefined, values: string, ts?: number): Telemetry {
  const point = { values: values as JsonText, ...(ts === undefined ? {} : { ts }) };
  return { kind: "telemetry", ...named(device), points: [point] };
}

export function state(device: string | undefined, values: string): UpMessage {
  return { kind: "state", ...named(device), values: values as JsonText };
}

export function reply(device: string | undefined, id: number, data: string): CommandResponse {
  return { kind: "commandResponse", ...named(device), id, data: data as JsonText };
}

export function claim(device: string, secretKey: string): Claim {
  return { kind: "claim", device: device as DeviceId, secretKey, durationMs: 60_000 };
}

export function named(device: string | undefined): { device?: DeviceId } {
  return device === undefined ? {} : { device: device as DeviceId };
}

export function delivered(seq: number, index = 0) {
  return { settle: `${seq}.${index}`, fate: "delivered" };
}

export function bodyOf(text: string): Uint8Array {
  return Buffer.from(text);
}

/** An effect without what goes without saying: bodies as text, fates and refs as words. */
function readable(effect: GatewayEffect): unknown {
  switch (effect.kind) {
    case "publish":
      return { publish: effect.token, ...textBody(effect.message) };
    case "deliver":
      return {
        deliver: effect.token,
        ...textBody(effect.message),
        ...(effect.connection === undefined ? {} : { connection: effect.connection }),
      };
    case "subscribe":
      return {
        subscribe: effect.token,
        ...(effect.isForAll === true ? { isForAll: true } : named(effect.device)),
        kinds: effect.kinds.join(" "),
      };
    case "settle":
      return { settle: `${effect.ref.seq}.${effect.ref.index}`, fate: fateText(effect.fate) };
    case "store":
      return { store: effect.key, value: effect.value };
    case "countDown":
      return { down: effect.event, ...(effect.reason === undefined ? {} : { reason: effect.reason }) };
    case "acknowledge":
      return { acknowledge: effect.inbound };
    case "forget":
      return { forget: effect.token };
    case "recall":
      return { recall: effect.device, limit: effect.limit };
    case "reconnect":
      return { reconnect: effect.reason, ...(effect.detail === undefined ? {} : { detail: effect.detail }) };
    default:
      return effect;
  }
}

function fateText(fate: Fate): string {
  return "reason" in fate ? `${fate.kind}: ${fate.reason}` : fate.kind;
}

function textBody(message: object): object {
  const { kind, body, ...rest } = message as { kind: string; body?: Uint8Array };
  return body === undefined ? { kind, ...rest } : { kind, ...rest, body: Buffer.from(body).toString() };
}

export function isPublish(effect: unknown): effect is {
  readonly publish: number;
  readonly kind: string;
  readonly id: number;
} {
  return typeof effect === "object" && effect !== null && "publish" in effect;
}
