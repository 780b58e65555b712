/** Where a text came from; what came from elsewhere than the file itself is never repeated in a message. */
export type Origin = "inline" | "environment" | "file";

export interface Expanded {
  readonly text: string;
  readonly origin: "inline" | "environment";
  /** What is wrong with the references in it, as messages. */
  readonly faults: readonly string[];
}

/** Replaces each `${NAME}` by that environment variable. `$${` stands for `${`. */
export function expandEnvironment(text: string, env: Readonly<Record<string, string | undefined>>): Expanded {
  const faults: string[] = [];
  let origin: Expanded["origin"] = "inline";
  const expanded = text.replace(/\$\$\{|\$\{([^}]*)(\}?)/g, (reference: string, name: string, close: string) => {
    if (reference === "$${") return "${";
    if (close === "") {
      faults.push(`found "\${" without "}", wanted "\${NAME}", or "$\${" for a plain "\${"`);
    } else if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      faults.push(`found "${reference}", wanted the name of an environment variable, or "$\${" for a plain "\${"`);
    } else {
      origin = "environment";
      const value = env[name];
      if (value !== undefined) return value;
      faults.push(`environment variable "${name}" is not set`);
    }
    return "";
  });
  return { text: expanded, origin, faults };
}
