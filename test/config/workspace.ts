import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { formatMistake } from "../../src/config/mistake.ts";
import { type Config, loadConfig } from "../../src/config.ts";

const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const shortRsa = generateKeyPairSync("rsa", { modulusLength: 1024 });
const pkcs8 = { type: "pkcs8", format: "pem" } as const;
const spki = { type: "spki", format: "pem" } as const;

/** Keys of every kind, by the path they have in a workspace. */
export const keyFiles: Readonly<Record<string, string>> = {
  "keys/p256.pem": p256.privateKey.export(pkcs8).toString(),
  "keys/p256.pub.pem": p256.publicKey.export(spki).toString(),
  "keys/p384.pem": p384.privateKey.export(pkcs8).toString(),
  "keys/p384.pub.pem": p384.publicKey.export(spki).toString(),
  "keys/rsa.pem": rsa.privateKey.export(pkcs8).toString(),
  "keys/short-rsa.pem": shortRsa.privateKey.export(pkcs8).toString(),
  "keys/locked.pem": p256.privateKey.export({ ...pkcs8, cipher: "aes-256-cbc", passphrase: "open" }).toString(),
  "tls/server.pem": fixture("server.pem"),
  "tls/server.key": fixture("server.key.pem"),
  "tls/client.pem": fixture("client.pem"),
  "tls/client.key": fixture("client.key.pem"),
  "tls/ca.pem": fixture("ca.pem"),
};

function fixture(name: string): string {
  return readFileSync(new URL(`../upstream/tls/${name}`, import.meta.url), "utf8");
}

/** A temporary folder that holds all keys and `files`, until the test ends. */
export function createWorkspace(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "dragoman-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries({ ...keyFiles, ...files })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

export interface Situation {
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

/** The mistakes in a configuration text, one line each, without the folder. */
export async function mistakesIn(text: string, { files = {}, env = {} }: Situation = {}): Promise<readonly string[]> {
  const folder = createWorkspace({ ...files, "dragoman.yaml": text });
  const loaded = await loadConfig(join(folder, "dragoman.yaml"), { env });
  if ("config" in loaded) return [];
  return loaded.mistakes.map((mistake) => formatMistake(mistake).replaceAll(`${folder}/`, ""));
}

/** A configuration text read, which must have no mistakes. */
export async function configIn(text: string, { files = {}, env = {} }: Situation = {}): Promise<Config> {
  const folder = createWorkspace({ ...files, "dragoman.yaml": text });
  const loaded = await loadConfig(join(folder, "dragoman.yaml"), { env });
  if ("config" in loaded) return loaded.config;
  throw new Error(loaded.mistakes.map(formatMistake).join("\n"));
}

/** Sections of a right configuration; those given stand in place of their namesakes, or in addition. */
export function configText(sections: Readonly<Record<string, string>> = {}): string {
  const right = {
    local: "{ dialect: thingsboard }",
    upstream: "{ dialect: clearblade, project: acme-iot, location: us-central1, registry: plant-1 }",
    gateways:
      "[{ id: gw-01, local: { token: file:token }, upstream: { privateKey: file:keys/p256.pem, algorithm: ES256 } }]",
  };
  return Object.entries({ ...right, ...sections })
    .map(([key, value]) => `${key}: ${value}\n`)
    .join("");
}

export const tokenFile = { token: "s3cret-token\n" };
