const tokenKey = "dragoman-token";

/** Sent to the window when an answer was refused for want of the token, whoever asked. */
export const tokenWantedEvent = "dragoman-token-wanted";

/** The server asks for its token, or for another one than was given. */
export class TokenWanted extends Error {
  override readonly name = "TokenWanted";
}

/** Keeps the token for this tab, until it is closed; empty: forgets it. */
export function keepToken(token: string): void {
  if (token === "") sessionStorage.removeItem(tokenKey);
  else sessionStorage.setItem(tokenKey, token);
}

export function hasToken(): boolean {
  return sessionStorage.getItem(tokenKey) !== null;
}

/**
 * Asks the server this page came from, with the token where there is one. Paths are relative, so that a proxy may put them
 * below one of its own.
 *
 * @throws {TokenWanted}
 */
export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const token = sessionStorage.getItem(tokenKey);
  const headers = new Headers(init.headers);
  if (token !== null) headers.set("authorization", `Bearer ${token}`);
  const response = await fetch(path, { ...init, headers });
  if (response.status === 401) {
    dispatchEvent(new Event(tokenWantedEvent));
    throw new TokenWanted();
  }
  return response;
}

/**
 * The JSON a path answers.
 *
 * @throws {TokenWanted}
 * @throws {Error} With the server's own words, where it says no.
 */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return jsonOf<T>(await ask(path, signal === undefined ? {} : { signal }));
}

/** Posts JSON; answers and throws as `getJson` does. */
export async function postJson<T>(path: string, body: object, signal?: AbortSignal): Promise<T> {
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  return jsonOf<T>(await ask(path, signal === undefined ? init : { ...init, signal }));
}

/** A query string of those members that say something, `?` included. */
export function queryOf(members: Readonly<Record<string, string | number | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(members)) {
    if (value !== undefined && value !== "") query.set(name, String(value));
  }
  return query.size === 0 ? "" : `?${query}`;
}

async function jsonOf<T>(response: Response): Promise<T> {
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok && body !== undefined) return body as T;
  const { error } = (body ?? {}) as { readonly error?: unknown };
  throw new Error(typeof error === "string" ? error : `The server answered ${response.status}`);
}
