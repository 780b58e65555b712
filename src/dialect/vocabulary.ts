import type { Direction, Message, MessageKind } from "../message/message.ts";

/** What a variable may hold. It decides where the variable may stand, and how it is written unless a conversion says so. */
export type ValueType =
  /** A device's name, never empty. */
  | "device"
  | "text"
  /** Topic levels joined with `/`. */
  | "folder"
  | "integer"
  /** Unix milliseconds. */
  | "time"
  /** `client` or `shared`. */
  | "scope"
  /** A list of names. */
  | "keys"
  /** Any JSON, as text. */
  | "json"
  /** A JSON object, as text. */
  | "object"
  /** Bytes that nobody looks into. */
  | "bytes";

/** One kind of message, as the pattern language sees it. */
export interface KindWords {
  readonly direction: Direction;
  /** What a rule may bind. */
  readonly variables: Readonly<Record<string, ValueType>>;
  /** Variables of which a message needs at least one, for each inner list. */
  readonly needs: readonly (readonly string[])[];
  /** Variables of which a message holds at most one; a packet that says several is several messages, in this order. */
  readonly apart: readonly string[];
  /** Variables that are secrets: never shown, logged or said in a reason. */
  readonly secrets?: readonly string[];
  /** Variables that may hold secrets where the message is about the gateway itself, whose documents configure it. */
  readonly ownSecrets?: readonly string[];
}

/** The field that is a list, and the variables that its elements are made of. */
export const pointsField = "points";
export const pointVariables: readonly string[] = ["ts", "values"];

type FieldsOf<Kind extends MessageKind> = Exclude<keyof Extract<Message, { kind: Kind }>, "kind">;
type VariablesOf<Kind extends MessageKind> =
  | Exclude<FieldsOf<Kind>, "points">
  | (FieldsOf<Kind> & "points" extends never ? never : "ts" | "values");
type Vocabulary = {
  readonly [Kind in MessageKind]: KindWords & { readonly variables: Readonly<Record<VariablesOf<Kind>, ValueType>> };
};

const device = "device";

/** The messages of `message/`, variable by variable; a kind or a field that is missing here does not compile. */
export const vocabulary: Vocabulary = {
  attach: {
    direction: "up",
    variables: { device, profile: "text", token: "text" },
    needs: [],
    apart: [],
    secrets: ["token"],
  },
  detach: { direction: "up", variables: { device }, needs: [], apart: [] },
  telemetry: {
    direction: "up",
    variables: { device, folder: "folder", body: "bytes", ts: "time", values: "object" },
    needs: [["body", "values"]],
    apart: ["body", "values"],
  },
  state: {
    direction: "up",
    variables: { device, body: "bytes", values: "object" },
    needs: [["body", "values"]],
    apart: ["body", "values"],
    ownSecrets: ["body", "values"],
  },
  attributesRequest: {
    direction: "up",
    variables: {
      device,
      id: "integer",
      scope: "scope",
      key: "text",
      keys: "keys",
      clientKeys: "keys",
      sharedKeys: "keys",
    },
    needs: [["id"]],
    apart: [],
  },
  commandResponse: {
    direction: "up",
    variables: { device, id: "integer", data: "json" },
    needs: [["id"], ["data"]],
    apart: [],
    ownSecrets: ["data"],
  },
  claim: {
    direction: "up",
    variables: { device, secretKey: "text", durationMs: "integer" },
    needs: [],
    apart: [],
    secrets: ["secretKey"],
  },
  call: {
    direction: "up",
    variables: { id: "integer", method: "text", params: "json" },
    needs: [["id"], ["method"]],
    apart: [],
  },
  config: {
    direction: "down",
    variables: { device, body: "bytes", values: "object", deleted: "keys" },
    needs: [["body", "values", "deleted"]],
    apart: ["body", "values", "deleted"],
    ownSecrets: ["body", "values"],
  },
  attributesResponse: {
    direction: "down",
    variables: { device, id: "integer", value: "json", values: "object", client: "object", shared: "object" },
    needs: [["id"]],
    apart: [],
    ownSecrets: ["value", "values", "client", "shared"],
  },
  command: {
    direction: "down",
    variables: { device, folder: "folder", body: "bytes", id: "integer", method: "text", params: "json" },
    needs: [["body", "method"]],
    apart: ["body", "method"],
    ownSecrets: ["body", "params"],
  },
  error: {
    direction: "down",
    variables: {
      device,
      code: "text",
      description: "text",
      messageType: "text",
      topic: "text",
      packetId: "integer",
    },
    needs: [["code"], ["description"]],
    apart: [],
  },
  removed: { direction: "down", variables: { device, id: "integer" }, needs: [], apart: [] },
  renamed: { direction: "down", variables: { device, name: "text", id: "integer" }, needs: [["name"]], apart: [] },
  detached: { direction: "down", variables: { device, reason: "integer" }, needs: [], apart: [] },
  callResult: { direction: "down", variables: { id: "integer", data: "json" }, needs: [["id"], ["data"]], apart: [] },
};

/** The kinds of messages, in the order of the vocabulary. */
export const messageKinds = Object.keys(vocabulary) as readonly MessageKind[];

/** Whether a kind's messages carry a list of points rather than the point variables themselves. */
export function hasPoints(kind: MessageKind): boolean {
  return kind === "telemetry";
}

/** The field of a message in which a variable ends up. */
export function fieldOf(kind: MessageKind, variable: string): string {
  return hasPoints(kind) && pointVariables.includes(variable) ? pointsField : variable;
}
