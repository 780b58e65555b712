import { expand, type JsonNode, type JsonText, objectText, textOf } from "../message/json.ts";
import type { Point } from "../message/message.ts";
import { compileSame, compileSuits, describePattern } from "./alternative.ts";
import { absent } from "./conversion.ts";
import { enter, type Frame, fork, leave, misfit, type Slots, takePoint } from "./frame.ts";
import type { EntriesPattern, ListPattern, ObjectPattern, Pattern, VariablePattern } from "./pattern.ts";
import { namesIn } from "./pattern-facts.ts";
import { pointVariables } from "./vocabulary.ts";

/** Reads a value into the frame; false, with a misfit noted, if it does not fit. */
export type Read = (node: JsonNode, frame: Frame) => boolean;

/** Compiles a pattern into the function that matches it. */
export function compileRead(pattern: Pattern, slots: Slots): Read {
  switch (pattern.kind) {
    case "variable":
      return readVariable(pattern, slots);
    case "something":
      return (node, frame) => node.kind !== "null" || misfit(frame, "anything but null", node);
    case "literal":
      return readLiteral(pattern.text);
    case "object":
      return readObject(pattern, slots);
    case "entries":
      return readEntries(pattern, slots);
    case "list":
      return isPointList(pattern, slots) ? readPoints(pattern, slots) : readMessages(pattern, slots);
    case "choice":
      return readChoice(pattern.choices, slots);
  }
}

/** Whether the elements of a list are points of one message, and not messages of their own. */
export function isPointList(pattern: ListPattern, slots: Slots): boolean {
  return slots.points !== undefined && [...namesIn(pattern.item)].every((name) => pointVariables.includes(name));
}

function readVariable({ name, type, conversion }: VariablePattern, slots: Slots): Read {
  const slot = slots.of(name);
  const { read, wanted } = conversion;
  return (node, frame) => {
    if (frame.slots[slot] !== undefined) return true;
    const value = read(node, frame.gateway);
    if (value === undefined) return misfit(frame, wanted, node);
    if (value === absent) return true;
    if (value === "" && type === "device") return misfit(frame, "the name of a device", node);
    frame.slots[slot] = value;
    return true;
  };
}

function readLiteral(text: JsonText): Read {
  const isSame = compileSame(text);
  return (node, frame) => isSame(node) || misfit(frame, text, node);
}

function readObject(pattern: ObjectPattern, slots: Slots): Read {
  const members = pattern.members.map(({ key, isOptional, value }) => ({
    key,
    isOptional,
    /** Null stands for nothing said, unless the variable can hold null or looks at it itself. */
    isNullAbsent: isOptional && value.kind === "variable" && !value.conversion.kinds.includes("null"),
    read: compileRead(value, slots),
  }));
  const known = new Set(members.map(({ key }) => key));
  const readRest = compileRest(pattern, known, slots);
  return (node, frame) => {
    if (node.kind !== "object") return misfit(frame, "an object", node);
    const { keys, items } = expand(node);
    if (keys === undefined || items === undefined) return misfit(frame, "an object", node);
    for (const { key, isOptional, isNullAbsent, read } of members) {
      const index = keys.lastIndexOf(key);
      if (index < 0) {
        if (isOptional) continue;
        return misfit(frame, `a member "${key}"`, node);
      }
      const item = items[index] as JsonNode;
      if (isNullAbsent && item.kind === "null") continue;
      enter(frame, key);
      const isRead = read(item, frame);
      leave(frame);
      if (!isRead) return false;
    }
    return readRest === undefined || readRest(node, keys, items, frame);
  };
}

type ReadRest = (node: JsonNode, keys: readonly string[], items: readonly JsonNode[], frame: Frame) => boolean;

function compileRest({ rest }: ObjectPattern, known: ReadonlySet<string>, slots: Slots): ReadRest | undefined {
  if (rest === "ignore") return undefined;
  if (rest === "closed") {
    return (_, keys, items, frame) => {
      const index = keys.findIndex((key) => !known.has(key));
      if (index < 0) return true;
      enter(frame, keys[index] as string);
      misfit(frame, "no such member", items[index] as JsonNode);
      leave(frame);
      return false;
    };
  }
  const slot = slots.of(rest.variable.name);
  const { isOptional } = rest;
  return (node, keys, items, frame) => {
    if (frame.slots[slot] !== undefined) return true;
    if (!keys.some((key) => known.has(key))) {
      // The common case keeps the text as it came, white space and all.
      if (!isOptional || keys.length > 0) frame.slots[slot] = textOf(node);
      return true;
    }
    const others: [string, JsonText][] = [];
    for (const [index, key] of keys.entries())
      if (!known.has(key)) others.push([key, textOf(items[index] as JsonNode)]);
    if (!isOptional || others.length > 0) frame.slots[slot] = objectText(others);
    return true;
  };
}

function readEntries(pattern: EntriesPattern, slots: Slots): Read {
  const slot = slots.of(pattern.key.name);
  const { type } = pattern.key;
  const read = compileRead(pattern.value, slots);
  return (node, frame) => {
    if (node.kind !== "object") return misfit(frame, "an object", node);
    const { keys, items } = expand(node);
    if (keys === undefined || items === undefined || keys.length === 0) {
      return misfit(frame, "an object with at least one member", node);
    }
    const outer = frame.slots;
    const before = frame.forks?.length ?? 0;
    const last = keys.length > 1 ? new Map(keys.map((key, index) => [key, index])) : undefined;
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index] as string;
      // Of a name that stands twice the last one counts.
      if (last !== undefined && last.get(key) !== index) continue;
      enter(frame, key);
      if (key === "" && type === "device") misfit(frame, "the name of a device", items[index] as JsonNode);
      else {
        // The only one may have the slots for itself.
        frame.slots = last === undefined ? outer : outer.slice();
        frame.slots[slot] = key;
        if (read(items[index] as JsonNode, frame)) fork(frame);
      }
      leave(frame);
    }
    frame.slots = outer;
    return (frame.forks?.length ?? 0) > before;
  };
}

/** A list whose elements are messages. */
function readMessages(pattern: ListPattern, slots: Slots): Read {
  const read = compileRead(pattern.item, slots);
  return (node, frame) => {
    const items = node.kind === "array" ? expand(node).items : undefined;
    if (items === undefined || items.length === 0) return misfit(frame, "a list with at least one element", node);
    const outer = frame.slots;
    const before = frame.forks?.length ?? 0;
    for (const [index, item] of items.entries()) {
      enter(frame, index);
      frame.slots = outer.slice();
      if (read(item, frame)) fork(frame);
      leave(frame);
    }
    frame.slots = outer;
    return (frame.forks?.length ?? 0) > before;
  };
}

/** A list of points of one message. Elements that do not fit are left out; the list fits unless that leaves nothing. */
function readPoints(pattern: ListPattern, slots: Slots): Read {
  const read = compileRead(pattern.item, slots);
  const pointsSlot = slots.points as number;
  const tsSlot = slots.of("ts");
  const valuesSlot = slots.of("values");
  return (node, frame) => {
    const items = node.kind === "array" ? expand(node).items : undefined;
    if (items === undefined) return misfit(frame, "a list", node);
    let points: Point[] | undefined;
    for (let index = 0; index < items.length; index++) {
      enter(frame, index);
      frame.slots[tsSlot] = undefined;
      frame.slots[valuesSlot] = undefined;
      if (read(items[index] as JsonNode, frame)) {
        const point = takePoint(frame, tsSlot, valuesSlot);
        if (points === undefined) points = [point];
        else points.push(point);
      }
      leave(frame);
    }
    frame.slots[tsSlot] = undefined;
    frame.slots[valuesSlot] = undefined;
    if (points === undefined && items.length > 0) return false;
    frame.slots[pointsSlot] = points ?? [];
    return true;
  };
}

function readChoice(choices: readonly Pattern[], slots: Slots): Read {
  const alternatives = choices.map((choice) => ({ suits: compileSuits(choice), read: compileRead(choice, slots) }));
  const wanted = `${choices.map(describePattern).join(", or ")}`;
  return (node, frame) => {
    for (const { suits, read } of alternatives) if (suits(node)) return read(node, frame);
    return misfit(frame, wanted, node);
  };
}
