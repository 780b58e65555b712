import type { JsonText } from "./json.ts";

declare const brand: unique symbol;

/** A device's name as the local side knows it. Opaque everywhere but in dialects and in naming. */
export type DeviceId = string & { readonly [brand]: "DeviceId" };

/** One measurement: `ts` in Unix milliseconds (absent: whenever it arrives), `values` the text of a JSON object. */
export interface Point {
  readonly ts?: number;
  readonly values: JsonText;
}

/** Whose attributes are meant: what the device reported (`client`) or what the cloud set (`shared`). */
export type AttributeScope = "client" | "shared";

/** A device comes into reach through this gateway. */
export interface Attach {
  readonly kind: "attach";
  readonly device?: DeviceId;
  /** The cloud's word for the device's type or profile. */
  readonly profile?: string;
  /** The device's own credential, where its cloud asks for one. */
  readonly token?: string;
}

export interface Detach {
  readonly kind: "detach";
  readonly device?: DeviceId;
}

/** Measurements: opaque (`body`) or understood (`points`), never both. */
export interface Telemetry {
  readonly kind: "telemetry";
  readonly device?: DeviceId;
  /** Levels below the telemetry topic, joined with `/`, no slash at either end. */
  readonly folder?: string;
  readonly body?: Uint8Array;
  readonly points?: readonly Point[];
}

/** What the device says about itself: a whole opaque document (`body`) or changed keys (`values`, a JSON object). */
export interface State {
  readonly kind: "state";
  readonly device?: DeviceId;
  readonly body?: Uint8Array;
  readonly values?: JsonText;
}

/**
 * A question for attributes. A device asks with `scope` and `key` or `keys`; a gateway asks for itself with
 * `clientKeys` and `sharedKeys`. Both of those absent, or an empty `keys`, means all there are.
 */
export interface AttributesRequest {
  readonly kind: "attributesRequest";
  readonly device?: DeviceId;
  readonly id: number;
  readonly scope?: AttributeScope;
  readonly key?: string;
  readonly keys?: readonly string[];
  readonly clientKeys?: readonly string[];
  readonly sharedKeys?: readonly string[];
}

/** The answer to a `command`: `data` is any JSON value. */
export interface CommandResponse {
  readonly kind: "commandResponse";
  readonly device?: DeviceId;
  readonly id: number;
  readonly data: JsonText;
}

export interface Claim {
  readonly kind: "claim";
  readonly device?: DeviceId;
  readonly secretKey?: string;
  readonly durationMs?: number;
}

/** Something the gateway asks of its cloud for itself. `params` is any JSON value. */
export interface Call {
  readonly kind: "call";
  readonly id: number;
  readonly method: string;
  readonly params?: JsonText;
}

/** What the cloud wants a device to be: a whole opaque document, changed keys, or names of vanished keys; one of the three. */
export interface Config {
  readonly kind: "config";
  readonly device?: DeviceId;
  readonly body?: Uint8Array;
  readonly values?: JsonText;
  readonly deleted?: readonly string[];
}

/**
 * The answer to an `attributesRequest`. A device gets `value` (one name asked for and found), `values` (several), both or
 * neither; a gateway gets `client` and `shared`. Objects and values are JSON text.
 */
export interface AttributesResponse {
  readonly kind: "attributesResponse";
  readonly device?: DeviceId;
  readonly id: number;
  readonly value?: JsonText;
  readonly values?: JsonText;
  readonly client?: JsonText;
  readonly shared?: JsonText;
}

/** An order to a device: opaque (`body`, perhaps in a `folder`) or a method call (`id`, `method`, `params`). */
export interface Command {
  readonly kind: "command";
  readonly device?: DeviceId;
  readonly folder?: string;
  readonly body?: Uint8Array;
  readonly id?: number;
  readonly method?: string;
  readonly params?: JsonText;
}

/** The cloud could not do what it was asked. `device` absent: the gateway itself. */
export interface ErrorReport {
  readonly kind: "error";
  readonly device?: DeviceId;
  readonly code: string;
  readonly description: string;
  readonly messageType?: string;
  readonly topic?: string;
  readonly packetId?: number;
}

/** The cloud's own record of the device is gone. With `id`, an answer is expected. */
export interface Removed {
  readonly kind: "removed";
  readonly device?: DeviceId;
  readonly id?: number;
}

/** The cloud calls the device `name` from now on. With `id`, an answer is expected. */
export interface Renamed {
  readonly kind: "renamed";
  readonly device?: DeviceId;
  readonly name: string;
  readonly id?: number;
}

/** The cloud says that the device is no longer attached. */
export interface Detached {
  readonly kind: "detached";
  readonly device?: DeviceId;
  readonly reason?: number;
}

export interface CallResult {
  readonly kind: "callResult";
  readonly id: number;
  /** Any JSON value. */
  readonly data: JsonText;
}

/** What a gateway says to its cloud. An absent `device` means the gateway itself. */
export type UpMessage = Attach | Detach | Telemetry | State | AttributesRequest | CommandResponse | Claim | Call;

/** What a cloud says to its gateway. An absent `device` means the gateway itself. */
export type DownMessage =
  | Config
  | AttributesResponse
  | Command
  | ErrorReport
  | Removed
  | Renamed
  | Detached
  | CallResult;

/** What a gateway says or hears, in no cloud's dialect. */
export type Message = UpMessage | DownMessage;

export type MessageKind = Message["kind"];
export type Direction = "up" | "down";
