import { pairOf } from "../bridge/pairing.ts";
import { fitOf } from "../config/load-mapping.ts";
import type { Mistake } from "../config/mistake.ts";
import { compileDeployment } from "../dialect/deployment/compile-deployment.ts";
import type { Deployment } from "../dialect/deployment/deployment.ts";
import type { Dialect } from "../dialect/dialect.ts";
import { explainTranslation, type WhyTranslated } from "../explain-translation.ts";
import type { Direction } from "../message/message.ts";
import { textOrBase64 } from "../message/payload-text.ts";
import type {
  ExplainedTranslation,
  PlaygroundAnswer,
  PlaygroundMistake,
  PlaygroundRequest,
  PlaygroundText,
  SentPacket,
} from "../message/playground.ts";
import { createTranslator, type Translated } from "../translate.ts";
import type { Workbench } from "./workbench.ts";

const deploymentFile = "deployment.yaml";
/** Nobody mends more at a time. */
const maxMistakes = 100;

/** Compiles the texts of a request and runs its packet through them. Reads no files: `extends` knows built-in mappings only. */
export function tryMapping(request: PlaygroundRequest, workbench: Workbench): PlaygroundAnswer {
  const { mappings = {}, direction, topic, payload } = request;
  const mistakes: PlaygroundMistake[] = [];
  const warnings: PlaygroundMistake[] = [];
  for (const side of ["local", "upstream"] as const) {
    if (!workbench.names.includes(request[side])) {
      return { refused: `found "${request[side]}" as "${side}", wanted one of ${workbench.names.join(", ")}` };
    }
  }
  const local = dialectOf("local");
  const upstream = dialectOf("upstream");
  const deployment = deploymentOf(mappings.deployment);
  if (local === undefined || upstream === undefined || mistakes.length > 0) return { mistakes };
  if (deployment !== undefined) mistakes.push(...placed("deployment", fitOf(deployment, { local, upstream })));
  if (mistakes.length > 0) return { mistakes };

  const pairing = pairOf(local, upstream, deployment);
  const translator = createTranslator(pairing);
  const packet = { topic, payload: Buffer.from(payload), qos: 1 } as const;
  return { result: resultOf(explainTranslation(packet, { pairing, translator, direction }), direction), warnings };

  function dialectOf(side: "local" | "upstream"): Dialect | undefined {
    const made = workbench.compile(request[side], mappings[side]);
    if ("mistakes" in made) {
      mistakes.push(...placed(side, made.mistakes, made.file));
      return undefined;
    }
    warnings.push(...placed(side, made.warnings, made.dialect.file));
    return made.dialect;
  }

  function deploymentOf(text: string | undefined): Deployment | undefined {
    if (text === undefined || text.trim() === "") return undefined;
    const compiled = compileDeployment({ file: deploymentFile, text });
    if ("deployment" in compiled) return compiled.deployment;
    mistakes.push(...placed("deployment", compiled.mistakes, deploymentFile));
    return undefined;
  }
}

function resultOf(why: WhyTranslated, direction: Direction): ExplainedTranslation {
  const { read, mappedBy, sent, answers, troubles } = why;
  const [there, back] = direction === "up" ? (["upstream", "local"] as const) : (["local", "upstream"] as const);
  const packets = [...sent.map((one) => sentPacket(there, one)), ...answers.map((one) => sentPacket(back, one))];
  return { ...read, mappedBy, sent: packets, troubles };
}

function sentPacket(to: SentPacket["to"], { packet: { topic, qos, payload }, rule }: Translated): SentPacket {
  const shown = textOrBase64(payload);
  const text = "payload" in shown ? shown : { payload: shown.payload64, encoding: "base64" as const };
  return { to, topic, qos, ...text, rule };
}

/** Mistakes of one text. Where a mapping extends another one, some may be in that, and say so. */
function placed(
  where: PlaygroundText,
  mistakes: readonly Mistake[],
  ownFile: string = deploymentFile,
): readonly PlaygroundMistake[] {
  return mistakes
    .slice(0, maxMistakes)
    .map(({ file, line, column, message }) =>
      file === ownFile
        ? { where, line, column, message }
        : { where, line: 1, column: 1, message: `${file}:${line}:${column}: ${message}` },
    );
}
