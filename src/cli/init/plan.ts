import { parseAddress } from "../../config/address.ts";
import { formats } from "../../config/formats.ts";
import type { Dialect } from "../../dialect/dialect.ts";
import { builtInDialects, dialectNamed } from "../../mappings.ts";
import type { Interview } from "./questions.ts";

/** What `dragoman init` was asked for. Parameters of the dialects stand beside these, as `project` and `localProject`. */
export interface InitFlags {
  readonly local?: string;
  readonly upstream?: string;
  readonly gateway?: readonly string[];
  readonly listen?: string;
  readonly url?: string;
  readonly publicKey?: readonly string[];
  readonly tlsName?: readonly string[];
  readonly allowPlaintext?: boolean;
  readonly spool?: string;
  readonly out: string;
  readonly force?: boolean;
  readonly yes?: boolean;
}

/** A configuration that is to be written. */
export interface InitPlan {
  readonly local: SidePlan & { readonly listen: string };
  readonly upstream: SidePlan & { readonly url?: string };
  readonly gateways: readonly GatewayPlan[];
  /** Folder of the spool; left out, as the schema says. */
  readonly spool?: string;
}

interface SidePlan {
  readonly dialect: Dialect;
  readonly parameters: Readonly<Record<string, string>>;
  /** Whether what is not TLS was allowed beyond loopback. */
  readonly allowPlaintext: boolean;
}

export interface GatewayPlan {
  readonly id: string;
  /** File with the public key that the gateway has already; left out where it has none, or needs none. */
  readonly publicKey?: string;
}

/** Finds out everything that the configuration needs. */
export async function planFrom(flags: InitFlags, interview: Interview): Promise<InitPlan> {
  const { names } = builtInDialects();
  const dialectOf = async (flag: "local" | "upstream", text: string): Promise<Dialect | undefined> => {
    const question = { flag: `--${flag}`, text, given: flags[flag], choices: names };
    const name = await interview.answer(question);
    return name === "" ? undefined : dialectNamed(name);
  };
  const localDialect = await dialectOf("local", "What do the gateways speak?");
  const upstreamDialect = await dialectOf("upstream", "What does the cloud speak?");
  interview.finish(); // the other questions depend on these two
  if (localDialect === undefined || upstreamDialect === undefined) throw new Error("Dialects are known by now");

  const listed = await interview.answer({
    ...{ flag: "--gateway", text: "Ids of the gateways, in the cloud too", given: flags.gateway?.join(" ") },
    ...{
      fallback: "gw-01",
      fault: (answer: string) =>
        idsIn(answer)
          .map(idFault)
          .find((fault) => fault !== undefined),
    },
  });
  const upstream = await parametersOf(upstreamDialect, {
    side: "cloud",
    prefix: "",
    given: flags,
    interview,
    usual: {},
  });
  const local = await parametersOf(localDialect, {
    ...{ side: "gateway", prefix: "local", given: flags, interview },
    usual: { ...valuesIn(localDialect, flags), ...upstream },
  });
  const needsUrl = upstreamDialect.connection.url === undefined;
  const url = await interview.answer({
    ...{ flag: "--url", text: "Address of the cloud, mqtts://HOST:8883", given: flags.url, fault: addressFault },
    ...(needsUrl ? {} : { given: flags.url ?? "" }),
  });
  const listen = await interview.answer({
    ...{ flag: "--listen", text: "Where shall the gateways connect?", given: flags.listen },
    fault: addressFault,
    fallback: localDialect.connection.credentials === "jwt" ? "mqtts://0.0.0.0:8883" : "mqtt://127.0.0.1:1883",
  });
  const plaintext = (address: string) => plaintextAllowed(address, flags, interview);
  const plan = {
    local: { dialect: localDialect, parameters: local, listen, allowPlaintext: await plaintext(listen) },
    upstream: {
      ...{ dialect: upstreamDialect, parameters: upstream, allowPlaintext: await plaintext(url) },
      ...(url === "" ? {} : { url }),
    },
    ...(flags.spool === undefined ? {} : { spool: flags.spool }),
    gateways: await gatewaysOf(idsIn(listed), {
      flags,
      interview,
      hasKeys: localDialect.connection.credentials === "jwt",
    }),
  };
  interview.finish();
  return plan;
}

function idsIn(answer: string): readonly string[] {
  return [...new Set(answer.split(/[\s,]+/).filter((id) => id !== ""))];
}

/** The rest is for the dialects to say, when the configuration is checked; but ids also become names of files. */
function idFault(id: string): string | undefined {
  const isGood = formats.id.fault(id) === undefined && !id.startsWith(".");
  return isGood ? undefined : `"${id}", wanted ${formats.id.wanted}`;
}

function addressFault(url: string): string | undefined {
  if (url === "") return undefined;
  const address = parseAddress(url, ["mqtt", "mqtts"]);
  return "fault" in address ? `${address.fault}, wanted ${formats.mqttUrl.wanted}` : undefined;
}

interface ParameterSource {
  readonly side: string;
  /** What the names of its flags begin with. */
  readonly prefix: "" | "local";
  readonly given: object;
  readonly interview: Interview;
  readonly usual: Readonly<Record<string, string>>;
}

async function parametersOf(
  dialect: Dialect,
  { side, prefix, given, interview, usual }: ParameterSource,
): Promise<Readonly<Record<string, string>>> {
  const values: Record<string, string> = {};
  for (const { name, describe, default: fallback } of dialect.parameters) {
    const key = prefix === "" ? name : prefix + name.charAt(0).toUpperCase() + name.slice(1);
    const said = (given as Readonly<Record<string, string | undefined>>)[key];
    values[name] = await interview.answer({
      flag: `--${name}`,
      text: `For the ${side}: ${describe.replace(/\.$/, "")}`,
      given: said,
      fallback: usual[name] ?? fallback,
    });
  }
  return values;
}

/** The parameters that flags give for both sides. */
function valuesIn({ parameters }: Dialect, flags: object): Readonly<Record<string, string>> {
  const given = flags as Readonly<Record<string, string | undefined>>;
  return Object.fromEntries(parameters.flatMap(({ name }) => (given[name] === undefined ? [] : [[name, given[name]]])));
}

/** Whether what passes there may be read on the way; only asked where it could be. */
async function plaintextAllowed(url: string, flags: InitFlags, interview: Interview): Promise<boolean> {
  const address = parseAddress(url, ["mqtt", "mqtts"]);
  if ("fault" in address || address.scheme !== "mqtt" || address.isLoopback) return false;
  if (flags.allowPlaintext === true || !interview.isAsking) return flags.allowPlaintext === true;
  const answer = await interview.answer({
    ...{ flag: "--allow-plaintext", choices: ["yes", "no"], fallback: "no" },
    text: `Without TLS, credentials and data can be read on the way to ${url}; allow that?`,
  });
  return answer === "yes";
}

interface GatewaySource {
  readonly flags: InitFlags;
  readonly interview: Interview;
  readonly hasKeys: boolean;
}

async function gatewaysOf(
  ids: readonly string[],
  { flags, interview, hasKeys }: GatewaySource,
): Promise<readonly GatewayPlan[]> {
  const gateways: GatewayPlan[] = [];
  for (const [index, id] of ids.entries()) {
    const file = hasKeys
      ? await interview.answer({
          ...{ flag: "--public-key", given: flags.publicKey?.[index], fallback: "" },
          text: `File with the public key of "${id}", PEM (empty: make a new key for the gateway)`,
        })
      : "";
    gateways.push({ id, ...(file === "" ? {} : { publicKey: file }) });
  }
  return gateways;
}
