import type { Command } from "commander";
import { parseDuration } from "../config/formats.ts";
import { formatMistake } from "../config/mistake.ts";
import { type Config, type GatewayConfig, loadConfig } from "../config.ts";
import { Checkup, type Finding, type Step, type Witness } from "../doctor/checkup.ts";
import { examine, type Verdict, verdictOf } from "../doctor/examine.ts";
import type { RunningBridge } from "../doctor/running-bridge.ts";
import { DragomanError } from "../errors.ts";
import { doctorText } from "./doctor-text.ts";
import type { Io } from "./io.ts";
import { defaultFile } from "./load.ts";
import { manual } from "./manual.ts";
import { findRunningBridge } from "./running-bridge.ts";

interface DoctorFlags {
  readonly gateway?: string;
  readonly device?: string;
  readonly hold: string;
  readonly takeOver?: boolean;
  readonly json?: boolean;
  readonly verbose?: boolean;
  readonly url?: string;
  readonly token?: string;
}

const exitCodes: Readonly<Record<Verdict, number>> = { healthy: 0, doubtful: 3, broken: 1 };

/** Adds `dragoman doctor`: goes the way of a message step by step, and says what is wrong and why. */
export function addDoctorCommand(program: Command, io: Io): void {
  program
    .command("doctor")
    .description("try everything a bridge needs, step by step, and say what is wrong, why, and what to do")
    .argument("[file]", "configuration file", defaultFile)
    .option("--gateway <id>", "only this gateway; all if left out")
    .option("--device <name>", "also attach this device, named as its gateway names it")
    .option("--hold <duration>", "how long each connection is watched for another user of its identity", "5s")
    .option("--take-over", "connect even where that ends a running bridge's connection")
    .option("--json", "print the steps and the verdict as one JSON document")
    .option("--verbose", "show details and sources of what is right, too")
    .option("--url <url>", "where the running bridge's admin server answers, if not as configured")
    .option("--token <token>", "its token; DRAGOMAN_ADMIN_TOKEN keeps it out of process lists")
    .addHelpText(
      "after",
      manual({
        notes: `It logs in with the gateways' own identities, subscribes, and publishes nothing but the attach that was asked for. A cloud
keeps one connection per identity, so where a bridge runs and is connected, that is asked instead. A device that is attached
elsewhere moves here for the moment; ThingsBoard creates one that it does not know.`,
        examples: [
          "dragoman doctor",
          ['dragoman doctor plant.yaml --gateway gw-01 --device "Device A"', "one gateway, and a device behind it"],
          [`dragoman doctor --json | jq '.steps[] | select(.outcome == "fail")'`, "what does not work, for programs"],
        ],
        exitCodes: {
          0: "all is well",
          1: "something does not work",
          2: "mistakes in the configuration, or wrong use",
          3: "something is doubtful",
        },
      }),
    )
    .action(async (file: string, flags: DoctorFlags) => {
      io.exitCode = await doctor(file, flags, io);
    });
}

async function doctor(file: string, flags: DoctorFlags, io: Io): Promise<number> {
  const holdMs = parseDuration(flags.hold);
  if (holdMs === undefined) {
    throw new DragomanError("ERR_USAGE", `Cannot use --hold "${flags.hold}": wanted a duration such as 5s or 2m`);
  }
  const { witness, finish } = printing(flags, io);
  const checkup = new Checkup(witness);
  const loaded = await loadConfig(file, { env: io.env });
  if ("mistakes" in loaded) {
    const [first = "", ...others] = loaded.mistakes.map(formatMistake);
    const found = others.length === 0 ? first : `${loaded.mistakes.length} mistakes`;
    const details = others.length === 0 ? [] : [first, ...others];
    await checkup.step({ id: "config", title: "configuration" }, () => ({ outcome: "fail", found, details }));
    finish(file, checkup.steps);
    return 2;
  }
  const { config } = loaded;
  const gateways = chosen(config, flags);
  await checkup.step({ id: "config", title: "configuration" }, () => ({
    outcome: "ok",
    found: `${config.gateways.length === 1 ? "1 gateway" : `${config.gateways.length} gateways`} from ${config.local.dialect.name} to ${config.upstream.dialect.name} at ${config.upstream.url}`,
  }));
  const bridge = await findRunningBridge(config, flags, io);
  await checkup.step({ id: "bridge", title: "running bridge" }, () => findingOf(bridge));
  const steps = await examine(config, {
    ...{ gateways, holdMs, bridge, witness, takeOver: flags.takeOver === true },
    ...(flags.device === undefined ? {} : { device: flags.device }),
  });
  const all = [...checkup.steps, ...steps];
  finish(file, all);
  return exitCodes[verdictOf(all)];
}

function findingOf(bridge: RunningBridge): Finding {
  if (bridge.runs === "no") return { outcome: "ok", found: "none with this configuration" };
  if (!("status" in bridge)) return { outcome: "ok", found: bridge.why };
  const { version, healthy, reasons } = bridge.status;
  return healthy
    ? { outcome: "ok", found: `it runs, version ${version}` }
    : { outcome: "fail", found: `it runs, version ${version}, and is not healthy`, details: reasons };
}

function chosen({ gateways, file }: Config, { gateway: id, device }: DoctorFlags): readonly GatewayConfig[] {
  const known = gateways.map((gateway) => `"${gateway.id}"`).join(", ");
  const found = id === undefined ? gateways : gateways.filter((gateway) => gateway.id === id);
  if (found.length === 0) {
    throw new DragomanError(
      "ERR_USAGE",
      `Cannot choose gateway "${id}" of "${file}": found no such gateway, wanted one of ${known}`,
    );
  }
  if (device !== undefined && found.length > 1) {
    throw new DragomanError(
      "ERR_USAGE",
      `Cannot attach "${device}": found ${found.length} gateways in "${file}", wanted --gateway with one of ${known}`,
    );
  }
  return found;
}

interface Printing {
  readonly witness: Witness;
  readonly finish: (file: string, steps: readonly Step[]) => void;
}

/** For people each step as it happens, on a terminal also while it goes on; for programs all at the end. */
function printing(flags: DoctorFlags, io: Io): Printing {
  if (flags.json) {
    return {
      witness: {},
      finish: (file, steps) =>
        void io.stdout.write(`${JSON.stringify({ file, verdict: verdictOf(steps), steps }, undefined, 2)}\n`),
    };
  }
  const isTerminal = io.stdout.isTTY === true;
  const text = doctorText({ isColoured: isTerminal && !io.env["NO_COLOR"] });
  const again = (line: string) => void (isTerminal && io.stdout.write(`\r\x1b[K${line}`));
  const isVerbose = flags.verbose === true;
  return {
    witness: {
      begun: (head) => again(text.running(head)),
      progressed: (head, doing) => again(text.running(head, doing)),
      ended: (step) => {
        again("");
        io.stdout.write(text.step(step, { isVerbose }));
      },
    },
    finish: (_file, steps) => void io.stdout.write(text.verdict(verdictOf(steps), steps)),
  };
}
