import type { Decoded, Misfit } from "../message/decoded.ts";
import type { Fate } from "../message/fate.ts";
import type { Message } from "../message/message.ts";
import type { Core } from "./core.ts";
import type { Admission } from "./event.ts";

/** MQTT 5, 2.4: "Payload format invalid", what ThingsBoard answers to what it cannot parse. */
const payloadInvalid = 0x99;
/** MQTT 5, 2.4: "Implementation specific error", with which ThingsBoard closes on a payload of a wrong shape. */
const wrongShape = 0x83;
const empty: Fate = { kind: "dropped", reason: "empty" };
const unsupported: Fate = { kind: "dropped", reason: "unsupported" };
const acknowledge: Admission["verdict"] = { kind: "acknowledge" };
const noFates: ReadonlyMap<number, Fate> = new Map();

/** Decides on a packet before it is journaled: what to answer, what it counts as, and what needs no further thought. */
export function admitPacket(core: Core, decoded: Decoded, protocol: 3 | 4 | 5): Admission {
  switch (decoded.kind) {
    case "unknownTopic":
      return unkept([{ kind: "dropped", reason: "unknownTopic" }]);
    case "unreadable":
      return unreadable(core, decoded, protocol);
    case "messages":
      return decoded.messages.length + decoded.misfits.length === 0
        ? unkept([empty])
        : readable(core, decoded.messages, decoded.misfits);
  }
}

/** The same with what was decided about single messages before. What is all dropped then is not kept. */
export function withFates(admission: Admission, decided: ReadonlyMap<number, Fate>): Admission {
  if (decided.size === 0 || !admission.journal) return admission;
  const fates = new Map([...admission.fates, ...decided]);
  const isAllDropped = fates.size === admission.count && [...fates.values()].every(({ kind }) => kind === "dropped");
  return { ...admission, fates, journal: !isAllDropped };
}

/** What a packet that could not be read whole is quarantined for. */
export function reasonOf(misfits: readonly Misfit[]): string {
  const [first, ...others] = misfits;
  if (first === undefined) return "wrong shape";
  const more = others.length === 0 ? "" : ` and ${others.length} more`;
  return `wrong shape: at "${first.path}" wanted ${first.wanted}, got ${first.got}${more}`;
}

function unkept(fates: readonly Fate[]): Admission {
  return {
    verdict: { kind: "acknowledge" },
    journal: false,
    count: fates.length,
    fates: new Map(fates.entries()),
    priority: "data",
  };
}

function unreadable(
  core: Core,
  { cause, reason, misfits }: Extract<Decoded, { kind: "unreadable" }>,
  protocol: 3 | 4 | 5,
): Admission {
  const isStrict = core.options.strict === true;
  if (isStrict && (protocol !== 5 || cause === "shape")) {
    const verdict = protocol === 5 ? ({ kind: "close", code: wrongShape } as const) : ({ kind: "close" } as const);
    return { verdict, journal: false, count: 0, fates: new Map(), priority: "data" };
  }
  const why =
    cause === "syntax" ? `unparseable: ${reason}` : misfits.length > 0 ? reasonOf(misfits) : `wrong shape: ${reason}`;
  return {
    verdict: protocol === 5 ? { kind: "reject", code: payloadInvalid } : { kind: "acknowledge" },
    journal: true,
    count: 1,
    fates: new Map([[0, { kind: "quarantined", reason: why }]]),
    priority: "data",
  };
}

function readable(core: Core, messages: readonly Message[], misfits: readonly Misfit[]): Admission {
  let decided: Map<number, Fate> | undefined;
  let priority: Admission["priority"] = "data";
  for (let index = 0; index < messages.length; index++) {
    const message = messages[index] as Message;
    const fate = fateOnArrival(core, message);
    if (fate !== undefined) decided = (decided ?? new Map()).set(index, fate);
    if (message.kind === "commandResponse") priority = "reply";
  }
  if (misfits.length > 0) {
    decided = (decided ?? new Map()).set(messages.length, { kind: "quarantined", reason: reasonOf(misfits) });
  }
  const fates = decided ?? noFates;
  const isAllDropped = misfits.length === 0 && fates.size === messages.length;
  if (isAllDropped) return unkept([...fates.values()]);
  const count = messages.length + (misfits.length > 0 ? 1 : 0);
  return { verdict: acknowledge, journal: true, count, fates, priority };
}

function fateOnArrival(core: Core, message: Message): Fate | undefined {
  switch (message.kind) {
    case "telemetry":
      if (message.points?.length === 0) return empty;
      return message.body?.length === 0 && core.adapt.telemetry === "toPoints" ? empty : undefined;
    case "claim":
      return core.adapt.calls === "answer" && core.options.rules.claims.folder === null ? unsupported : undefined;
    default:
      return undefined;
  }
}
