/**
 * Dragoman as a library: compile a dialect, translate packets, run a bridge.
 *
 * @example
 * const translator = createTranslator(pairOf(dialectNamed("thingsboard"), dialectNamed("clearblade")));
 * translator.up({ topic: "v1/gateway/connect", payload: Buffer.from('{"device":"Device A"}'), qos: 1 }).sent;
 *
 * @module
 */

export { type Pairing, pairFor, pairOf } from "./bridge/pairing.ts";
export type { TraceEvent } from "./bridge/trace.ts";
export { type Bridge, type BridgeOptions, openBridge } from "./bridge.ts";
export { type Config, type Loaded, loadConfig } from "./config.ts";
export { compileDialect } from "./dialect/compile.ts";
export type { BoundDialect, Dialect } from "./dialect/dialect.ts";
export type { MappingSource } from "./dialect/mapping-source.ts";
export { verifyDialect } from "./dialect/verify.ts";
export { DragomanError, type ErrorCode } from "./errors.ts";
export { builtInMappings, dialectNamed } from "./mappings.ts";
export type { Decoded, Misfit, RuleRef } from "./message/decoded.ts";
export type { Fate, Ledger } from "./message/fate.ts";
export type { JsonText } from "./message/json.ts";
export type { Log, LogEvent, LogLevel } from "./message/log.ts";
export type * from "./message/message.ts";
export type { Packet } from "./message/packet.ts";
export type { BridgeStatus, ReloadStatus } from "./message/status.ts";
export { createTranslator, type Translated, type Translation, type Translator } from "./translate.ts";
