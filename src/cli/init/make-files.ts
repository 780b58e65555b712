import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Mistake } from "../../config/mistake.ts";
import { algorithmOf, privateKeyIn } from "../../config/pem.ts";
import { loadConfig } from "../../config.ts";
import { DragomanError } from "../../errors.ts";
import { makeKeys } from "../key-pair.ts";
import { type MadeCertificate, makeCertificate } from "./certificate.ts";
import { configText, needsTls } from "./config-text.ts";
import { files, tokenVariable } from "./files.ts";
import type { InitPlan } from "./plan.ts";

/** A file that belongs to a configuration. */
export interface InitFile {
  /** Relative to the configuration's folder. */
  readonly path: string;
  readonly text: string;
  readonly isSecret: boolean;
  /** Whether it was there already, and stays as it is. */
  readonly isKept: boolean;
}

interface Place {
  /** The configuration file. */
  readonly out: string;
  /** Further host names for the certificate. */
  readonly tlsNames: readonly string[];
}

/** Makes the configuration and the keys it needs, in memory. Keys and certificates that are there already are kept. */
export async function makeFiles(plan: InitPlan, { out, tlsNames }: Place): Promise<readonly InitFile[]> {
  const folder = dirname(out);
  const made: InitFile[] = [];
  const keep = async (path: string, isSecret = false): Promise<boolean> => {
    if (!existsSync(join(folder, path))) return false;
    made.push({ path, text: await readFile(join(folder, path), "utf8"), isSecret, isKept: true });
    return true;
  };
  const add = (path: string, text: string, isSecret = false) => made.push({ path, text, isSecret, isKept: false });

  for (const { id, publicKey } of plan.gateways) {
    if (isKeyed(plan.upstream) && !(await keep(files.privateKey(id), true))) {
      const pair = makeKeys();
      add(files.privateKey(id), pair.privateKey, true);
      add(files.publicKey(id), pair.publicKey);
    }
    if (!isKeyed(plan.local) || (await keep(files.gatewayPublicKey(id)))) continue;
    if (publicKey !== undefined) {
      add(files.gatewayPublicKey(id), await readKey(publicKey));
      continue;
    }
    const pair = makeKeys();
    add(files.gatewayPrivateKey(id), pair.privateKey, true);
    add(files.gatewayPublicKey(id), pair.publicKey);
  }
  if (needsTls(plan) && !((await keep(files.certificate)) && (await keep(files.certificateKey, true)))) {
    const tls: MadeCertificate = await makeCertificate([...namesOf(plan), ...tlsNames]);
    add(files.certificate, tls.certificate);
    add(files.certificateKey, tls.key, true);
    add(files.authority, tls.authority);
    add(files.authorityKey, tls.authorityKey, true);
  }
  const algorithms = new Map(plan.gateways.map(({ id }) => [id, algorithmIn(made, files.privateKey(id))]));
  return [{ path: basename(out), text: configText(plan, algorithms), isSecret: false, isKept: false }, ...made];
}

/** The algorithm of a key, which may have been there; what is no key, the check of the configuration tells. */
function algorithmIn(made: readonly InitFile[], path: string): "ES256" | "RS256" {
  const key = privateKeyIn(made.find((file) => file.path === path)?.text ?? "");
  return ("fault" in key ? undefined : algorithmOf(key)) ?? "ES256";
}

/** What is wrong with a configuration before it is written, as `dragoman check` would say it once it is. */
export async function mistakesIn(plan: InitPlan, made: readonly InitFile[], out: string): Promise<readonly Mistake[]> {
  const folder = await mkdtemp(join(tmpdir(), "dragoman-init-"));
  try {
    await writeAll(made, folder);
    // Whoever checks later has set the variables; until then each stands for itself.
    const env = Object.fromEntries(variablesOf(plan).map((name) => [name, name]));
    const file = join(folder, basename(out));
    const loaded = await loadConfig(file, { env });
    if ("config" in loaded) return [];
    return loaded.mistakes.map((mistake) => (mistake.file === file ? { ...mistake, file: out } : mistake));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Writes what is not there yet, secrets for this user alone. */
export async function writeAll(made: readonly InitFile[], folder: string): Promise<void> {
  for (const { path, text, isSecret } of made) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text, { mode: isSecret ? 0o600 : 0o644 });
    if (isSecret) await chmod(file, 0o600); // the mode of writeFile is for new files only
  }
}

/** The environment variables that the configuration reads. */
export function variablesOf(plan: InitPlan): readonly string[] {
  return plan.gateways.flatMap(({ id }) =>
    (["local", "upstream"] as const).flatMap((side) => (isKeyed(plan[side]) ? [] : [tokenVariable(id, side)])),
  );
}

export function isKeyed({ dialect }: InitPlan["local"] | InitPlan["upstream"]): boolean {
  return dialect.connection.credentials === "jwt";
}

/** The names that gateways may know this machine by: its own, and those of the cloud whose place it takes. */
function namesOf({ local }: InitPlan): readonly string[] {
  const vendor = local.dialect.bind({ ...local.parameters }).url;
  const own = new URL(local.listen).hostname;
  const names = [
    ...(vendor === undefined ? [] : [new URL(vendor).hostname]),
    ...(local.dialect.name === "google" ? [longTermSupportHost] : []),
    ...(own === "0.0.0.0" || own.startsWith("[") ? [] : [own]),
    ...[hostname(), "localhost", "127.0.0.1"],
  ];
  return [...new Set(names)];
}

/** The other host of Google's MQTT bridge, with certificates of a smaller set of authorities. */
const longTermSupportHost = "mqtt.2030.ltsapis.goog";

async function readKey(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === "ENOENT" ? "no such file" : (error as Error).message;
    throw new DragomanError("ERR_USAGE", `Cannot read public key "${file}": ${why}`, { cause: error });
  }
}
