import { createInterface } from "node:readline";
import type { Command } from "commander";
import { type Pairing, pairFor, pairOf } from "../bridge/pairing.ts";
import type { Dialect } from "../dialect/dialect.ts";
import { DragomanError } from "../errors.ts";
import { explainTranslation } from "../explain-translation.ts";
import { builtInDialects, dialectNamed } from "../mappings.ts";
import type { DeviceId } from "../message/message.ts";
import type { Packet } from "../message/packet.ts";
import { textOrBase64 } from "../message/payload-text.ts";
import { createTranslator, type Translator } from "../translate.ts";
import type { Io } from "./io.ts";
import { configFor } from "./load.ts";
import { manual } from "./manual.ts";

interface TranslateFlags {
  readonly from?: string;
  readonly to?: string;
  readonly config?: string;
  readonly gateway?: string;
  readonly deviceAttached: readonly string[];
  readonly down: boolean;
  readonly explain: boolean;
}

/** Adds `dragoman translate`: shows what packets become, without a connection. */
export function addTranslateCommand(program: Command, io: Io): void {
  program
    .command("translate")
    .description("show what a packet of the gateway becomes for the cloud or, with --down, the other way round")
    .argument("[topic]", 'topic; left out: JSON lines {"topic","payload","qos"} on stdin')
    .argument("[payload]", "payload as text", "")
    .option("--from <dialect>", "dialect of the gateway")
    .option("--to <dialect>", "dialect of the cloud")
    .option("--config <file>", "take dialects, parameters and rules from this configuration")
    .option("--gateway <id>", "with --config: which gateway, where there are several")
    .option("--device-attached <name...>", "devices that are attached already", [])
    .option("--down", "the packet is from the cloud", false)
    .option("--explain", "add which rule read and printed it, what its variables were, and what nearly fitted", false)
    .addHelpText(
      "after",
      manual({
        notes: `Prints one JSON line {"topic","qos","payload"} for each packet that would be sent ("payload64" where it is not text).
Acknowledgements and waiting times are taken as given.`,
        examples: [
          `dragoman translate --from thingsboard --to clearblade v1/gateway/telemetry '{"Device A":[{"ts":1483228800000,"values":{"t":42}}]}'`,
          `dragoman translate --config dragoman.yaml --explain v1/gateway/connect '{"device":"Device A"}'`,
          "dragoman translate --config dragoman.yaml --down /devices/Device%20A/commands/setLed on",
        ],
        exitCodes: { 0: "all was translated", 1: "some packet could not be used", 2: "wrong use" },
      }),
    )
    .action(async (topicArgument: string | undefined, payloadArgument: string, flags: TranslateFlags) => {
      const pairing = await pairingFor(flags, io);
      if (pairing === undefined) {
        io.exitCode = 2;
        return;
      }
      const { attached, topic, payload } =
        topicArgument === undefined
          ? withoutPacket(flags.deviceAttached)
          : { attached: flags.deviceAttached, topic: topicArgument, payload: payloadArgument };
      const translator = createTranslator({ ...pairing, attached: attached as readonly DeviceId[] });
      const each = (packet: Packet) => translateOne(packet, { pairing, translator, flags, io });
      if (topic !== undefined) io.exitCode = each({ topic, payload: Buffer.from(payload), qos: 1 });
      else for await (const packet of packetsOn(io)) io.exitCode = Math.max(io.exitCode, each(packet));
    });
}

/**
 * A packet that stands right behind `--device-attached NAME…` was taken for names: every topic has a level separator, and at most a
 * payload stands behind it. A name with a slash in front of a packet needs `--` behind it.
 */
function withoutPacket(names: readonly string[]): {
  readonly attached: readonly string[];
  readonly topic: string | undefined;
  readonly payload: string;
} {
  const at = names.findIndex((name, index) => index > 0 && index >= names.length - 2 && name.includes("/"));
  if (at < 0) return { attached: names, topic: undefined, payload: "" };
  return { attached: names.slice(0, at), topic: names[at], payload: names[at + 1] ?? "" };
}

async function pairingFor(flags: TranslateFlags, io: Io): Promise<Pairing | undefined> {
  if (flags.config === undefined) return pairOf(dialectCalled(flags.from, "--from"), dialectCalled(flags.to, "--to"));
  const config = await configFor(flags.config, io);
  if (config === undefined) return undefined;
  for (const [name, side] of [
    ["from", "local"],
    ["to", "upstream"],
  ] as const) {
    const given = flags[name];
    const { dialect } = config[side];
    if (given !== undefined && given !== dialect.name) {
      throw new DragomanError(
        "ERR_USAGE",
        `Cannot use --${name} ${given}: "${flags.config}" has ${side} dialect "${dialect.name}"`,
      );
    }
  }
  const gateway =
    flags.gateway === undefined ? config.gateways[0] : config.gateways.find(({ id }) => id === flags.gateway);
  if (gateway === undefined) {
    const known = config.gateways.map(({ id }) => `"${id}"`).join(", ");
    throw new DragomanError(
      "ERR_USAGE",
      `Cannot find gateway "${flags.gateway}" in "${flags.config}": wanted one of ${known}`,
    );
  }
  return pairFor(config, gateway);
}

function dialectCalled(name: string | undefined, flag: string): Dialect {
  if (name !== undefined) return dialectNamed(name);
  const { names } = builtInDialects();
  throw new DragomanError("ERR_USAGE", `Cannot translate without ${flag}: wanted one of ${names.join(", ")}`);
}

interface Work {
  readonly pairing: Pairing;
  readonly translator: Translator;
  readonly flags: TranslateFlags;
  readonly io: Io;
}

function translateOne(packet: Packet, { pairing, translator, flags, io }: Work): number {
  const direction = flags.down ? "down" : "up";
  const { read, mappedBy, sent, troubles } = explainTranslation(packet, { pairing, translator, direction });
  const why = { read, ...(pairing.mapping === undefined ? {} : { mappedBy }) };
  for (const { packet: one, rule } of sent) {
    const explain = flags.explain ? { explain: { ...why, printedBy: rule } } : {};
    io.stdout.write(
      `${JSON.stringify({ topic: one.topic, qos: one.qos, ...textOrBase64(one.payload), ...explain })}\n`,
    );
  }
  if (flags.explain && sent.length === 0) io.stdout.write(`${JSON.stringify({ explain: why })}\n`);
  for (const { text } of troubles) io.stderr.write(`dragoman: "${packet.topic}": ${text}\n`);
  return troubles.some(({ isFailure }) => isFailure) ? 1 : 0;
}

async function* packetsOn(io: Io): AsyncGenerator<Packet> {
  let line = 0;
  for await (const text of createInterface({ input: io.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    line += 1;
    if (text.trim() !== "") yield packetIn(text, line);
  }
}

function packetIn(text: string, line: number): Packet {
  const wrong = (state: string) => new DragomanError("ERR_USAGE", `Cannot read line ${line} of stdin: ${state}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong('not JSON, wanted {"topic","payload","qos"}');
  }
  const { topic, payload, payload64, qos = 1 } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof topic !== "string") throw wrong('"topic" must be a string');
  if (qos !== 0 && qos !== 1 && qos !== 2) throw wrong('"qos" must be 0, 1 or 2');
  if (typeof payload64 === "string") return { topic, payload: Buffer.from(payload64, "base64"), qos };
  if (payload !== undefined && typeof payload !== "string")
    throw wrong('"payload" must be text, or "payload64" base64');
  return { topic, payload: Buffer.from(payload ?? ""), qos };
}
