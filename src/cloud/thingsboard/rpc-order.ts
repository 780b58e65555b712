import { type JsonText, kindOf, parseJson, stringOf } from "../../message/json.ts";
import type { RpcOptions } from "./thingsboard-cloud.ts";

/** A command as somebody asks for it. */
export interface RpcOrder {
  readonly method: string;
  readonly params: JsonText;
  readonly options: RpcOptions;
}

/**
 * Reads `{"method","params","timeout","persistent","oneway"}`, as the platform's REST API takes it; `timeout` is in ms and
 * all but `method` may be left out. `undefined` if it is not of this form.
 */
export function readRpcOrder(members: ReadonlyMap<string, JsonText>): RpcOrder | undefined {
  const method = stringIn(members.get("method"));
  const timeout = members.get("timeout");
  const timeoutMs = timeout === undefined ? undefined : Number(timeout);
  if (method === undefined || (timeoutMs !== undefined && !(timeoutMs > 0))) return undefined;
  return {
    method,
    params: members.get("params") ?? ("{}" as JsonText),
    options: {
      persistent: members.get("persistent") === "true",
      oneWay: members.get("oneway") === "true",
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    },
  };
}

/** What a JSON string says; `undefined` for anything else. */
export function stringIn(value: JsonText | undefined): string | undefined {
  if (value === undefined || kindOf(value) !== "string") return undefined;
  const node = parseJson(value, 0);
  return node.kind === "fault" ? undefined : stringOf(node);
}
