import type { RuleRef } from "./decoded.ts";
import type { Reading } from "./explained.ts";
import type { Direction } from "./message.ts";

/** A dialect to try, with the text of its mapping file. */
export interface PlaygroundDialect {
  readonly name: string;
  /** What cloud it is, in a few words. */
  readonly title: string;
  readonly mapping: string;
  readonly file: string;
  readonly examples: readonly PlaygroundExample[];
}

/** A packet of the mapping file's examples; parameters in topics stand as their names. */
export interface PlaygroundExample {
  readonly direction: Direction;
  readonly topic: string;
  readonly payload: string;
  /** The rule it is an example of. */
  readonly describe: string;
}

/** A mapping text of a request. */
export type PlaygroundText = "local" | "upstream" | "deployment";

export interface PlaygroundRequest {
  /** The dialects by name. */
  readonly local: string;
  readonly upstream: string;
  readonly direction: Direction;
  readonly topic: string;
  readonly payload: string;
  /** Texts in place of the dialects' own, and a deployment's mapping. */
  readonly mappings?: Readonly<Partial<Record<PlaygroundText, string>>>;
}

/** A mistake in a mapping text. Lines and columns count from 1. */
export interface PlaygroundMistake {
  readonly where: PlaygroundText;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** A packet that would be sent. */
export interface SentPacket {
  readonly to: "local" | "upstream";
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
  /** Text, or base64 where `encoding` says so. */
  readonly payload: string;
  readonly encoding?: "base64";
  /** The rule that printed it. */
  readonly rule: RuleRef;
}

/** What became of one packet, and why: `translate --explain`, as data. */
export interface ExplainedTranslation extends Reading {
  /** Rules of the deployment's own mapping that changed something of it. */
  readonly mappedBy: readonly RuleRef[];
  readonly sent: readonly SentPacket[];
  /** What did not simply go through, one sentence each; `isFailure`: other than by a rule that lets it go. */
  readonly troubles: readonly { readonly text: string; readonly isFailure: boolean }[];
}

export type PlaygroundAnswer =
  /** The texts cannot be compiled. */
  | { readonly mistakes: readonly PlaygroundMistake[] }
  /** `warnings`: examples that do not hold any more, and forms that cannot be read back. */
  | { readonly result: ExplainedTranslation; readonly warnings: readonly PlaygroundMistake[] }
  /** The request has no answer: the texts took too long, or name what there is not. */
  | { readonly refused: string };

/** Tries mapping texts on packets, apart from the running bridge. */
export interface Playground {
  dialects(): Promise<readonly PlaygroundDialect[]>;
  /** Always answers within a few seconds. */
  try(request: PlaygroundRequest): Promise<PlaygroundAnswer>;
}
