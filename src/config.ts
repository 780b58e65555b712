import type { AdminOptions } from "./admin/options.ts";
import { anyParameters } from "./config/any-parameters.ts";
import { checkAddresses } from "./config/check-addresses.ts";
import { checkCredentials } from "./config/check-credentials.ts";
import { checkIds, type Sides } from "./config/check-ids.ts";
import { checkSecrets } from "./config/check-secrets.ts";
import { checkTls } from "./config/check-tls.ts";
import { oneOf } from "./config/describe.ts";
import { loadMapping } from "./config/load-mapping.ts";
import type { LogOptions } from "./config/log-options.ts";
import { mergeRules } from "./config/merge-rules.ts";
import type { Mistake } from "./config/mistake.ts";
import { didYouMean } from "./config/near-miss.ts";
import type { ReloadOptions } from "./config/reload-options.ts";
import { createReport } from "./config/report.ts";
import { resolveOptions } from "./config/resolve.ts";
import { configSchema, type Parameters } from "./config/schema.ts";
import { type Section, sectionOf } from "./config/section.ts";
import { readSource, type Source } from "./config/source.ts";
import { validate } from "./config/validate.ts";
import type { Deployment } from "./dialect/deployment/deployment.ts";
import type { Dialect } from "./dialect/dialect.ts";
import { type RulesOptions, rulesSchema } from "./gateway/options.ts";
import type { GatewayLocalOptions, LocalOptions } from "./local/options.ts";
import { builtInDialects, type DialectLibrary } from "./mappings.ts";
import type { SpoolOptions } from "./spool/options.ts";
import type { GatewayUpstreamOptions, UpstreamOptions } from "./upstream/options.ts";

/** A checked configuration: defaults filled in, references replaced, durations in milliseconds, sizes in bytes; frozen. */
export interface Config {
  /** The file it came from, as it was asked for. */
  readonly file: string;
  readonly local: {
    readonly dialect: Dialect;
    /** Values of the dialect's parameters. */
    readonly parameters: Readonly<Record<string, string>>;
    readonly options: LocalOptions;
  };
  readonly upstream: {
    readonly dialect: Dialect;
    readonly parameters: Readonly<Record<string, string>>;
    readonly options: UpstreamOptions;
    /** Where to connect: the option, or else the dialect's own address. */
    readonly url: string;
  };
  readonly gateways: readonly GatewayConfig[];
  /** The deployment's own mapping file, on top of both dialects. */
  readonly mapping?: Deployment;
  readonly spool: SpoolOptions;
  readonly admin: AdminOptions | false;
  readonly log: LogOptions;
  readonly reload: ReloadOptions;
}

export interface GatewayConfig {
  readonly id: string;
  readonly local: GatewayLocalOptions;
  readonly upstream: GatewayUpstreamOptions & {
    /** The gateway's id in the cloud. */
    readonly gateway: string;
  };
  /** Those for all gateways and, before them, its own. */
  readonly rules: RulesOptions;
}

export interface LoadConfigOptions {
  /** What `${NAME}` reads. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The dialects that may be named; those of the package if left out. */
  readonly dialects?: DialectLibrary;
  /** Called as the gateways are checked, which takes some seconds for ten thousand. */
  readonly progress?: (done: number, total: number) => void;
}

/** A configuration, or every mistake in it. */
export type Loaded = ({ readonly config: Config } | { readonly mistakes: readonly Mistake[] }) & {
  /** What was read for it, or should have been: absolute paths. */
  readonly files: readonly string[];
};

/**
 * Reads a configuration file and all files it refers to, and checks it: opens no port and makes no connection.
 *
 * @returns The configuration, or every mistake in it, each with its place, in reading order. Mistakes never hold secrets.
 */
export async function loadConfig(file: string, options: LoadConfigOptions): Promise<Loaded> {
  const library = options.dialects ?? builtInDialects();
  const source = readSource(file, { env: options.env, includes: ["/gateways"] });
  const report = createReport(source);
  if (source.broken.has("")) return { mistakes: report.mistakes(), files: [...source.files] };

  const root = sectionOf(source, report);
  const mappingMistakes: Mistake[] = [];
  const sides: Sides = { local: dialectOf("local"), upstream: dialectOf("upstream") };
  const schema = configSchema({ local: parametersOf("local"), upstream: parametersOf("upstream") });
  validate(schema, source, report);
  checkProtocol(root, sides);
  if (source.nodes.get("/allowInlineSecrets")?.value !== true) checkSecrets(schema, source, report);
  checkAddresses(root, sides.upstream);
  checkIds(root, sides);
  checkTls(root);
  checkCredentials(root, sides, options.progress);

  const mapping = loadMapping(root, source, sides);
  mappingMistakes.push(...mapping.mistakes);
  const files = [...source.files, ...mapping.files];

  const mistakes = [...report.mistakes(), ...mappingMistakes];
  const { local, upstream } = sides;
  if (mistakes.length > 0 || local === undefined || upstream === undefined) return { mistakes, files };
  return { config: resolveConfig(source, schema, { local, upstream, mapping: mapping.deployment }), files };

  function dialectOf(side: "local" | "upstream"): Dialect | undefined {
    const name = root.section(side).text("dialect");
    if (name === undefined) return undefined;
    const compiled = library.load(name);
    if (compiled === undefined) {
      const known = library.names;
      root.section(side).report(`found "${name}", wanted ${oneOf(known)}${didYouMean(name, known)}`, "dialect");
      return undefined;
    }
    if ("dialect" in compiled) return compiled.dialect;
    if (side === "local" || root.section("local").text("dialect") !== name) mappingMistakes.push(...compiled.mistakes);
    return undefined;
  }

  /** Of an unknown dialect, whatever any dialect may need is let pass. */
  function parametersOf(side: "local" | "upstream"): Parameters {
    const dialect = sides[side];
    return dialect !== undefined ? dialect.parameters : anyParameters(library);
  }
}

function checkProtocol(root: Section, { upstream }: Sides): void {
  const protocol = root.section("upstream").number("protocol");
  const protocols = (upstream?.connection.protocols ?? []).filter((level) => level !== 3);
  if (protocol !== undefined && upstream !== undefined && !protocols.some((level) => level === protocol)) {
    const wanted = `${oneOf(protocols)} (dialect "${upstream.name}")`;
    root.section("upstream").report(`found ${protocol}, wanted ${wanted}`, "protocol");
  }
}

function resolveConfig(
  source: Source,
  schema: ReturnType<typeof configSchema>,
  dialects: { readonly local: Dialect; readonly upstream: Dialect; readonly mapping: Deployment | undefined },
): Config {
  const { local, upstream, gateways, spool, admin, log, reload } = resolveOptions(
    schema,
    source.value,
    source.folder,
  ) as Omit<Config, "file" | "local" | "upstream"> & {
    readonly local: LocalOptions;
    readonly upstream: UpstreamOptions;
  };
  const parameters = {
    local: parametersIn(local, dialects.local),
    upstream: parametersIn(upstream, dialects.upstream),
  };
  const url = upstream.url ?? dialects.upstream.bind(parameters.upstream).url;
  const raw = source.value as RawConfig;
  const rulesWith = (own: object | undefined) =>
    resolveOptions(rulesSchema, mergeRules(raw.rules, own), source.folder) as RulesOptions;
  const rulesOfAll = rulesWith(undefined);
  const ownRules = (index: number) => raw.gateways[index]?.rules;
  return Object.freeze({
    file: source.file,
    local: Object.freeze({ dialect: dialects.local, parameters: parameters.local, options: local }),
    upstream: Object.freeze({
      dialect: dialects.upstream,
      parameters: parameters.upstream,
      options: upstream,
      url: url as string,
    }),
    gateways: Object.freeze(
      gateways.map((gateway, index) =>
        Object.freeze({
          ...gateway,
          upstream: Object.freeze({ ...gateway.upstream, gateway: gateway.upstream.gateway ?? gateway.id }),
          rules: ownRules(index) === undefined ? rulesOfAll : rulesWith(ownRules(index)),
        }),
      ),
    ),
    ...(dialects.mapping === undefined ? {} : { mapping: dialects.mapping }),
    spool,
    admin,
    log,
    reload,
  });
}

/** As far as rules go, what a file that fits the schema holds. */
interface RawConfig {
  readonly rules?: object;
  readonly gateways: readonly { readonly rules?: object }[];
}

function parametersIn(options: object, dialect: Dialect): Readonly<Record<string, string>> {
  const given = options as Readonly<Record<string, string>>;
  return Object.freeze(Object.fromEntries(dialect.parameters.map(({ name }) => [name, given[name] ?? ""])));
}
