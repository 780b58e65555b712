import { useEffect, useState } from "preact/hooks";
import type { WaitingMessage, WaitingPage } from "../message/repair.ts";
import { getJson, queryOf } from "./api.ts";

/** Which messages are meant; empty members fit everything. */
export interface WaitingFilter {
  readonly gateway: string;
  readonly fate: string;
  readonly device: string;
  readonly reason: string;
}

export interface Waiting {
  /** Absent until they are known. */
  readonly messages: readonly WaitingMessage[] | undefined;
  readonly hasMore: boolean;
  readonly error: string | undefined;
  readonly showMore: () => void;
  readonly refresh: () => void;
}

const pageSize = 50;
/** A page may be empty and yet have one behind it: what is asked for is rare. So many are looked through in one go. */
const maxPages = 20;

/**
 * What is held or quarantined and fits, as much of it as was asked for.
 *
 * @param version Something that changes when there may be more or less of it.
 */
export function useWaiting(filter: WaitingFilter, version: string): Waiting {
  const [found, setFound] = useState<WaitingPage>();
  const [error, setError] = useState<string>();
  const [wanted, setWanted] = useState(pageSize);
  const [attempt, setAttempt] = useState(0);
  const query = queryOf({ ...filter });
  useEffect(() => {
    const controller = new AbortController();
    lookThrough(filter, wanted, controller.signal).then(
      (page) => {
        setFound(page);
        setError(undefined);
      },
      (reason: unknown) => {
        if (!controller.signal.aborted) setError(reason instanceof Error ? reason.message : String(reason));
      },
    );
    return () => controller.abort();
  }, [query, wanted, version, attempt]);
  return {
    messages: found?.messages,
    hasMore: found?.next !== undefined,
    error,
    showMore: () => setWanted(wanted + pageSize),
    refresh: () => setAttempt((times) => times + 1),
  };
}

async function lookThrough(filter: WaitingFilter, wanted: number, signal: AbortSignal): Promise<WaitingPage> {
  const messages: WaitingMessage[] = [];
  let after: string | undefined;
  for (let page = 0; page < maxPages; page += 1) {
    const limit = wanted - messages.length;
    const answer = await getJson<WaitingPage>(`spool${queryOf({ ...filter, limit, after })}`, signal);
    messages.push(...answer.messages);
    after = answer.next;
    if (after === undefined) return { messages };
    if (messages.length >= wanted) break;
  }
  return after === undefined ? { messages } : { messages, next: after };
}
