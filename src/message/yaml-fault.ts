/** What a YAML reader objects to, as the library `yaml` says it. */
interface YamlFault {
  readonly code: string;
  readonly message: string;
}

/** After a fault these are found further on for no reason of their own: up to one for each word of the file. */
const consequences: ReadonlySet<string> = new Set(["UNEXPECTED_TOKEN", "MULTILINE_IMPLICIT_KEY"]);

const meanings: ReadonlyMap<string, string> = new Map([
  [
    "BLOCK_AS_IMPLICIT_KEY",
    'found a second ":" in this value: indent the line below as its neighbours, or quote the value',
  ],
]);

/** Leaves out what only follows from the first fault. */
export function ownFaults<Fault extends YamlFault>(faults: readonly Fault[]): readonly Fault[] {
  return faults.filter(({ code }, index) => index === 0 || !consequences.has(code));
}

/** What is wrong, on one line, in words of what to do where the library speaks of grammar. */
export function describeFault({ code, message }: YamlFault): string {
  if (message.endsWith("at node end"))
    return "found more behind the end of a value: indent this line as its neighbours";
  return meanings.get(code) ?? message.replace(/\s+/g, " ").trim();
}
