import { readFile } from "node:fs/promises";
import type { CloudOptions } from "../cloud/cloud.ts";
import type { CloudTls } from "../cloud/listen.ts";
import { readPublicKey } from "../cloud/public-key.ts";
import { type AuthMethod, authMethods, type DeviceOptions } from "../cloud/registry.ts";
import { type CloudDialect, cloudDialects } from "../cloud/variant.ts";
import { DragomanError } from "../errors.ts";

/** What `dragoman cloud` was asked for. */
export interface CloudFlags {
  readonly dialect: string;
  readonly listen?: readonly string[];
  readonly project?: string;
  readonly location?: string;
  readonly registry?: string;
  readonly subscription?: string;
  /** `GATEWAY=TOKEN`; thingsboard only. */
  readonly token?: readonly string[];
  readonly gateway?: string;
  readonly publicKey?: readonly string[];
  readonly device?: readonly string[];
  readonly anyDevice?: boolean;
  readonly authMethod: string;
  readonly tokenKey?: readonly string[];
  readonly limits: boolean;
  readonly sink: boolean;
  readonly lenient?: boolean;
  readonly http?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly verbose?: boolean;
}

/**
 * Turns the command line into options, files read.
 *
 * @throws {DragomanError} `ERR_USAGE`.
 */
export async function cloudOptionsFrom(flags: CloudFlags): Promise<CloudOptions> {
  const dialect = flags.dialect as CloudDialect;
  if (!cloudDialects.includes(dialect)) {
    throw usage(
      `Cannot stand in for "${flags.dialect}": no such dialect, wanted one of ${cloudDialects.join(", ")}, thingsboard`,
    );
  }
  if (!authMethods.includes(flags.authMethod as AuthMethod)) {
    throw usage(`Cannot use "--auth-method": got "${flags.authMethod}", wanted one of ${authMethods.join(", ")}`);
  }
  if (flags.gateway === undefined) throw usage(`Cannot stand in for "${dialect}": wanted "--gateway ID"`);
  if (flags.token !== undefined) throw usage(`Cannot use "--token": gateways of "${dialect}" have keys, not tokens`);
  if (flags.publicKey === undefined)
    throw usage(`Cannot let gateway "${flags.gateway}" connect: wanted "--public-key FILE"`);
  const tls = await tlsFrom(flags);
  const { project, location, registry, subscription } = flags;
  return {
    dialect,
    ...(project === undefined ? {} : { project }),
    ...(location === undefined ? {} : { location }),
    ...(registry === undefined ? {} : { registry }),
    ...(subscription === undefined ? {} : { subscription }),
    ...(flags.listen === undefined ? {} : { listen: flags.listen }),
    ...(tls === undefined ? {} : { tls }),
    ...(flags.limits ? {} : { limits: false }),
    devices: await devicesFrom(flags, flags.gateway),
    anyDevice: flags.anyDevice ?? false,
    strict: !flags.lenient,
    sink: flags.sink,
  };
}

/** The certificate for `mqtts://`, if there is one. */
export async function tlsFrom({
  tlsCert,
  tlsKey,
}: Pick<CloudFlags, "tlsCert" | "tlsKey">): Promise<CloudTls | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw usage('Cannot serve TLS: wanted both "--tls-cert" and "--tls-key"');
  return { certificate: await readText(tlsCert, "--tls-cert"), key: await readText(tlsKey, "--tls-key") };
}

async function devicesFrom(flags: CloudFlags, gateway: string): Promise<readonly DeviceOptions[]> {
  const tokenKeys = new Map<string, string[]>();
  for (const entry of flags.tokenKey ?? []) {
    const [, device, file] = /^([^=]+)=(.+)$/.exec(entry) ?? [];
    if (device === undefined || file === undefined)
      throw usage(`Cannot use "--token-key ${entry}": wanted DEVICE=FILE`);
    tokenKeys.set(device, [...(tokenKeys.get(device) ?? []), await readKey(file, "--token-key")]);
  }
  const publicKeys = await Promise.all((flags.publicKey ?? []).map((file) => readKey(file, "--public-key")));
  return [
    ...[...tokenKeys].map(([id, keys]) => ({ id, publicKeys: keys })),
    {
      id: gateway,
      publicKeys,
      gateway: { authMethod: flags.authMethod as AuthMethod, bound: flags.device ?? [] },
    },
  ];
}

async function readKey(file: string, option: string): Promise<string> {
  const pem = await readText(file, option);
  try {
    readPublicKey(pem, file);
  } catch (error) {
    throw usage((error as Error).message);
  }
  return pem;
}

async function readText(file: string, option: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw usage(`Cannot read "${file}" of "${option}": ${(error as NodeJS.ErrnoException).code}`);
  }
}

function usage(message: string): DragomanError {
  return new DragomanError("ERR_USAGE", message);
}
