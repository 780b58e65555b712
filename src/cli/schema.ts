import type { Command } from "commander";
import { editorSchema } from "../config/editor-schema.ts";
import { optionReference } from "../config/reference.ts";
import { builtInDialects } from "../mappings.ts";
import type { Io } from "./io.ts";
import { manual, wrongUse } from "./manual.ts";

/** Adds `dragoman schema`: what may stand in a configuration file, for editors and for the manual. */
export function addSchemaCommand(program: Command, io: Io): void {
  program
    .command("schema")
    .description("print the JSON Schema of configuration files, for editors")
    .option("--markdown", "print a reference of all options instead")
    .addHelpText(
      "after",
      manual({
        examples: [["dragoman schema > dragoman.schema.json", "for an editor's YAML language server"]],
        exitCodes: { 0: "printed", ...wrongUse },
      }),
    )
    .action((flags: { readonly markdown?: boolean }) => {
      const library = builtInDialects();
      const schema = () => `${JSON.stringify(editorSchema(library), undefined, 2)}\n`;
      io.stdout.write(flags.markdown === true ? optionReference(library) : schema());
    });
}
