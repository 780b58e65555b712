/** Why a connection or an attempt ended: `reason` is a stable word, `detail` a text for people. Neither holds a secret. */
export interface Failure {
  readonly reason: string;
  readonly detail: string;
}

/** How far an attempt has come: what it is waiting for. */
export type Stage = "connection" | "TLS handshake" | "CONNACK";

const reasonOfCode: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused",
  ECONNRESET: "reset",
  ECONNABORTED: "reset",
  EPIPE: "reset",
  ENOTFOUND: "dns",
  EAI_AGAIN: "dns",
  EAI_FAIL: "dns",
  EAI_NODATA: "dns",
  EAI_NONAME: "dns",
  ETIMEDOUT: "timeout",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  ENETDOWN: "unreachable",
  EHOSTDOWN: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  EPROTO: "tls",
};

// OpenSSL's verification errors, as Node names them, and its own.
const tlsCode =
  /^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERROR_IN_|HOSTNAME_|INVALID_)/;

/** Names what a socket reported. */
export function socketFailure(error: unknown, stage: Stage): Failure {
  const { code, detail } = describeError(error);
  const known = reasonOfCode[code] ?? (tlsCode.test(code) ? "tls" : undefined);
  if (stage === "TLS handshake" && (known === undefined || known === "reset")) {
    return { reason: "tls", detail: `the TLS handshake failed: ${detail}` };
  }
  return { reason: known ?? "socket", detail };
}

function describeError(error: unknown): { code: string; detail: string } {
  // Node tries all addresses of a name and then reports every failure at once, without a message of its own.
  const first = error instanceof AggregateError ? (error.errors as unknown[])[0] : error;
  if (!(first instanceof Error)) return { code: "", detail: "unknown error" };
  const { code, reason } = first as { code?: unknown; reason?: unknown };
  // OpenSSL's messages carry thread ids and file names; its `reason` is the readable part.
  const text = typeof reason === "string" && reason !== "" ? reason : first.message;
  return { code: typeof code === "string" ? code : "", detail: text };
}

// MQTT 3.1.1, table 3.1, and MQTT 5, sections 3.2.2.2 and 3.14.2.1. 13 and 19 are ClearBlade's "other" (its MQTT bridge page).
const connackText: Readonly<Record<number, string>> = {
  1: "this version of MQTT is not accepted",
  2: "the client id is refused",
  3: "the server is unavailable",
  4: "bad user name or password",
  5: "not authorized",
  13: "refused without a reason",
  19: "refused without a reason",
  132: "this version of MQTT is not accepted",
  133: "the client id is refused",
  134: "bad user name or password",
  135: "not authorized",
  136: "the server is unavailable",
  137: "the server is busy",
  138: "banned",
  140: "bad authentication method",
  151: "quota exceeded",
  156: "use another server",
  157: "the server has moved",
  159: "connection rate exceeded",
};

const disconnectText: Readonly<Record<number, string>> = {
  128: "unspecified error",
  129: "malformed packet",
  130: "protocol error",
  131: "implementation specific error",
  135: "not authorized",
  137: "the server is busy",
  139: "the server is shutting down",
  141: "keepalive timeout",
  142: "another connection took over",
  143: "topic filter invalid",
  144: "topic name invalid",
  147: "receive maximum exceeded",
  149: "packet too large",
  150: "message rate too high",
  151: "quota exceeded",
  152: "administrative action",
  153: "payload format invalid",
  156: "use another server",
  157: "the server has moved",
  159: "connection rate exceeded",
  160: "maximum connect time",
};

/** Names a CONNACK that refuses: `connack-5`, the number as the server sent it, 3.x return codes and v5 reason codes alike. */
export function connackFailure(code: number, reasonString: string | undefined): Failure {
  return { reason: `connack-${code}`, detail: describeCode("CONNACK", connackText, { code, reasonString }) };
}

/** Names a v5 DISCONNECT: `disconnect-151`; the two that say what another reason already says have its word. */
export function disconnectFailure(code: number, reasonString: string | undefined): Failure {
  const reason = code === 0x8e ? "identity-conflict" : code === 0x8d ? "keepalive" : `disconnect-${code}`;
  return { reason, detail: describeCode("DISCONNECT", disconnectText, { code, reasonString }) };
}

function describeCode(
  packet: string,
  texts: Readonly<Record<number, string>>,
  { code, reasonString }: { code: number; reasonString: string | undefined },
): string {
  const said = reasonString === undefined ? "" : `, the server says "${printable(reasonString)}"`;
  return `${packet} ${code}: ${texts[code] ?? "no known meaning"}${said}`;
}

/** A text of the server's in a form that can stand in a log line. */
function printable(text: string): string {
  const clean = text.replace(/\p{C}/gu, "?");
  return clean.length > 200 ? `${clean.slice(0, 200)}…` : clean;
}
