import { useEffect, useState } from "preact/hooks";
import { getJson } from "./api.ts";

/** What a path answers: the last good answer, and why there is no newer one. */
export interface Answer<T> {
  readonly data: T | undefined;
  readonly error: string | undefined;
  /** Asks again at once. */
  readonly refresh: () => void;
}

/**
 * Asks a path, and again every so often while the page is seen.
 *
 * What an earlier path answered stays until the new one has, so that nothing jumps while someone types a filter.
 */
export function useAnswer<T>(path: string, everyMs: number): Answer<T> {
  const [data, setData] = useState<T>();
  const [error, setError] = useState<string>();
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const askNow = async () => {
      if (document.visibilityState === "visible") {
        try {
          setData(await getJson<T>(path, controller.signal));
          setError(undefined);
        } catch (reason) {
          if (!controller.signal.aborted) setError(reason instanceof Error ? reason.message : String(reason));
        }
      }
      if (!controller.signal.aborted) timer = setTimeout(askNow, everyMs);
    };
    void askNow();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [path, everyMs, attempt]);
  return { data, error, refresh: () => setAttempt((times) => times + 1) };
}
