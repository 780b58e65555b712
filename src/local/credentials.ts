import type { GatewayLocalOptions } from "./options.ts";
import { createRegistryLogin, type Registry } from "./registry-login.ts";
import { createThingsBoardLogin } from "./thingsboard-login.ts";

/** What a client said about itself when it connected, as it said it. */
export interface Login {
  readonly protocol: 3 | 4 | 5;
  readonly clientId: string;
  readonly username?: string;
  readonly password?: Uint8Array;
  /** The certificate shown in the TLS handshake, whose private key the client has. */
  readonly certificate?: ClientCertificate;
}

export interface ClientCertificate {
  /** SHA-256, upper case hexadecimal with colons, as Node prints it. */
  readonly fingerprint: string;
  /** Why it is not to be trusted: not signed by the configured authority, expired. */
  readonly fault?: string;
}

/**
 * Who the client is, or the CONNACK it gets instead: none where the cloud just closes. `reason` is for logs: it names no
 * secret.
 */
export type LoginDecision =
  | {
      readonly kind: "accepted";
      readonly gateway: string;
      /** What the client calls itself, where that may differ from `gateway`. */
      readonly name?: string;
      /** Unix milliseconds at which the proof is worth nothing any more and the connection ends. */
      readonly endsAtMs?: number;
    }
  | { readonly kind: "refused"; readonly reason: string; readonly connack?: RefusalCodes };

/** CONNACK codes: MQTT 3.1 and 3.1.1 have one set, MQTT 5 another. Without `v5`, MQTT 5 clients get a CONNACK of 3.1.1 too. */
export interface RefusalCodes {
  readonly v3: number;
  readonly v5?: number;
}

/** Tells who a client is. */
export type Authenticate = (login: Login) => LoginDecision | Promise<LoginDecision>;

export interface KnownGateway {
  readonly id: string;
  readonly local: GatewayLocalOptions;
}

/** The one thing about connecting that differs between clouds, and what goes with it. */
export interface Credentials {
  readonly authenticate: Authenticate;
  /** Checks the token of a device behind a gateway. Resolves with why it is worth nothing, or with nothing. */
  verifyDevice(gateway: string, device: string, token: string): Promise<string | undefined>;
}

/**
 * Makes the login of a cloud: that of ThingsBoard (access token, user name and password, certificate) or, with a
 * `registry`, that of a cloud where devices sign tokens.
 *
 * @throws {DragomanError} `ERR_CONFIG_INVALID` for credentials that cannot be used, `ERR_KEY_INVALID` for a certificate
 *   or key that is not one.
 */
export function createCredentials(
  gateways: readonly KnownGateway[],
  registry: Registry | undefined,
  now: () => number,
): Credentials {
  if (registry !== undefined) return createRegistryLogin(gateways, registry, now);
  return {
    authenticate: createThingsBoardLogin(gateways),
    verifyDevice: async () => "devices have no tokens here",
  };
}
