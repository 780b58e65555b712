import { createHmac, randomBytes, timingSafeEqual, X509Certificate } from "node:crypto";
import { DragomanError } from "../errors.ts";
import type { Authenticate, KnownGateway, LoginDecision, RefusalCodes } from "./credentials.ts";

/** What is known about a gateway once its name was found: an empty password is any password. */
interface Entry {
  readonly gateway: string;
  readonly password?: Buffer;
}

// The codes of ThingsBoard's MqttTransportHandler and ReturnCodeResolver.
const wrongCredentials: RefusalCodes = { v3: 5, v5: 0x86 };
const clientIdAlone: RefusalCodes = { v3: 2, v5: 0x85 };
const notAuthorized: RefusalCodes = { v3: 5, v5: 0x87 };

/**
 * Makes the login of ThingsBoard.
 *
 * A certificate wins over everything else where gateways have certificates. Otherwise the look-up goes as in
 * DefaultTransportApiService: no user name: by client id; else by client id and user name, and there a wrong password is
 * final; else by user name alone, which is an access token (any password will do) or a user name with a password.
 *
 * Secrets are kept and compared as keyed hashes, so that no comparison takes longer the closer a guess is.
 */
export function createThingsBoardLogin(gateways: readonly KnownGateway[]): Authenticate {
  const digest = createDigest();
  const byName = new Map<string, Entry>();
  const byCertificate = new Map<string, string>();
  for (const { id, local } of gateways) {
    if (local.certificate !== undefined) {
      byCertificate.set(fingerprintOf(id, local.certificate), id);
    } else if (local.token !== undefined) {
      byName.set(digest("username", local.token.reveal()), { gateway: id });
    } else if (local.username !== undefined || local.clientId !== undefined) {
      const password = local.password === undefined ? undefined : hash(digest("password", local.password.reveal()));
      byName.set(nameOf(local.clientId, local.username), { gateway: id, ...(password && { password }) });
    } else {
      throw new DragomanError(
        "ERR_CONFIG_INVALID",
        `Cannot let gateway "${id}" connect: found no credentials, wanted a token, a username, a clientId or a certificate`,
      );
    }
  }

  function nameOf(clientId: string | undefined, username: string | undefined): string {
    if (username === undefined) return digest("clientId", clientId ?? "");
    return clientId === undefined ? digest("username", username) : digest("pair", JSON.stringify([clientId, username]));
  }

  function find(clientId: string, username: string): Entry | undefined {
    if (username === "") return clientId === "" ? undefined : byName.get(nameOf(clientId, undefined));
    return byName.get(nameOf(clientId, username)) ?? byName.get(nameOf(undefined, username));
  }

  return ({ clientId, username = "", password, certificate }): LoginDecision => {
    if (certificate?.fault !== undefined) return refuse(`client certificate: ${certificate.fault}`, notAuthorized);
    if (certificate !== undefined && byCertificate.size > 0) {
      const gateway = byCertificate.get(certificate.fingerprint);
      return gateway === undefined
        ? refuse(`unknown client certificate ${certificate.fingerprint}`, notAuthorized)
        : { kind: "accepted", gateway };
    }
    const entry = find(clientId, username);
    if (entry !== undefined) {
      const given = hash(digest("password", Buffer.from(password ?? "").toString("utf8")));
      if (entry.password === undefined || timingSafeEqual(given, entry.password)) {
        return { kind: "accepted", gateway: entry.gateway };
      }
      return refuse(`wrong password for gateway "${entry.gateway}"`, wrongCredentials);
    }
    if (username === "provision") return refuse("device provisioning is not offered", notAuthorized);
    if (username !== "" || (password !== undefined && password.length > 0)) {
      return refuse("unknown access token or user name", wrongCredentials);
    }
    return clientId.trim() === ""
      ? refuse("neither user name nor client id", notAuthorized)
      : refuse("no user name, and no gateway has this client id", clientIdAlone);
  };
}

function refuse(reason: string, connack: RefusalCodes): LoginDecision {
  return { kind: "refused", reason, connack };
}

function createDigest(): (use: string, text: string) => string {
  const key = randomBytes(32);
  return (use, text) => createHmac("sha256", key).update(use).update("\0").update(text).digest("base64");
}

function hash(digest: string): Buffer {
  return Buffer.from(digest, "base64");
}

function fingerprintOf(gateway: string, pem: string): string {
  try {
    return new X509Certificate(pem).fingerprint256;
  } catch (cause) {
    throw new DragomanError(
      "ERR_KEY_INVALID",
      `Cannot read the certificate of gateway "${gateway}": not a certificate, wanted X.509 in PEM`,
      { cause },
    );
  }
}
