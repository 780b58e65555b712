import { createPublicKey } from "node:crypto";
import { dirname, join } from "node:path";
import { algorithmOf } from "../../config/pem.ts";
import { files, tokenVariable } from "./files.ts";
import { type InitFile, isKeyed } from "./make-files.ts";
import type { InitPlan } from "./plan.ts";

/** What there is to do outside: what the cloud has to be told, what the gateways, and what to type next. */
export function nextSteps(plan: InitPlan, made: readonly InitFile[], out: string): string {
  const folder = dirname(out);
  const at = (path: string) => join(folder, path);
  const steps = plan.gateways.flatMap(({ id }) => [
    ...(isKeyed(plan.upstream) ? keyToRegister(plan, id, { made, at }) : tokenOfCloud(plan, id)),
    ...(isKeyed(plan.local) ? [] : [`The token that gateway "${id}" uses already is its credential here.`]),
    ...made
      .filter(({ path, isKept }) => path === files.gatewayPrivateKey(id) && !isKept)
      .map(({ path }) => `The key that was made for gateway "${id}" has to go there: ${at(path)}`),
  ]);
  const authority = made.find(({ path, isKept }) => path === files.authority && !isKept);
  if (authority !== undefined) steps.push(`Gateways have to trust the authority ${at(authority.path)}.`);
  steps.push(
    isKeyed(plan.local)
      ? `In the gateways' own settings only the host changes: to this machine, ${plan.local.listen}.`
      : `In the gateways' own settings only host and port change: to this machine, ${plan.local.listen}.`,
  );
  return `\n${steps.map((step) => `${step}\n`).join("\n")}\nNext:\n${commands(plan, out)}`;
}

interface Made {
  readonly made: readonly InitFile[];
  readonly at: (path: string) => string;
}

/** A key that was there may be registered already, but nobody is harmed by being told where it belongs. */
function keyToRegister({ upstream }: InitPlan, id: string, { made, at }: Made): readonly string[] {
  const { dialect, parameters } = upstream;
  const key = made.find(({ path }) => path === files.privateKey(id));
  if (key === undefined) return [];
  const publicKey = createPublicKey(key.text);
  const format = algorithmOf(publicKey) ?? "ES256";
  const where = (registers[dialect.name] ?? anyRegister)(id, parameters["registry"] ?? "", format);
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString().trimEnd();
  return [`Register the public key of "${id}", the other half of ${at(key.path)}:\n${where}\n\n${pem}`];
}

type Register = (id: string, registry: string, format: string) => string;

/** Where a cloud takes public keys. */
const registers: Readonly<Record<string, Register>> = {
  clearblade: (id, registry, format) =>
    `  ClearBlade IoT Core console: Registries > ${registry} > Gateways, create "${id}" with public key format ${format},\n  and bind its devices to it.`,
  omnicore: (id, registry, format) =>
    `  KORE OmniCore: in registry "${registry}", gateway "${id}" with public key format ${format}; bind its devices to it.`,
  google: (id, registry, format) =>
    `  Google's own service ended on 16 August 2023. What stands in its place needs gateway "${id}" in registry "${registry}"\n  with this key as ${format}.`,
};

const anyRegister: Register = (id, registry, format) =>
  `  In the cloud's registry "${registry}": gateway "${id}" with this key as ${format}, and its devices bound to it.`;

function tokenOfCloud({ upstream }: InitPlan, id: string): readonly string[] {
  if (upstream.dialect.name !== "thingsboard") return [`Gateway "${id}" needs an access token of the cloud.`];
  return [
    `ThingsBoard: Entities > Gateways, add "${id}" (or a device with "Is gateway" on) and copy its access token\n  into ${tokenVariable(id, "upstream")}, see below.`,
  ];
}

function commands(plan: InitPlan, out: string): string {
  const exports = plan.gateways.flatMap(({ id }) => [
    ...(isKeyed(plan.local) ? [] : [`export ${tokenVariable(id, "local")}=...   # the access token that "${id}" uses`]),
    ...(isKeyed(plan.upstream) ? [] : [`export ${tokenVariable(id, "upstream")}=...   # that of "${id}" in the cloud`]),
  ]);
  const file = out === "dragoman.yaml" ? "" : ` ${out}`;
  return [...exports, `dragoman check${file}`, `dragoman doctor${file}`, `dragoman run${file}`]
    .map((line) => `  ${line}\n`)
    .join("");
}
