import type { Dialect } from "../dialect/dialect.ts";
import { DragomanError } from "../errors.ts";
import { loadPrivateKey } from "../upstream/key.ts";
import { parseAddress } from "./address.ts";
import type { Sides } from "./check-ids.ts";
import { fileHint } from "./check-tls.ts";
import { algorithmOf, certificatesIn, kindOfKey, privateKeyIn, publicKeyIn } from "./pem.ts";
import type { Section } from "./section.ts";

/**
 * Checks that each gateway can prove who it is on both sides, in the way of each side's dialect, and that no two look the same.
 *
 * @param progress Called after each gateway: reading a key takes about half a millisecond.
 */
export function checkCredentials(
  root: Section,
  sides: Sides,
  progress: (done: number, total: number) => void = () => undefined,
): void {
  const listen = listenOf(root.section("local"));
  const known = new Map<string, string>();
  const keyFaults = new Map<string, string | undefined>();
  const gateways = root.items("gateways");
  for (const [index, gateway] of gateways.entries()) {
    const local = gateway.section("local");
    if (gateway.has("local")) {
      if (sides.local?.connection.credentials === "token") {
        checkLocalToken(local, sides.local, listen);
        checkUnlikeOthers(local, `gateways[${index}]`, known);
      }
      if (sides.local?.connection.credentials === "jwt") checkRegistryEntry(local, sides.local);
    }
    if (gateway.has("upstream") && sides.upstream !== undefined) {
      const upstream = gateway.section("upstream");
      if (sides.upstream.connection.credentials === "jwt") checkPrivateKey(upstream, sides.upstream, keyFaults);
      else checkUpstreamToken(upstream, sides.upstream, root.section("upstream").text("url"));
    }
    progress(index + 1, gateways.length);
  }
}

interface Listen {
  readonly hasTls: boolean;
  readonly isLoopback: boolean;
  readonly allowsPasswordless: boolean;
}

function listenOf(local: Section): Listen {
  const addresses = local.texts("listen").map(({ text }) => parseAddress(text, ["mqtt", "mqtts"]));
  const isKnown = local.has("listen");
  return {
    hasTls: addresses.some((address) => "scheme" in address && address.scheme === "mqtts"),
    isLoopback: !isKnown || addresses.every((address) => "fault" in address || address.isLoopback),
    allowsPasswordless: local.flag("allowPasswordless"),
  };
}

const basic = ["username", "password", "clientId"];
const registry = ["publicKeys", "authMethod", "devices", "gateway", "numericId", "blocked"];

function checkLocalToken(local: Section, dialect: Dialect, listen: Listen): void {
  refuseKeys(local, registry, dialect);
  const wanted = `one of "token", "certificate", or "username" with "password" and "clientId"`;
  const kinds = kindsOf(local, [["token"], ["certificate"], basic]);
  if (kinds.length === 0 && !local.hasMistakes()) local.report(`found no credentials, wanted ${wanted}`);
  if (kinds.length > 1) local.report(`found ${quoted(kinds)} together, wanted ${wanted}`);
  if (kinds.length !== 1) return;
  if (local.has("certificate") && !listen.hasTls) {
    local.report(
      `found a client certificate where no address has TLS, wanted an mqtts:// address in "local.listen"`,
      "certificate",
    );
  }
  if (local.has("password") && !local.has("username") && !local.has("clientId")) {
    local.report(`found a password alone, wanted "username" or "clientId" as well`, "password");
  }
  if (basic.includes(kinds[0] ?? "") && !local.has("password") && !listen.isLoopback && !listen.allowsPasswordless) {
    local.report(
      `found no password though gateways connect from elsewhere, wanted "password", or "local.allowPasswordless: true" if anyone may connect who knows the name`,
    );
  }
}

/** ThingsBoard looks a token up by the user name, so a token and a user name can be the same credential. */
function checkUnlikeOthers(local: Section, shown: string, known: Map<string, string>): void {
  const certificate = local.text("certificate");
  const certificates = certificate === undefined ? undefined : certificatesIn(certificate);
  const token = local.text("token");
  const username = local.text("username");
  const clientId = local.text("clientId");
  let key: string;
  let about: string;
  if (certificates !== undefined && !("fault" in certificates)) {
    [key, about] = [`certificate ${certificates[0]?.fingerprint256}`, "certificate"];
  } else if (token !== undefined) [key, about] = [JSON.stringify([token, null]), "token"];
  else if (username !== undefined || clientId !== undefined) {
    [key, about] = [
      JSON.stringify([username ?? null, clientId ?? null]),
      username === undefined ? "clientId" : "username",
    ];
  } else return;
  const other = known.get(key);
  if (other === undefined) known.set(key, shown);
  else local.report(`found the credential of ${other}, wanted one of its own`, about);
}

function checkRegistryEntry(local: Section, dialect: Dialect): void {
  refuseKeys(local, ["token", "certificate", ...basic], dialect);
  if (!local.has("publicKeys") && !local.flag("blocked") && !local.hasMistakes()) {
    local.report(`found no credentials, wanted "publicKeys"`);
  }
  checkPublicKeys(local);
  const devices = local.section("devices");
  for (const device of devices.keys()) checkPublicKeys(devices.section(device));
  const method = local.text("authMethod");
  if (local.has("gateway") && !local.flag("gateway")) {
    for (const key of ["devices", "authMethod"].filter((name) => local.has(name))) {
      local.report(`found "${key}" for a plain device, wanted it only without "gateway: false"`, key, "key");
    }
  } else if (method !== undefined && method !== "ASSOCIATION_ONLY" && !local.has("devices")) {
    local.report(`found ${method} without "devices", wanted the devices and their public keys as well`, "authMethod");
  }
}

function checkPublicKeys(entry: Section): void {
  const withExpiry = entry.items("publicKeys").flatMap((item) => {
    const text = item.text("key");
    return text === undefined ? [] : [{ text, report: (mistake: string) => item.report(mistake, "key") }];
  });
  for (const { text, report } of [...entry.texts("publicKeys"), ...withExpiry]) {
    const key = publicKeyIn(text);
    if ("fault" in key) {
      report(`found ${key.fault}, wanted a public key or certificate in PEM${fileHint(text)}`);
    } else if (algorithmOf(key) === undefined) report(`found ${kindOfKey(key)}, wanted ${goodKeys}`);
  }
}

const goodKeys = "an EC key on curve prime256v1 or an RSA key of at least 2048 bits";

/** @param faults What is known already of keys that serve several gateways. */
function checkPrivateKey(upstream: Section, dialect: Dialect, faults: Map<string, string | undefined>): void {
  refuseKeys(upstream, ["token", "tls", ...basic], dialect);
  const isSound = !upstream.hasMistakes();
  for (const key of ["privateKey", "algorithm"].filter((name) => isSound && !upstream.has(name))) {
    upstream.report(`missing key "${key}", which dialect "${dialect.name}" needs`);
  }
  const text = upstream.text("privateKey");
  const algorithm = upstream.text("algorithm");
  if (text === undefined) return;
  const key = JSON.stringify([algorithm ?? null, text]);
  if (!faults.has(key)) faults.set(key, privateKeyFault(text, algorithm));
  const fault = faults.get(key);
  if (fault !== undefined) upstream.report(fault, "privateKey");
}

/** What is wrong with a key for an algorithm, or, where that is unknown, with any key. */
function privateKeyFault(text: string, algorithm: string | undefined): string | undefined {
  if (algorithm === "ES256" || algorithm === "RS256") {
    try {
      loadPrivateKey(text, algorithm);
      return undefined;
    } catch (error) {
      if (!(error instanceof DragomanError)) throw error;
      return error.message.replace("Cannot use private key: ", "") + fileHint(text);
    }
  }
  const key = privateKeyIn(text);
  if ("fault" in key) return `found ${key.fault}, wanted a private key in PEM without a passphrase${fileHint(text)}`;
  return algorithmOf(key) === undefined ? `found ${kindOfKey(key)}, wanted ${goodKeys}` : undefined;
}

function checkUpstreamToken(upstream: Section, dialect: Dialect, url: string | undefined): void {
  refuseKeys(upstream, ["privateKey", "algorithm"], dialect);
  const wanted = `one of "token", "tls", or "username" with "password" and "clientId"`;
  const kinds = kindsOf(upstream, [["token"], ["tls"], basic]);
  if (kinds.length === 0 && !upstream.hasMistakes()) upstream.report(`found no credentials, wanted ${wanted}`);
  if (kinds.length > 1) upstream.report(`found ${quoted(kinds)} together, wanted ${wanted}`);
  if (upstream.has("tls") && url?.startsWith("mqtt:")) {
    upstream.report("found a client certificate for an mqtt:// url, wanted an mqtts:// url", "tls");
  }
}

function kindsOf(section: Section, kinds: readonly (readonly string[])[]): readonly string[] {
  return kinds.flatMap((keys) => keys.filter((key) => section.has(key)).slice(0, 1));
}

function refuseKeys(section: Section, keys: readonly string[], dialect: Dialect): void {
  for (const key of keys.filter((name) => section.has(name))) {
    section.report(`found a key that dialect "${dialect.name}" has no use for, wanted it left out`, key, "key");
  }
}

function quoted(keys: readonly string[]): string {
  return keys.map((key) => `"${key}"`).join(" and ");
}
