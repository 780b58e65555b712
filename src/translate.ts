import type { Pairing } from "./bridge/pairing.ts";
import type { BoundDialect } from "./dialect/dialect.ts";
import { withFates } from "./gateway/admission.ts";
import type { GatewayEvent } from "./gateway/event.ts";
import { createGateway } from "./gateway/gateway.ts";
import type { Decoded, RuleRef } from "./message/decoded.ts";
import type { Fate } from "./message/fate.ts";
import type { JsonText } from "./message/json.ts";
import type { AttributesRequest, Call, DeviceId, DownMessage, Message, UpMessage } from "./message/message.ts";
import type { Packet } from "./message/packet.ts";

/** One packet that the bridge would send, and the rule that printed it. */
export interface Translated {
  readonly packet: Packet;
  readonly rule: RuleRef;
}

/** What became of one packet: what it meant, what would be sent, and the fate of each message that did not simply go through. */
export interface Translation {
  readonly decoded: Decoded;
  readonly sent: readonly Translated[];
  /** What the side that it came from would be told in answer. */
  readonly answers: readonly Translated[];
  readonly fates: readonly Exclude<Fate, { kind: "delivered" }>[];
  /** The rules of the deployment's own mapping that changed something of it. */
  readonly mappedBy: readonly RuleRef[];
}

/** Translates packets one after the other, as a running bridge with both sides connected would. */
export interface Translator {
  /** A packet of the gateway, for the cloud. */
  up(packet: Packet): Translation;
  /** A packet of the cloud, for the gateway. */
  down(packet: Packet): Translation;
}

export interface TranslatorOptions extends Pairing {
  /** Devices that count as attached, so that no attach is printed for them. */
  readonly attached?: readonly DeviceId[];
  readonly now?: () => number;
}

const connection = 1;
/** Longer than any wait of the rules that is not for a fault. */
const patienceMs = 10_000;

/**
 * Runs the rules of one gateway without sockets, disk or waiting: every publish counts as acknowledged and every wait as over.
 * What dragoman asks for by itself (subscriptions, attributes) is left out.
 */
export function createTranslator(options: TranslatorOptions): Translator {
  const { local, upstream, mapping } = options;
  const engine = createGateway({ ...options.engine, facts: [] });
  const wallClock = options.now ?? Date.now;
  let skippedMs = 0;
  let seq = 0;

  run([{ kind: "localConnected", connection }, { kind: "upstreamOpened" }]);
  for (const device of options.attached ?? []) arrive([{ kind: "attach", device }], new Map());

  return {
    up(packet) {
      const decoded = local.decode("up", packet);
      const mapped = mapping?.outward(decoded) ?? { decoded, fates: new Map() };
      const admission = withFates(engine.admit(mapped.decoded, 5), mapped.fates);
      const said = decoded.kind === "messages" ? decoded.messages : [];
      const messages = mapped.decoded.kind === "messages" ? (mapped.decoded.messages as readonly UpMessage[]) : [];
      return { decoded, ...arrive(messages, admission.fates), mappedBy: rulesFor(said) };
    },
    down(packet) {
      const decoded = upstream.decode("down", packet);
      const messages = decoded.kind === "messages" ? (decoded.messages as readonly DownMessage[]) : [];
      const inbound = packet.qos === 0 ? undefined : 1;
      const outcome = run(messages.map((message) => ({ kind: "received", message, inbound })));
      return {
        decoded,
        sent: outcome.delivered,
        answers: outcome.published,
        fates: [],
        mappedBy: rulesFor(outcome.told),
      };
    },
  };

  function rulesFor(messages: readonly Message[]): readonly RuleRef[] {
    return mapping === undefined ? [] : [...new Set(messages.flatMap((message) => mapping.rulesFor(message)))];
  }

  function arrive(
    messages: readonly UpMessage[],
    decided: ReadonlyMap<number, Fate>,
  ): Pick<Translation, "sent" | "answers" | "fates"> {
    seq += 1;
    const isOpen = (index: number) => !decided.has(index);
    const undecided = messages.filter((_, index) => isOpen(index)).length;
    const record = { seq, arrivedMs: wallClock(), isOpen };
    const event: GatewayEvent = { kind: "arrived", record, bytes: 0, connection, messages, queue: true };
    const outcome = run(messages.length > 0 ? [event] : [], undecided);
    return {
      sent: outcome.published,
      answers: outcome.delivered,
      fates: [...decided.values(), ...outcome.fates].filter(isNoDelivery),
    };
  }

  /** Handles the events and what follows from them, going forward in time while fewer than `wanted` messages have met their fate. */
  function run(initial: readonly GatewayEvent[], wanted = 0) {
    const events = [...initial];
    const published: Translated[] = [];
    const delivered: Translated[] = [];
    const told: DownMessage[] = [];
    const fates: Fate[] = [];
    const untilMs = now() + patienceMs;
    for (;;) {
      const event = events.shift() ?? nextTick();
      if (event === undefined) return { published, delivered, told, fates };
      for (const effect of engine.handle(event, now())) {
        switch (effect.kind) {
          case "publish": {
            const { token, message } = effect;
            if (effect.isQuestion === true) {
              events.push({ kind: "acknowledged", token, code: 0 });
              if (message.kind === "call" || message.kind === "attributesRequest") {
                events.push({ kind: "received", message: emptyAnswer(message), inbound: undefined });
              }
              break;
            }
            const reason = print(upstream, message, published);
            events.push(
              reason === undefined ? { kind: "acknowledged", token, code: 0 } : { kind: "unsendable", token, reason },
            );
            break;
          }
          case "deliver": {
            told.push(effect.message);
            const inward = mapping?.inward(effect.message) ?? effect;
            const reason =
              inward.kind === "nothing"
                ? undefined
                : inward.kind === "unrepresentable"
                  ? inward.reason
                  : print(local, inward.message, delivered);
            events.push({
              kind: "delivered",
              token: effect.token,
              outcome: reason === undefined ? "acknowledged" : "unrepresentable",
            });
            break;
          }
          case "subscribe":
            events.push({ kind: "subscribed", token: effect.token, codes: effect.kinds.map(() => 1) });
            break;
          case "recall":
            events.push({ kind: "recallEnded", device: effect.device });
            break;
          case "settle":
            fates.push(effect.fate);
            break;
        }
      }
    }

    function nextTick(): GatewayEvent | undefined {
      const { wakeAtMs } = engine;
      if (fates.length >= wanted || wakeAtMs === undefined || wakeAtMs > untilMs) return undefined;
      skippedMs += Math.max(0, wakeAtMs - now());
      return { kind: "tick" };
    }
  }

  function now(): number {
    return wallClock() + skippedMs;
  }
}

/** What a cloud says that has nothing to tell. */
function emptyAnswer(question: AttributesRequest | Call): DownMessage {
  const { id } = question;
  if (question.kind === "call") return { kind: "callResult", id, data: "{}" as JsonText };
  return { kind: "attributesResponse", ...(question.device === undefined ? {} : { device: question.device }), id };
}

/** Adds the printed message to `into`, or says why it cannot be printed. */
function print(dialect: BoundDialect, message: Message, into: Translated[]): string | undefined {
  const encoded = dialect.encode(message);
  if (encoded.kind === "unrepresentable") return encoded.reason;
  into.push({ packet: encoded.packet, rule: encoded.rule });
  return undefined;
}

function isNoDelivery(fate: Fate): fate is Exclude<Fate, { kind: "delivered" }> {
  return fate.kind !== "delivered";
}
