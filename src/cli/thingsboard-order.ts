import { readRpcOrder, stringIn } from "../cloud/thingsboard/rpc-order.ts";
import type { ThingsBoardCloud } from "../cloud/thingsboard/thingsboard-cloud.ts";
import { type JsonText, membersOf, parseJson, stringOf, toJsonText } from "../message/json.ts";
import type { OrderResult } from "./cloud-order.ts";

const names = ["shared", "delete", "rpc", "rename", "remove"] as const;
type OrderName = (typeof names)[number];

/** Does what one line of JSON on stdin asks a stand-in ThingsBoard for; a command's result comes when it has ended. */
export async function runThingsBoardOrder(line: string, cloud: ThingsBoardCloud): Promise<OrderResult> {
  const order = toJsonText(line);
  const members: ReadonlyMap<string, JsonText> = order === undefined ? new Map() : membersOf(order);
  const [[name, inner] = []] = members;
  const isKnown = members.size === 1 && names.some((each) => each === name);
  if (!isKnown || inner === undefined) return unreadable(`wanted one of ${names.join(", ")}, and its fields`);
  const fields = membersOf(inner);
  const device = stringIn(fields.get("device"));
  if (device === undefined) return unreadable(`${name} needs "device"`);
  try {
    return await orders[name as OrderName](cloud, device, fields);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { level: "warn", event: "order refused", fields: { reason: error.message } };
  }
}

type Order = (
  cloud: ThingsBoardCloud,
  device: string,
  fields: ReadonlyMap<string, JsonText>,
) => OrderResult | Promise<OrderResult>;

const orders: Readonly<Record<OrderName, Order>> = {
  shared(cloud, device, fields) {
    const values = fields.get("values");
    if (values === undefined) return unreadable('shared needs "values"');
    cloud.setShared(device, values);
    return done("attributes set", { device });
  },
  delete(cloud, device, fields) {
    const keys = stringsIn(fields.get("keys"));
    if (keys === undefined) return unreadable('delete needs "keys", an array of strings');
    cloud.deleteShared(device, keys);
    return done("attributes deleted", { device, keys });
  },
  async rpc(cloud, device, fields) {
    const order = readRpcOrder(fields);
    if (order === undefined) return unreadable('rpc needs "method"');
    const { method, params, options } = order;
    const outcome = await cloud.sendRpc(device, method, params, options);
    if (outcome.kind === "reply") return done("command answered", { device, method, reply: outcome.data });
    if (outcome.kind === "delivered") return done("command delivered", { device, method });
    return { level: "warn", event: "command not answered", fields: { device, method, reason: outcome.kind } };
  },
  rename(cloud, device, fields) {
    const to = stringIn(fields.get("to"));
    if (to === undefined) return unreadable('rename needs "to"');
    cloud.renameDevice(device, to);
    return done("device renamed", { device, to });
  },
  remove(cloud, device) {
    cloud.removeDevice(device);
    return done("device removed", { device });
  },
};

function done(event: string, fields: OrderResult["fields"]): OrderResult {
  return { level: "info", event, fields };
}

function unreadable(reason: string): OrderResult {
  return { level: "warn", event: "order not understood", fields: { reason } };
}

function stringsIn(value: JsonText | undefined): readonly string[] | undefined {
  const node = value === undefined ? undefined : parseJson(value, 1);
  if (node?.kind !== "array") return undefined;
  const items = node.items ?? [];
  return items.every(({ kind }) => kind === "string") ? items.map(stringOf) : undefined;
}
