import { describeFate } from "./bridge/describe-fate.ts";
import { explained } from "./bridge/explained.ts";
import type { Pairing } from "./bridge/pairing.ts";
import type { Reading } from "./message/explained.ts";
import type { Direction } from "./message/message.ts";
import type { Packet } from "./message/packet.ts";
import type { ExplainedTranslation } from "./message/playground.ts";
import type { Translation, Translator } from "./translate.ts";

export interface ExplainOptions {
  readonly pairing: Pairing;
  readonly translator: Translator;
  readonly direction: Direction;
}

/** What became of one packet, and why. */
export interface WhyTranslated extends Pick<Translation, "sent" | "answers" | "mappedBy"> {
  readonly read: Reading;
  readonly troubles: ExplainedTranslation["troubles"];
}

/** Translates one packet and says why it became what it became. */
export function explainTranslation(packet: Packet, options: ExplainOptions): WhyTranslated {
  const { pairing, translator, direction } = options;
  const source = direction === "up" ? pairing.local : pairing.upstream;
  const read = explained(source.explain(direction, packet));
  const translation = translator[direction](packet);
  const { sent, answers, mappedBy } = translation;
  return { read, sent, answers, mappedBy, troubles: troublesOf(translation) };
}

/** What kept messages of the packet from being sent; a failure, unless a rule of ours let them go. */
function troublesOf({ decoded, fates }: Translation): ExplainedTranslation["troubles"] {
  if (decoded.kind === "unknownTopic") {
    return [{ text: "dropped: unknownTopic, no rule of the dialect has this topic", isFailure: false }];
  }
  if (decoded.kind === "unreadable") return [{ text: `not understood: ${decoded.reason}`, isFailure: true }];
  const misfits = decoded.misfits.map(({ path, wanted, got }) => `at "${path}" found ${got}, wanted ${wanted}`);
  const others = fates.filter((fate) => misfits.length === 0 || fate.kind !== "quarantined");
  const told = new Map(others.map((fate) => [describeFate(fate), fate.kind !== "dropped"]));
  return [
    ...misfits.map((text) => ({ text, isFailure: true })),
    ...[...told].map(([text, isFailure]) => ({ text, isFailure })),
  ];
}
