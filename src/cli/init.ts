import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { Command } from "commander";
import { formatMistake } from "../config/mistake.ts";
import { DragomanError } from "../errors.ts";
import { makeFiles, mistakesIn, writeAll } from "./init/make-files.ts";
import { nextSteps } from "./init/next-steps.ts";
import { type InitFlags, planFrom } from "./init/plan.ts";
import { whileAsking, withoutAsking } from "./init/questions.ts";
import type { Io } from "./io.ts";
import { defaultFile } from "./load.ts";
import { manual } from "./manual.ts";
import { printable } from "./table.ts";

/** The dialects' parameters; written here so that no other command has to read the mapping files for its help. */
const parameters = {
  project: "id of the cloud project (clearblade, google)",
  location: "region of the registry (clearblade, google)",
  registry: "id of the device registry (clearblade, google, omnicore)",
  subscription: "id of the subscription (omnicore)",
};

/** Adds `dragoman init`: a first configuration, with the keys it needs. */
export function addInitCommand(program: Command, io: Io): void {
  const command = program
    .command("init")
    .description("write a first configuration and make the keys it needs; asks for what no flag says")
    .option("--local <dialect>", "what the gateways speak")
    .option("--upstream <dialect>", "what the cloud speaks")
    .option("--gateway <id...>", "ids of the gateways")
    .option("--listen <url>", "where gateways connect, mqtt://HOST:PORT or mqtts://HOST:PORT")
    .option("--url <url>", "address of the cloud, where the dialect has none of its own");
  for (const [name, text] of Object.entries(parameters)) command.option(`--${name} <id>`, text);
  for (const name of Object.keys(parameters)) {
    command.option(`--local-${name} <id>`, "that of the cloud the gateways were written for, where it differs");
  }
  command
    .option("--public-key <file...>", "public keys that the gateways have already, in the order of --gateway")
    .option("--tls-name <host...>", "further names of this machine, for the certificate that is made")
    .option("--allow-plaintext", "let addresses beyond this machine go without TLS")
    .option("--spool <folder>", "where messages wait for the cloud, such as /var/lib/dragoman/spool")
    .option("--out <file>", "where the configuration goes; keys go beside it", defaultFile)
    .option("--force", "replace a configuration that is there; keys are kept all the same")
    .option("-y, --yes", "ask nothing: what no flag says is as usual, or missing")
    .addHelpText(
      "after",
      manual({
        notes: `Keys and certificates that are there already are kept. Tokens are not written: the configuration reads them from the
environment, and the last lines say from which variables. Nothing is written where "dragoman check" would object.`,
        examples: [
          "dragoman init",
          `dragoman init --yes --local thingsboard --upstream clearblade --project acme-iot --location us-central1 --registry plant-1`,
          `dragoman init --yes --local google --upstream thingsboard --url mqtts://tb.example.com --project acme-iot --location us-central1 \\
      --registry plant-1 --gateway gw-01 --public-key gw-01.pub.pem`,
        ],
        exitCodes: {
          0: "written",
          1: "could not be written",
          2: "something is missing, will not do, or is there already",
        },
      }),
    )
    .action(async (flags: InitFlags) => {
      io.exitCode = await initialize(flags, io);
    });
}

async function initialize(flags: InitFlags, io: Io): Promise<number> {
  const { out } = flags;
  if (flags.force !== true && existsSync(out)) {
    throw new DragomanError(
      "ERR_USAGE",
      `Cannot write "${out}": it is there already, wanted another --out, or --force`,
    );
  }
  const isAsking = flags.yes !== true && io.stdin.isTTY === true;
  const plan = isAsking
    ? await whileAsking(io, (interview) => planFrom(flags, interview))
    : await planFrom(flags, withoutAsking());
  const made = await makeFiles(plan, { out, tlsNames: flags.tlsName ?? [] });
  const mistakes = await mistakesIn(plan, made, out);
  if (mistakes.length > 0) {
    for (const mistake of mistakes) io.stderr.write(`${formatMistake(mistake)}\n`);
    io.stderr.write("dragoman: nothing was written, for these answers would not work\n");
    return 2;
  }
  await writeAll(
    made.filter(({ isKept }) => !isKept),
    dirname(out),
  );
  for (const { path, isKept } of made) io.stdout.write(printable(`${isKept ? "kept" : "made"} ${path}`).concat("\n"));
  io.stdout.write(nextSteps(plan, made, out));
  return 0;
}
