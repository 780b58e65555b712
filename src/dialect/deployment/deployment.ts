import type { Decoded, RuleRef } from "../../message/decoded.ts";
import type { Fate } from "../../message/fate.ts";
import type { JsonText } from "../../message/json.ts";
import type { DownMessage, Message, Point, Telemetry } from "../../message/message.ts";
import type { Place } from "../mistake.ts";

/** A deployment's own mapping file: what it changes between the two dialects, besides what they differ in. */
export interface Deployment {
  readonly name: string;
  readonly file: string;
  /** What the file says: two of the same text do the same. */
  readonly source: string;
  readonly describe: string;
  readonly ruleCount: number;
  readonly exampleCount: number;
  /** What does not come back, and why that is meant. */
  readonly losses: readonly Loss[];
  /** The aliases, with the places where they stand. */
  readonly aliases: readonly { readonly at: Place; readonly upstream: string }[];
  /** Where it needs a cloud that takes any body: what stands there, and the place. */
  readonly needsBytes: readonly { readonly at: Place; readonly what: string }[];
  /** Which shared attributes of the cloud make up a configuration, where the file says so. */
  readonly config: {
    readonly keys?: readonly string[];
    readonly document?: string;
  };
  /** Starts on one gateway. */
  open(memory: DeploymentMemory): DeploymentSession;
}

/** What is lost on the way, with the reason that the file gives. */
export interface Loss {
  readonly what: string;
  readonly reason: string;
}

/** What one gateway's session keeps over a restart, and what else it is to know. */
export interface DeploymentMemory {
  /** What `remember` was told before. Facts of others may be among them. */
  readonly facts: Iterable<readonly [string, string]>;
  readonly remember: (key: string, value: string) => void;
  /** Telemetry of the local side in this folder, or below it, answers commands and is left as it is. */
  readonly replies: string | null;
}

/**
 * The mapping at work for one gateway. It stands at the local side: what it gives out and takes in is named as the upstream
 * names it, save for the devices, whose names `naming` is for.
 */
export interface DeploymentSession {
  readonly naming: {
    outward(name: string): string;
    inward(name: string): string;
  };
  readonly telemetry: {
    readonly shape?: {
      print(points: readonly Point[]): JsonText | undefined;
      read(body: JsonText): readonly Point[] | undefined;
    };
    /** A telemetry message, its keys named as upstream, as one message per folder. */
    readonly folders?: (message: Telemetry) => readonly Telemetry[];
  };
  /** A packet of the local side. Messages keep their places; those in `fates` go no further. */
  outward<Read extends Decoded>(decoded: Read): { readonly decoded: Read; readonly fates: ReadonlyMap<number, Fate> };
  /** A message for the local side; `nothing`: all of it is dropped. */
  inward(message: DownMessage):
    | { readonly kind: "message"; readonly message: DownMessage }
    | { readonly kind: "nothing" }
    | {
        readonly kind: "unrepresentable";
        readonly reason: string;
      };
  /** The rules that a message is changed by: one that comes from the local side, or one that goes there. */
  rulesFor(message: Message): readonly RuleRef[];
}
