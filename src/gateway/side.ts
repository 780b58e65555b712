import type { IdRules, Limits, RetryPolicy, Traits } from "../message/traits.ts";

/** What the rules need to know of the cloud on one side. */
export interface Side {
  readonly traits: Traits;
  readonly ids: IdRules;
  readonly limits: Limits;
  /** What to do about an error, by its code. */
  readonly retries: ReadonlyMap<string, RetryPolicy>;
}

/** What has to be done about each trait in which the two sides differ. `pass`: they do not, and nothing is touched. */
export interface Adaptations {
  readonly sameFamily: boolean;
  /** `toBytes`: points become a body of the chosen shape. `toPoints`: the other way round. */
  readonly telemetry: "pass" | "toBytes" | "toPoints";
  /** `merge`: changes become one document. `replace`: documents, the newest wins. `spread`: a document becomes changes. */
  readonly state: "pass" | "merge" | "replace" | "spread";
  /** `difference`: a document becomes changes and deletions. `keep`: documents, the newest wins. `collect`: changes become a document. */
  readonly config: "pass" | "difference" | "keep" | "collect";
  /** `correlate`: orders without an id become calls with one, and replies find their way back. `fold`: the other way round. */
  readonly commands: "pass" | "correlate" | "fold";
  /** Whether questions for attributes are the cloud's to answer, or ours out of the documents. */
  readonly attributes: "pass" | "answer";
  /** Whether the cloud understands calls and claims. */
  readonly calls: "pass" | "answer";
  /** The local gateway takes single attributes and calls as orders to its own process, so not every one may reach it. */
  readonly guardsGateway: boolean;
}

/** Compares the traits of two sides. Nothing else in this part looks at them pair by pair. */
export function compareSides(local: Traits, upstream: Traits): Adaptations {
  const keys = Object.keys(local) as (keyof Traits)[];
  return {
    sameFamily: keys.every((key) => local[key] === upstream[key]),
    telemetry: local.body === upstream.body ? "pass" : upstream.body === "bytes" ? "toBytes" : "toPoints",
    state: across(local.state, upstream.state, ["pass", "merge", "replace", "spread"]),
    config: across(upstream.config, local.config, ["pass", "collect", "keep", "difference"]),
    commands: local.commands === upstream.commands ? "pass" : upstream.commands === "oneWay" ? "correlate" : "fold",
    attributes: upstream.config === "changes" ? "pass" : "answer",
    calls: upstream.commands === "replied" ? "pass" : "answer",
    guardsGateway: local.config === "changes" && local.commands === "replied",
  };
}

/** One of the four for: changes to changes, changes to a document, a document to a document, a document to changes. */
function across<Name>(
  from: "changes" | "document",
  to: "changes" | "document",
  [changes, gathered, documents, spread]: readonly [Name, Name, Name, Name],
): Name {
  if (from === "changes") return to === "changes" ? changes : gathered;
  return to === "document" ? documents : spread;
}
