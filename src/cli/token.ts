import type { Command } from "commander";
import { upstreamAccess } from "../bridge/upstream-access.ts";
import type { Config, GatewayConfig } from "../config.ts";
import { DragomanError } from "../errors.ts";
import { loginFor } from "../upstream/login.ts";
import { inspectToken, type TokenReport } from "../upstream/token.ts";
import type { Io } from "./io.ts";
import { configFor, defaultFile } from "./load.ts";
import { manual } from "./manual.ts";
import { printable, shortAge } from "./table.ts";

interface TokenFlags {
  readonly gateway?: string;
  readonly login?: boolean;
  readonly inspect?: string;
}

/** Adds `dragoman token`: makes the JWT that a gateway would log in with, or says what is in one. */
export function addTokenCommand(program: Command, io: Io): void {
  program
    .command("token")
    .description("make the JWT that a gateway logs in with upstream, or say what is in one")
    .argument("[file]", "configuration file", defaultFile)
    .option("--gateway <id>", "which gateway; needed where there are several")
    .option("--login", "print everything the gateway connects with, as JSON")
    .option("--inspect <jwt>", "say what is in this token instead; - reads it from stdin")
    .addHelpText(
      "after",
      manual({
        notes: "What is made is a credential: whoever has it can log in until it expires.",
        examples: [
          "dragoman token --gateway gw-01",
          ["dragoman token --login", "user name, password, client id and address, for another client"],
          ["dragoman token | dragoman token --inspect -", "what is in it, and what the clouds would object to"],
        ],
        exitCodes: { 0: "made, or nothing to object to", 1: "there is something to object to", 2: "wrong use" },
      }),
    )
    .action(async (file: string, flags: TokenFlags) => {
      io.exitCode = flags.inspect === undefined ? await mint(file, flags, io) : await inspect(flags.inspect, io);
    });
}

async function mint(file: string, flags: TokenFlags, io: Io): Promise<number> {
  const config = await configFor(file, io);
  if (config === undefined) return 2;
  const { dialect, options } = config.upstream;
  const gateway = chooseGateway(config, flags.gateway);
  const { url, rules } = upstreamAccess(config, gateway);
  if (rules.credentials !== "jwt" && flags.login !== true) {
    throw new DragomanError(
      "ERR_USAGE",
      `Cannot make a token for gateway "${gateway.id}": dialect "${dialect.name}" logs in without one, wanted --login`,
    );
  }
  const login = await loginFor({ rules, gateway: gateway.upstream, tokenLifetimeMs: options.tokenLifetime })();
  io.stdout.write(
    flags.login === true ? `${JSON.stringify({ url, ...login }, undefined, 2)}\n` : `${login.password}\n`,
  );
  return 0;
}

function chooseGateway({ gateways, file }: Config, id: string | undefined): GatewayConfig {
  const known = gateways.map((gateway) => `"${gateway.id}"`).join(", ");
  const chosen =
    id === undefined && gateways.length === 1 ? gateways[0] : gateways.find((gateway) => gateway.id === id);
  if (chosen !== undefined) return chosen;
  throw new DragomanError(
    "ERR_USAGE",
    id === undefined
      ? `Cannot choose a gateway of "${file}": found ${gateways.length}, wanted --gateway with one of ${known}`
      : `Cannot choose gateway "${id}" of "${file}": found no such gateway, wanted one of ${known}`,
  );
}

async function inspect(source: string, io: Io): Promise<number> {
  const jwt = (source === "-" ? await textOf(io) : source).trim().replace(/^bearer\s+/i, "");
  const nowMs = Date.now();
  const report = inspectToken(jwt, nowMs);
  io.stdout.write(`${reportLines(report, nowMs).map(printable).join("\n")}\n`);
  return report.objections.length === 0 ? 0 : 1;
}

async function textOf(io: Io): Promise<string> {
  let text = "";
  for await (const chunk of io.stdin) text += String(chunk);
  return text;
}

/** What is in a token, for people. */
export function reportLines(report: TokenReport, nowMs: number): readonly string[] {
  const { header, claims, issuedAtMs, expiresAtMs, lifetimeMs, objections } = report;
  const line = (name: string, value: string) => `${name.padEnd(10)}${value}`;
  return [
    line("header", JSON.stringify(header)),
    line("claims", JSON.stringify(claims)),
    line("audience", typeof claims.aud === "string" ? claims.aud : "none"),
    line("issued", timeText(issuedAtMs, nowMs)),
    line("expires", timeText(expiresAtMs, nowMs)),
    ...(lifetimeMs === undefined ? [] : [line("lifetime", shortAge(lifetimeMs))]),
    line("clock", `${isoTime(nowMs)} on this machine; the clouds tolerate 10 minutes of difference`),
    line("signature", "not verified"),
    ...(objections.length === 0 ? [line("verdict", "nothing to object to")] : []),
    ...objections.map((objection) => line("objection", objection)),
  ];
}

function timeText(atMs: number | undefined, nowMs: number): string {
  if (atMs === undefined) return "not said";
  return atMs > nowMs
    ? `${isoTime(atMs)} (in ${shortAge(atMs - nowMs)})`
    : `${isoTime(atMs)} (${shortAge(nowMs - atMs)} ago)`;
}

/** Without milliseconds; far beyond the calendar just the number. */
function isoTime(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString().replace(/\.\d+Z$/, "Z") : `${ms} ms`;
}
