import type { Received } from "../../src/cloud/records.ts";
import { createWaiters } from "./waiting.ts";

/** One numbered message and all that was seen of it, on both sides of the bridge. */
export interface Entry {
  readonly gateway: string;
  readonly device: string;
  /** From 1, by device. */
  readonly number: number;
  /** Its place among the messages of all devices. */
  readonly order: number;
  /** How often the gateway wrote it: more than once when a connection ended before its PUBACK. */
  writes: number;
  isAcknowledged: boolean;
  /** The cloud is made to close its connection at this one, so it shall be set aside and never arrive. */
  readonly isPoison: boolean;
  /** Each time it reached the cloud: on which connection, as the how-manieth message there. */
  readonly arrivals: { readonly connection: number; readonly position: number }[];
}

/** What gateways said and what the cloud heard. */
export interface Journal {
  /** A gateway is about to send a message for the first time. */
  begin(message: Pick<Entry, "gateway" | "device" | "number" | "isPoison">): Entry;
  /** A gateway got its PUBACK, `ms` after it had last written it. */
  acknowledged(entry: Entry, ms: number): void;
  /** The cloud took telemetry. */
  arrived(record: Received): void;
  /** Here a fault cut in: on one connection of the cloud, or on all. What was under way may have to come again. */
  interrupted(connection?: number): void;
  /** Messages of this device are not missed for now: the cloud refuses it. */
  setApart(device: string, isApart: boolean): void;
  /** Resolves when the cloud has all that is acknowledged by now, and of each gateway something that it says from now on. */
  caughtUp(): Promise<void>;
  /** Resolves when so many more messages have been acknowledged. */
  flowing(count: number): Promise<void>;
  /** Resolves when nothing is missing. */
  complete(): Promise<void>;
  audit(repeatable: number): Findings;
}

/** What became of the messages. */
export interface Findings {
  readonly sent: number;
  readonly acknowledged: number;
  /** Acknowledged to the gateway and never in the cloud. */
  readonly lost: readonly string[];
  /** Arrivals beyond the first of each message. */
  readonly duplicates: number;
  /** How many of them the gateways themselves had sent again. */
  readonly resent: number;
  /** Messages that came again though nothing was left unacknowledged that would explain it. */
  readonly unexplained: readonly string[];
  /** First arrivals behind a later message of the same device. */
  readonly reordered: readonly string[];
  readonly poison: number;
  /** Milliseconds from writing to PUBACK, ascending. */
  readonly pubackMs: readonly number[];
}

export function createJournal(): Journal {
  const entries = new Map<string, Entry>();
  const missing = new Set<Entry>();
  const apart = new Set<string>();
  const lastNumbers = new Map<string, number>();
  /** By gateway the order of the latest of its messages that has arrived. */
  const latest = new Map<string, number>();
  const reordered: string[] = [];
  const lengths = new Map<number, number>();
  /** How many messages had come on a connection at each interruption of it. */
  const interruptions = new Map<number, number[]>();
  const pubackMs: number[] = [];
  const waiters = createWaiters();
  let acknowledgedCount = 0;
  let latestArrival = "nothing";

  const isMissed = (entry: Entry) => !entry.isPoison && !apart.has(entry.device);
  /** Acknowledged and not in the cloud yet; without poison, and without devices that are set apart. */
  const missingNow = () => [...missing].filter(isMissed);
  const describe = () => {
    const names = missingNow().map(nameOf);
    return `missing ${names.length} (${names.slice(0, 5).join(", ")}), latest arrival ${latestArrival}`;
  };

  return {
    begin(message) {
      const entry: Entry = { ...message, order: entries.size, writes: 0, isAcknowledged: false, arrivals: [] };
      entries.set(nameOf(entry), entry);
      return entry;
    },
    acknowledged(entry, ms) {
      pubackMs.push(ms);
      if (!entry.isAcknowledged) {
        entry.isAcknowledged = true;
        acknowledgedCount += 1;
        if (entry.arrivals.length === 0) missing.add(entry);
      }
      waiters.wake();
    },
    arrived({ connection, device, payload }) {
      for (const { ts } of JSON.parse(payload.toString()) as readonly { ts: number }[]) {
        const entry = entries.get(nameOf({ device, number: ts }));
        if (entry === undefined) throw new Error(`Nobody sent what the cloud got: ${device} ${ts}`);
        const position = (lengths.get(connection) ?? 0) + 1;
        lengths.set(connection, position);
        if (entry.arrivals.length === 0) {
          const last = lastNumbers.get(device) ?? 0;
          if (ts < last) reordered.push(nameOf(entry));
          lastNumbers.set(device, Math.max(last, ts));
        }
        entry.arrivals.push({ connection, position });
        missing.delete(entry);
        latest.set(entry.gateway, Math.max(entry.order, latest.get(entry.gateway) ?? 0));
        latestArrival = nameOf(entry);
      }
      waiters.wake();
    },
    interrupted(connection) {
      for (const each of connection === undefined ? lengths.keys() : [connection]) {
        interruptions.set(each, [...(interruptions.get(each) ?? []), lengths.get(each) ?? 0]);
      }
    },
    setApart(device, isApart) {
      if (isApart) apart.add(device);
      else apart.delete(device);
    },
    async caughtUp() {
      const next = entries.size;
      const due = new Set(missingNow());
      const isDone = () => {
        for (const entry of due) if (entry.arrivals.length > 0 || !isMissed(entry)) due.delete(entry);
        return due.size === 0 && [...latest.values()].every((order) => order >= next);
      };
      await waiters.until(isDone, describe);
    },
    flowing(count) {
      const wanted = acknowledgedCount + count;
      return waiters.until(
        () => acknowledgedCount >= wanted,
        () => `${wanted - acknowledgedCount} PUBACKs are still to come`,
      );
    },
    complete: () => waiters.until(() => missingNow().length === 0, describe),
    audit(repeatable) {
      const all = [...entries.values()];
      return {
        sent: all.filter(({ writes }) => writes > 0).length,
        acknowledged: acknowledgedCount,
        lost: all.filter((entry) => entry.isAcknowledged && !entry.isPoison && entry.arrivals.length === 0).map(nameOf),
        duplicates: all.reduce((sum, { arrivals }) => sum + Math.max(0, arrivals.length - 1), 0),
        resent: all.reduce((sum, { arrivals, writes }) => sum + Math.max(0, Math.min(arrivals.length, writes) - 1), 0),
        unexplained: all.filter((entry) => !isExplained(entry, repeatable)).map(nameOf),
        reordered,
        poison: all.filter(({ isPoison, writes }) => isPoison && writes > 0).length,
        pubackMs: pubackMs.toSorted((a, b) => a - b),
      };
    },
  };

  /**
   * A message may come again when the gateway had to send it again, and when a fault cut in on the connection that it came
   * on before: then it has to be among the last before that, of which the PUBACKs may not have arrived.
   */
  function isExplained({ arrivals, writes }: Entry, repeatable: number): boolean {
    const unanswered = arrivals
      .slice(0, -1)
      .filter(({ connection, position }) =>
        interruptions.get(connection)?.some((length) => position <= length && position > length - repeatable),
      );
    return arrivals.length <= Math.max(1, writes) + unanswered.length;
  }
}

function nameOf({ device, number }: Pick<Entry, "device" | "number">): string {
  return `${device} ${number}`;
}
