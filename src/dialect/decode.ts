import type { Decoded, Misfit } from "../message/decoded.ts";
import type { Message } from "../message/message.ts";
import type { Packet } from "../message/packet.ts";
import { type Frame, newFrame, takePoint } from "./frame.ts";
import { maskedJson } from "./mask.ts";
import { jsonReaders } from "./readers.ts";
import type { Match } from "./routes.ts";
import type { Rule } from "./rule.ts";

/** What a packet means to the rules of its topic. `gateway` is the gateway's own id. */
export function decodeMatch({ route, captured }: Match, packet: Pick<Packet, "payload">, gateway: string): Decoded {
  const [first] = route.rules as readonly [Rule, ...Rule[]];
  const { reader } = first;
  if (reader === "bytes" || reader === "none") return decodeOpaque(first, captured, packet.payload, gateway);
  const node = jsonReaders[reader](packet.payload, route.depth);
  if (node.kind === "fault") {
    const reason = `Not JSON: ${node.reason} at character ${node.offset + 1}`;
    return { kind: "unreadable", rule: first.ref, cause: "syntax", reason, misfits: [] };
  }
  const rule =
    route.rules.length === 1 ? first : (route.rules.find(({ suits }) => suits(node)) ?? (route.rules.at(-1) as Rule));
  const frame = newFrame(gateway, rule.slots);
  if (!readTopic(rule, captured, frame) || !rule.read(node, frame)) return unreadable(rule, toldOf(rule, frame));
  const { forks, slots } = frame;
  const misfits = toldOf(rule, frame);
  if (forks === undefined) return { kind: "messages", rule: rule.ref, messages: messagesOf(rule, slots), misfits };
  if (forks.length === 1) {
    return {
      kind: "messages",
      rule: rule.ref,
      messages: messagesOf(rule, complete(forks[0] as unknown[], slots)),
      misfits,
    };
  }
  const messages: Message[] = [];
  for (const fork of forks) for (const message of messagesOf(rule, complete(fork, slots))) messages.push(message);
  return { kind: "messages", rule: rule.ref, messages, misfits };
}

/** What stands beside a repetition belongs to each of its messages. */
function complete(fork: unknown[], beside: readonly unknown[]): unknown[] {
  if (fork !== beside) for (let slot = 0; slot < beside.length; slot++) fork[slot] ??= beside[slot];
  return fork;
}

function decodeOpaque(rule: Rule, captured: Match["captured"], payload: Uint8Array, gateway: string): Decoded {
  const frame = newFrame(gateway, rule.slots);
  if (!readTopic(rule, captured, frame)) return unreadable(rule, frame.misfits);
  if (rule.bytes !== undefined) frame.slots[rule.slots.of(rule.bytes)] = payload;
  return { kind: "messages", rule: rule.ref, messages: messagesOf(rule, frame.slots), misfits: [] };
}

function readTopic({ topicVariables }: Rule, captured: Match["captured"], frame: Frame): boolean {
  for (let index = 0; index < topicVariables.length; index++) {
    const { name, type, slot } = topicVariables[index] as Rule["topicVariables"][number];
    const said = captured[index];
    if (type === "device") frame.slots[slot] = said === frame.gateway ? undefined : said;
    else if (type === "integer") {
      const value = /^-?\d{1,16}$/.test(said as string) ? Number(said) : Number.NaN;
      if (!Number.isSafeInteger(value)) {
        frame.misfits.push({ path: "", wanted: `an integer for ${name} in the topic`, got: said ?? "" });
        return false;
      }
      frame.slots[slot] = value === 0 ? 0 : value;
    } else frame.slots[slot] = said;
  }
  return true;
}

/** One message, unless the packet says several things of which a message holds one. */
function messagesOf(rule: Rule, slots: unknown[]): readonly Message[] {
  const { points } = rule.slots;
  if (points !== undefined && slots[points] === undefined) {
    const values = rule.slots.of("values");
    if (slots[values] !== undefined) slots[points] = [takePoint({ slots }, rule.slots.of("ts"), values)];
  }
  let bits = 0;
  for (let index = 0; index < rule.fields.length; index++) {
    const { slot } = rule.fields[index] as Rule["fields"][number];
    if (slots[slot] !== undefined) bits |= 1 << index;
  }
  const apart = bits & rule.apart;
  if ((apart & (apart - 1)) === 0) return [rule.make(slots, bits)];
  const messages: Message[] = [];
  for (let bit = 1; bit <= apart; bit <<= 1) {
    if (apart & bit) messages.push(rule.make(slots, (bits & ~apart) | bit));
  }
  return messages;
}

function unreadable(rule: Rule, misfits: readonly Misfit[]): Decoded {
  const [first] = misfits;
  const reason = first === undefined ? "Of a wrong shape" : `Of a wrong shape: ${describeMisfit(first)}`;
  return { kind: "unreadable", rule: rule.ref, cause: "shape", reason, misfits };
}

/** What may be said of the misfits: reasons end up in logs and lists, where no secret must be. */
function toldOf({ mayHoldSecrets }: Rule, { misfits }: Frame): readonly Misfit[] {
  if (!mayHoldSecrets || misfits.length === 0) return misfits;
  return misfits.map((misfit) => ({ ...misfit, got: maskedJson(misfit.got) }));
}

/** A misfit in a sentence. */
export function describeMisfit({ path, wanted, got }: Misfit): string {
  return `${path === "" ? "" : `at "${path}" `}wanted ${wanted}, got ${got}`;
}
