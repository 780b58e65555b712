import { compileDeployment } from "../../../src/dialect/deployment/compile-deployment.ts";
import type { Deployment, DeploymentSession } from "../../../src/dialect/deployment/deployment.ts";
import type { DeviceId, DownMessage, UpMessage } from "../../../src/message/message.ts";

/** A mapping that must have no mistakes. */
export function deploymentOf(text: string): Deployment {
  const compiled = compileDeployment({ file: "plant.yaml", text: `mapping: plant\n${text}` });
  if ("deployment" in compiled) return compiled.deployment;
  throw new Error(compiled.mistakes.map(({ line, column, message }) => `${line}:${column}: ${message}`).join("\n"));
}

/** A session that remembers nothing. */
export function sessionOf(text: string): DeploymentSession {
  return deploymentOf(text).open({ facts: [], remember: () => undefined, replies: null });
}

/** The mistakes in a mapping, as `line:column: message`. */
export function mistakesIn(text: string): readonly string[] {
  const compiled = compileDeployment({ file: "plant.yaml", text });
  if ("deployment" in compiled) return [];
  return compiled.mistakes.map(({ line, column, message }) => `${line}:${column}: ${message}`);
}

/** What becomes of one message of the local side: the message, or its fate. */
export function outward(session: DeploymentSession, message: UpMessage) {
  const rule = { name: "test", file: "test", line: 1 };
  const { decoded, fates } = session.outward({ kind: "messages", rule, messages: [message], misfits: [] });
  return fates.get(0) ?? decoded.messages[0];
}

/** What the local side hears: the message, or why there is none. */
export function inward(session: DeploymentSession, message: DownMessage) {
  const heard = session.inward(message);
  return heard.kind === "message" ? heard.message : heard;
}

export const deviceA = "Device A" as DeviceId;
