import { reachAheadMs, reachBackMs, type TokenReach } from "./clock-doubt.ts";
import { loadPrivateKey } from "./key.ts";
import type { GatewayUpstreamOptions } from "./options.ts";
import { createToken } from "./token.ts";

/** What a CONNECT says about who we are. */
export interface Login {
  readonly clientId: string;
  readonly username?: string;
  readonly password?: string;
  /** When the server will end the connection for its age, Unix ms. */
  readonly expiresAtMs?: number;
}

/** Makes a login. Where it has a token, `reach` says for which time; a connection lasts no longer for it. */
export type LoginSource = (reach?: TokenReach) => Promise<Login>;

/** What the dialect knows about logging in, its parameters filled in. */
export interface LoginRules {
  readonly credentials: "token" | "jwt";
  readonly clientId?: string | undefined;
  readonly username?: string | undefined;
  readonly audience?: string | undefined;
}

export interface LoginOptions {
  readonly rules: LoginRules;
  readonly gateway: GatewayUpstreamOptions;
  readonly tokenLifetimeMs: number;
  /** Unix ms. */
  readonly now?: () => number;
}

/**
 * Makes the source of logins for one gateway, to be asked before each CONNECT.
 *
 * @throws {DragomanError} `ERR_KEY_INVALID` when the private key does not fit its algorithm.
 * @throws {TypeError} when the configuration lacks what the dialect needs.
 */
export function loginFor({ rules, gateway, tokenLifetimeMs, now = Date.now }: LoginOptions): LoginSource {
  if (rules.credentials === "token") {
    const login = tokenLogin(gateway);
    return async () => login;
  }
  const { privateKey, algorithm } = gateway;
  const { clientId, audience, username = "unused" } = rules;
  if (privateKey === undefined || algorithm === undefined) {
    throw new TypeError("Cannot log in by JWT: found no private key or no algorithm, wanted both");
  }
  if (clientId === undefined || audience === undefined) {
    throw new TypeError("Cannot log in by JWT: found no client id or no audience in the dialect, wanted both");
  }
  // Not kept: thousands of them in OpenSSL's form take megabytes, and each is wanted once per connection.
  const readKey = () => loadPrivateKey(privateKey.reveal(), algorithm);
  readKey();
  return async (reach = "now") => {
    const nowMs = now();
    const issuedAtMs = reach === "back" ? nowMs - reachBackMs : nowMs;
    const lifetimeMs = reach === "ahead" ? reachAheadMs : nowMs - issuedAtMs + tokenLifetimeMs;
    const { jwt } = await createToken({ key: readKey(), algorithm, audience, lifetimeMs, nowMs: issuedAtMs });
    const expiresAtMs = Math.floor(nowMs / 1000) * 1000 + Math.max(1000, Math.floor(tokenLifetimeMs / 1000) * 1000);
    // The user name is ignored, but many servers and libraries drop a password without one (vendors' MQTT bridge pages).
    return { clientId, username, password: jwt, expiresAtMs };
  };
}

/** ThingsBoard: an access token, a user name with or without password and client id, or the certificate of the TLS connection. */
function tokenLogin({ token, username, password, clientId = "" }: GatewayUpstreamOptions): Login {
  if (token !== undefined) return { clientId, username: token.reveal() };
  return {
    clientId,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: password.reveal() }),
  };
}
