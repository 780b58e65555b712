/** What a client id says: a name in the place that is ours (`name`), or a well-formed one of another place. */
export type ClaimedName = { readonly name: string } | "elsewhere";

/**
 * Compiles the form of a cloud's client ids: `template` holds `{gateway}` and parameters, each of them one text without a
 * slash. Client ids are compared to the letter.
 *
 * @returns A reader of client ids; `undefined` for one that has not the cloud's form at all.
 */
export function compileClientId(
  template: string,
  parameters: Readonly<Record<string, string>>,
): (clientId: string) => ClaimedName | undefined {
  const names: string[] = [];
  const source = template
    .split(/\{(\w+)\}/)
    .map((part, index) => {
      if (index % 2 === 0) return part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
      names.push(part);
      return "([^/]+)";
    })
    .join("");
  const form = new RegExp(`^${source}$`);
  return (clientId) => {
    const said = form.exec(clientId)?.slice(1);
    if (said === undefined) return undefined;
    let name = "";
    for (const [index, key] of names.entries()) {
      if (key === "gateway") name = said[index] ?? "";
      else if (said[index] !== parameters[key]) return "elsewhere";
    }
    return { name };
  };
}
