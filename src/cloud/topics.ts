import type { Place, Variant } from "./variant.ts";

/** What stands behind the device id in a topic. */
export type TopicKind = "attach" | "detach" | "events" | "state" | "config" | "commands" | "errors";

/** A topic as read. `invalid` may still name a device, where its place in the topic is plain. */
export type ReadTopic =
  | { readonly kind: "events"; readonly id: string; readonly folder?: string }
  | { readonly kind: "attach"; readonly id: string }
  | { readonly kind: "detach"; readonly id: string }
  | { readonly kind: "state"; readonly id: string }
  | { readonly kind: "invalid"; readonly id?: string; readonly reason: string };

/** A topic filter as read. `nonsense` is one that no device could ever be granted; `refused` one that is merely not given. */
export type ReadFilter =
  | { readonly kind: "config" | "commands" | "topCommands" | "errors"; readonly id: string }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "nonsense"; readonly reason: string };

/** The topics of one registry. */
export interface Topics {
  readTopic(topic: string): ReadTopic;
  readFilter(filter: string): ReadFilter;
  /** The topic of a device, `folder` only below `commands`. */
  topicOf(id: string, kind: TopicKind, folder?: string): string;
}

const shape =
  /^\/(?<first>[^/]+)\/(?<id>[^/]+)\/(?<kind>attach|detach|events|state|config|commands|errors)(?:\/(?<sub>.+))?$/s;

/** An id that may exist: the vendors' rule with up to 256 characters, or a numeric id. */
const possibleId = /^(?:[a-zA-Z][-a-zA-Z0-9._+~%]{2,255}|[0-9]{1,20})$/;

/** The topics of the registry at `place`, by the grammar of its cloud. */
export function topicsOf(variant: Variant, place: Place): Topics {
  const first = variant.registryInTopics ? place.registry : "devices";

  return {
    readTopic(topic) {
      const groups = shape.exec(topic)?.groups;
      const id = groups?.["id"];
      if (groups === undefined || id === undefined) {
        const named = topic.startsWith(`/${first}/`) ? topic.split("/")[2] : undefined;
        return { kind: "invalid", reason: "topic is not one of this cloud's", ...(named ? { id: named } : {}) };
      }
      if (!possibleId.test(id)) return { kind: "invalid", id, reason: "topic has an invalid device id" };
      if (groups["first"] !== first) return { kind: "invalid", id, reason: `topic does not begin with "/${first}/"` };
      const folder = groups["sub"];
      switch (groups["kind"] as TopicKind) {
        case "events":
          return folder === undefined ? { kind: "events", id } : { kind: "events", id, folder };
        case "attach":
        case "detach":
        case "state": {
          const kind = groups["kind"] as "attach" | "detach" | "state";
          return folder === undefined ? { kind, id } : { kind: "invalid", id, reason: `"${kind}" has no subfolders` };
        }
        case "config":
        case "commands":
        case "errors":
          return { kind: "invalid", id, reason: `"${groups["kind"]}" is only sent by the cloud` };
      }
    },

    readFilter(filter) {
      const groups = shape.exec(filter)?.groups;
      const id = groups?.["id"];
      if (groups === undefined || id === undefined)
        return { kind: "nonsense", reason: "filter is not one of this cloud's" };
      const sub = groups["sub"];
      const whole = sub === "#" && groups["kind"] === "commands" ? filter.slice(0, -1) : filter;
      if (/[+#]/.test(whole)) return { kind: "nonsense", reason: 'only "commands/#" may have a wildcard' };
      if (groups["first"] !== first) {
        // A registry id may stand there on omnicore; in the other clouds nothing but "devices" does.
        const kind = variant.registryInTopics ? "refused" : "nonsense";
        return { kind, reason: `filter does not begin with "/${first}/"` };
      }
      switch (groups["kind"] as TopicKind) {
        case "config":
        case "errors":
          if (sub !== undefined) return { kind: "nonsense", reason: `"${groups["kind"]}" has no subfolders` };
          return { kind: groups["kind"] as "config" | "errors", id };
        case "commands":
          if (sub === undefined) return { kind: "topCommands", id };
          if (sub === "#") return { kind: "commands", id };
          return { kind: "refused", reason: "one subfolder of commands cannot be subscribed" };
        default:
          return { kind: "nonsense", reason: `"${groups["kind"]}" is only sent by devices` };
      }
    },

    topicOf(id, kind, folder) {
      return `/${first}/${id}/${kind}${folder === undefined || folder === "" ? "" : `/${folder}`}`;
    },
  };
}
