import { DragomanError } from "../errors.ts";
import type { BridgeStatus } from "../message/status.ts";

export interface AdminAddress {
  /** Where the admin server answers; a path behind a proxy is kept. */
  readonly url: string;
  readonly token?: string;
}

const timeoutMs = 10_000;

/**
 * Asks a running bridge how it is.
 *
 * @throws {DragomanError} `ERR_USAGE` when the URL is none; `ERR_ADMIN` when there is no answer or not one of ours,
 * with what to try next. Neither shows the token.
 */
export async function fetchStatus(admin: AdminAddress): Promise<BridgeStatus> {
  const url = adminUrl(admin.url, "/status");
  const attempt = `Cannot read status from "${admin.url}"`;
  const response = await askAdmin(url, { token: admin.token }).catch((error: unknown) => {
    throw new DragomanError("ERR_ADMIN", `${attempt}: ${whyUnreachable(error)}`, { cause: error });
  });
  const refusal = whyRefused(response.status, admin.token);
  if (refusal !== undefined) throw new DragomanError("ERR_ADMIN", `${attempt}: ${refusal}`);
  const answer: unknown = await response.json().catch(() => undefined);
  if (!isBridgeStatus(answer)) {
    throw new DragomanError("ERR_ADMIN", `${attempt}: what answers there is not the admin server of a dragoman`);
  }
  return answer;
}

/** @throws {DragomanError} `ERR_USAGE` when `base` is no URL. */
export function adminUrl(base: string, path: string): URL {
  const url = URL.canParse(base) ? new URL(base) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw new DragomanError("ERR_USAGE", `Cannot use "--url": wanted a URL such as http://127.0.0.1:9464`);
  }
  url.search = "";
  url.hash = "";
  url.pathname = `${url.pathname.replace(/\/$/, "")}${path}`;
  return url;
}

/**
 * One request; with a `body` it is a POST of JSON. Rejects with what `fetch` rejects with.
 *
 * @param options `signal`: ends an answer that goes on and on; left out, the whole answer has to come within 10 s.
 */
export function askAdmin(
  url: URL,
  {
    token,
    body,
    signal,
  }: { readonly token: string | undefined; readonly body?: object; readonly signal?: AbortSignal },
): Promise<Response> {
  return fetch(url, {
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    // A redirect would carry the token somewhere else.
    redirect: "manual",
    signal: signal ?? AbortSignal.timeout(timeoutMs),
  });
}

/** What a rejected request means, and what to try next. */
export function whyUnreachable(error: unknown): string {
  if (error instanceof Error && error.name === "TimeoutError") return `no answer within ${timeoutMs / 1000} s`;
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  switch (cause?.code) {
    case "ECONNREFUSED":
      return 'nothing listens there; is "dragoman run" running, and is this its "admin.listen"? --url names another';
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "the host name cannot be resolved";
    default:
      return cause?.code ?? cause?.message ?? "the request failed";
  }
}

/** What an answer that is not 200 means; nothing if it is. */
export function whyRefused(status: number, token: string | undefined): string | undefined {
  if (status === 200) return undefined;
  if (status === 401 && token === undefined) return "it wants a token; set DRAGOMAN_ADMIN_TOKEN or --token";
  if (status === 401) return 'it does not take this token, wanted the one of "admin.token"';
  if (status === 403) return "it answers to names of its own machine only; use http://127.0.0.1 or localhost";
  return `it answered ${status}, wanted 200`;
}

/** Tells a status from whatever else may answer on a port; the members inside are trusted, being of our own making. */
function isBridgeStatus(value: unknown): value is BridgeStatus {
  if (typeof value !== "object" || value === null) return false;
  const { version, ledger, gateways } = value as Partial<Record<keyof BridgeStatus, unknown>>;
  return typeof version === "string" && typeof ledger === "object" && ledger !== null && Array.isArray(gateways);
}
