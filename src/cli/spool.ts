import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import type { Command } from "commander";
import { parseDuration } from "../config/formats.ts";
import { DragomanError } from "../errors.ts";
import type { DeviceId } from "../message/message.ts";
import type { RepairFilter, RepairOutcome, RepairStep, WaitingMessage } from "../message/repair.ts";
import type { Io } from "./io.ts";
import { configFor, defaultFile } from "./load.ts";
import { manual } from "./manual.ts";
import { withProgress } from "./progress.ts";
import { type AdminFlags, reachSpool, type SpoolAccess } from "./spool-access.ts";
import { auditSpool } from "./spool-audit.ts";
import { countOf, listText, retriedText, shownText } from "./spool-text.ts";

interface SpoolFlags extends AdminFlags {
  readonly gateway?: string;
  readonly device?: string;
  readonly reason?: string;
  readonly fate?: string;
  readonly age?: string;
  readonly id?: string;
  readonly json?: boolean;
  readonly limit?: string;
  readonly yes?: boolean;
}

/** Messages that one step treats. */
const stepLimit = 1000;

/** Adds `dragoman spool`: what is held or quarantined, and what to do with it. */
export function addSpoolCommand(program: Command, io: Io): void {
  const spool = program
    .command("spool")
    .description("show what is held or quarantined, try it again or discard it; on a running bridge or a stopped one")
    .addHelpText(
      "after",
      manual({
        notes: `Held messages wait for a device that the cloud refuses; quarantined ones for you. Every filter narrows down; without
any, all are meant. The bridge is asked where it runs, else its files are opened.`,
        examples: [
          "dragoman spool list",
          'dragoman spool list --device "Device A" --reason refused --age 1h',
          "dragoman spool show --id 1042.0",
          ['dragoman spool retry --reason "wrong shape"', "after the mapping was mended and taken over"],
          "dragoman spool discard --gateway gw-01 --fate quarantined --yes",
        ],
        exitCodes,
      }),
    );
  const subcommand = (name: string, { description, act, example }: Subcommand) =>
    filtered(spool.command(name).description(description))
      .addHelpText(
        "after",
        manual({ examples: [`dragoman spool ${name}`, `dragoman spool ${name} ${example}`], exitCodes }),
      )
      .action(async (file: string, flags: SpoolFlags) => {
        io.exitCode = await withSpool(file, { flags, io, act });
      });

  subcommand("list", {
    description: "list messages, nothing of their payloads",
    example: '--device "Device A" --reason refused --age 1h',
    act: list,
  })
    .option("--limit <count>", "so many at most", "100")
    .option("--json", "a line of JSON for each");
  subcommand("show", {
    description: "show messages with the packets they came in, which may hold secrets",
    example: "--id 1042.0",
    act: show,
  })
    .option("--limit <count>", "so many at most", "10")
    .option("--json", "a line of JSON for each, with exact bytes");
  subcommand("retry", {
    description: "try messages again: held ones with all of their device, quarantined ones in order",
    example: '--reason "wrong shape"',
    act: retry,
  });
  subcommand("discard", {
    description: "drop messages for good; they count as discarded",
    example: "--gateway gw-01 --fate quarantined --yes",
    act: discard,
  }).option("--yes", "do not ask");
  spool
    .command("audit")
    .description("count everything in a stopped bridge's spool anew, and compare it with the ledger")
    .argument("[file]", "configuration file", defaultFile)
    .addHelpText(
      "after",
      manual({
        examples: ["dragoman spool audit"],
        exitCodes: {
          0: "the ledger is right, or there is no spool yet",
          1: "the ledger is wrong, or a bridge has the spool open",
          2: "mistakes in the configuration, or wrong use",
        },
      }),
    )
    .action(async (file: string) => {
      io.exitCode = await auditSpool(file, io);
    });
}

interface Subcommand {
  readonly description: string;
  readonly example: string;
  readonly act: Act;
}

const exitCodes = {
  0: "done",
  1: "not reachable, nothing of that id, or some could not be tried again",
  2: "mistakes in the configuration, or wrong use",
} as const;

function filtered(command: Command): Command {
  return command
    .argument("[file]", "configuration file of the bridge", defaultFile)
    .option("--gateway <id>", "of this gateway, configured or not")
    .option("--device <name>", "of this device")
    .option("--reason <text>", "with this text in the reason")
    .option("--fate <fate>", "held or quarantined")
    .option("--age <duration>", "that came at least so long ago, as in 90s, 15m, 2h, 1d")
    .option("--id <id>", "this message, or with the number before the dot all of its packet")
    .option("--url <url>", "ask this admin server, and read no configuration")
    .option("--token <token>", "its token; DRAGOMAN_ADMIN_TOKEN keeps it out of process lists");
}

interface Task {
  readonly spool: SpoolAccess;
  readonly filter: RepairFilter;
  readonly flags: SpoolFlags;
  readonly io: Io;
}

type Act = (task: Task) => Promise<number>;

async function withSpool(
  file: string,
  { flags, io, act }: { readonly flags: SpoolFlags; readonly io: Io; readonly act: Act },
): Promise<number> {
  const filter = filterOf(flags);
  const config = flags.url === undefined ? await configFor(file, io) : undefined;
  if (config === undefined && flags.url === undefined) return 2;
  const spool = await reachSpool(config, flags, io);
  try {
    const { gateway } = filter;
    if (gateway !== undefined && !spool.gateways.includes(gateway)) {
      const known = spool.gateways.map((id) => `"${id}"`).join(", ");
      const wanted = known === "" ? "and nothing has" : `wanted one of ${known}`;
      throw new DragomanError("ERR_USAGE", `Cannot find gateway "${gateway}": it has nothing in the spool, ${wanted}`);
    }
    return await act({ spool, filter, flags, io });
  } finally {
    await spool.close();
  }
}

function filterOf({ gateway, device, reason, fate, age, id }: SpoolFlags): RepairFilter {
  const wrong = (flag: string, state: string) => new DragomanError("ERR_USAGE", `Cannot use --${flag}: ${state}`);
  if (fate !== undefined && fate !== "held" && fate !== "quarantined") {
    throw wrong("fate", `found "${fate}", wanted held or quarantined`);
  }
  const minAgeMs = age === undefined ? undefined : parseDuration(age);
  if (age !== undefined && minAgeMs === undefined) {
    throw wrong("age", `found "${age}", wanted a duration such as 90s, 15m or 2h`);
  }
  const match = id === undefined ? undefined : /^(\d{1,15})(?:\.(\d{1,9}))?$/.exec(id);
  if (match === null) throw wrong("id", `found "${id}", wanted one as in "dragoman spool list": 1042.0`);
  return {
    ...(gateway === undefined ? {} : { gateway }),
    ...(device === undefined ? {} : { device: device as DeviceId }),
    ...(reason === undefined ? {} : { reason }),
    ...(fate === undefined ? {} : { fate }),
    ...(minAgeMs === undefined ? {} : { minAgeMs }),
    ...(match === undefined ? {} : { seq: Number(match[1]) }),
    ...(match?.[2] === undefined ? {} : { index: Number(match[2]) }),
  };
}

async function list({ spool, filter, flags, io }: Task): Promise<number> {
  const { messages, isMore } = await find(spool, filter, limitOf(flags));
  if (flags.json) for (const message of messages) io.stdout.write(`${JSON.stringify(message)}\n`);
  else io.stdout.write(messages.length === 0 ? nothingText(filter) : listText(messages, Date.now()));
  if (isMore) io.stderr.write(`dragoman: there are more; --limit shows them\n`);
  return missed(filter, messages.length);
}

async function show({ spool, filter, flags, io }: Task): Promise<number> {
  const { messages, isMore } = await find(spool, filter, limitOf(flags));
  const texts: string[] = [];
  for (const message of messages) {
    const shown = await spool.show(message);
    if (shown === undefined) continue; // it has gone meanwhile
    texts.push(flags.json ? `${JSON.stringify(shown)}\n` : shownText(shown, Date.now()));
  }
  if (!flags.json && texts.length === 0) io.stdout.write(nothingText(filter));
  io.stdout.write(texts.join(flags.json ? "" : "\n"));
  if (isMore) io.stderr.write(`dragoman: there are more; --limit shows them\n`);
  return missed(filter, texts.length);
}

async function retry({ spool, filter, io }: Task): Promise<number> {
  const outcome = await throughAll(filter, { io, doing: "retrying", treat: (step) => spool.retry(step) });
  const isNothing = outcome.done + outcome.kept === 0;
  io.stdout.write(isNothing ? nothingText(filter) : retriedText(outcome, spool.isRunning));
  return outcome.kept > 0 ? 1 : missed(filter, outcome.done);
}

async function discard({ spool, filter, flags, io }: Task): Promise<number> {
  const isAsking = flags.yes !== true && io.stdin.isTTY === true;
  if (!isAsking && flags.yes !== true && Object.keys(filter).length === 0) {
    throw new DragomanError("ERR_USAGE", "Cannot discard everything: wanted a filter, or --yes");
  }
  if (isAsking && !(await confirm(spool, filter, io))) return 1;
  const { done } = await throughAll(filter, { io, doing: "discarding", treat: (step) => spool.discard(step) });
  io.stdout.write(done === 0 ? nothingText(filter) : `${countOf(done)} discarded\n`);
  return missed(filter, done);
}

async function confirm(spool: SpoolAccess, filter: RepairFilter, io: Io): Promise<boolean> {
  const { messages, isMore } = await find(spool, filter, stepLimit);
  if (messages.length === 0) return true;
  const many = `${countOf(messages.length)}${isMore ? " or more" : ""}`;
  const output = new Writable({
    write: (chunk, _encoding, done) => {
      io.stderr.write(String(chunk));
      done();
    },
  });
  const terminal = createInterface({ input: io.stdin, output });
  try {
    const answer = await terminal.question(`Discard ${many} for good? Type "yes": `);
    if (answer.trim().toLowerCase() === "yes") return true;
    io.stderr.write("dragoman: nothing was discarded\n");
    return false;
  } finally {
    terminal.close();
  }
}

async function find(
  spool: SpoolAccess,
  filter: RepairFilter,
  limit: number,
): Promise<{ readonly messages: readonly WaitingMessage[]; readonly isMore: boolean }> {
  const messages: WaitingMessage[] = [];
  let after: string | undefined;
  do {
    const step = { filter, limit: Math.min(stepLimit, limit + 1 - messages.length) };
    const page = await spool.list({ ...step, ...(after === undefined ? {} : { after }) });
    messages.push(...page.messages);
    after = page.next;
  } while (after !== undefined && messages.length <= limit);
  return { messages: messages.slice(0, limit), isMore: messages.length > limit };
}

interface Treatment {
  readonly io: Io;
  /** What is done, as it is shown while it takes long. */
  readonly doing: string;
  readonly treat: (step: RepairStep) => Promise<RepairOutcome>;
}

function throughAll(filter: RepairFilter, { io, doing, treat }: Treatment): Promise<RepairOutcome> {
  return withProgress(io, doing, async (progress) => {
    let sum: RepairOutcome = { done: 0, kept: 0, examples: [], idle: [] };
    let after: string | undefined;
    do {
      const step = { filter, limit: stepLimit, ...(after === undefined ? {} : { after }) };
      const { done, kept, examples, idle, next } = await treat(step);
      sum = {
        done: sum.done + done,
        kept: sum.kept + kept,
        examples: [...sum.examples, ...examples].slice(0, 10),
        idle: [...new Set([...sum.idle, ...idle])],
      };
      progress(sum.done + sum.kept);
      after = next;
    } while (after !== undefined);
    return sum;
  });
}

function limitOf({ limit = "" }: SpoolFlags): number {
  if (/^[1-9]\d{0,8}$/.test(limit)) return Number(limit);
  throw new DragomanError("ERR_USAGE", `Cannot use --limit: found "${limit}", wanted a number from 1`);
}

function nothingText(filter: RepairFilter): string {
  return Object.keys(filter).length === 0
    ? "nothing is held or quarantined\n"
    : "nothing that is held or quarantined fits\n";
}

/** Who names a message wants to know that there is none. */
function missed({ seq }: RepairFilter, found: number): number {
  return seq !== undefined && found === 0 ? 1 : 0;
}
