import type { Context } from "hono";
import { QueryError } from "./repair-query.ts";

export { QueryError } from "./repair-query.ts";

const maxLength = 1024;

/**
 * A parameter of the URL as a member, where it is given and not empty.
 *
 * @throws {QueryError}
 */
export function textOf<Name extends string>(context: Context, name: Name): { readonly [key in Name]?: string } {
  const text = context.req.query(name);
  if (text === undefined || text === "") return {};
  if (text.length > maxLength) throw new QueryError(`"${name}" is too long, wanted at most ${maxLength} characters`);
  return { [name]: text } as { readonly [key in Name]?: string };
}

/** @throws {QueryError} */
export function countOf(context: Context, name: string): number | undefined {
  const text = context.req.query(name);
  if (text === undefined || text === "") return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new QueryError(`"${name}" must be a whole number, not negative`);
}
