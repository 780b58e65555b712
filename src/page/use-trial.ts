import { useEffect, useState } from "preact/hooks";
import type { PlaygroundAnswer, PlaygroundRequest } from "../message/playground.ts";
import { postJson } from "./api.ts";

export interface Trial {
  /** The latest answer; it stays while the next one is waited for. */
  readonly answer: Exclude<PlaygroundAnswer, { refused: string }> | undefined;
  readonly error: string | undefined;
}

/** So long after the last key. */
const pauseMs = 200;

/** Tries what is typed, as it is typed. */
export function useTrial(request: PlaygroundRequest): Trial {
  const [trial, setTrial] = useState<Trial>({ answer: undefined, error: undefined });
  const text = JSON.stringify(request);
  useEffect(() => {
    const controller = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const answer = await postJson<NonNullable<Trial["answer"]>>(
          "playground",
          JSON.parse(text) as object,
          controller.signal,
        );
        setTrial({ answer, error: undefined });
      } catch (error) {
        if (controller.signal.aborted) return;
        setTrial((before) => ({ ...before, error: error instanceof Error ? error.message : String(error) }));
      }
    }, pauseMs);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [text]);
  return trial;
}
