import type { PlaygroundRequest, PlaygroundText } from "../message/playground.ts";
import { QueryError } from "./repair-query.ts";

const texts: readonly PlaygroundText[] = ["local", "upstream", "deployment"];

/**
 * Reads what is to be tried.
 *
 * @throws {QueryError} The message says what was wanted.
 */
export function readPlaygroundRequest(value: unknown): PlaygroundRequest {
  if (!isObject(value)) throw new QueryError("wanted a JSON object");
  const { local, upstream, direction, topic, payload, mappings = {} } = value;
  if (direction !== "up" && direction !== "down") throw new QueryError('"direction" must be "up" or "down"');
  const request = { local, upstream, topic, payload };
  for (const [key, text] of Object.entries(request)) {
    if (typeof text !== "string") throw new QueryError(`"${key}" must be text`);
  }
  if (!isObject(mappings)) throw new QueryError('"mappings" must be an object');
  for (const [key, text] of Object.entries(mappings)) {
    if (!texts.some((known) => known === key)) {
      throw new QueryError(`found "${key}" in "mappings", wanted one of ${texts.join(", ")}`);
    }
    if (typeof text !== "string") throw new QueryError(`"mappings.${key}" must be text`);
  }
  return { ...(request as Record<keyof typeof request, string>), direction, mappings };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
