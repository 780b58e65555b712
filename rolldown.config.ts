import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { defineConfig } from "rolldown";

const preactLicense = readFileSync("node_modules/preact/LICENSE", "utf8").trim();

/** In this order: later ones refine earlier ones. */
const styles = [
  "palette",
  "base",
  "frame",
  "pieces",
  "controls",
  "links",
  "tables",
  "ledger",
  "quarantine",
  "trace",
  "narrow",
  "motion",
];

/** Bundles the admin server's page into `dist/page/`: one script beside the files that are served as they are. */
export default defineConfig({
  input: "src/page/main.tsx",
  platform: "browser",
  tsconfig: "src/page/tsconfig.json",
  output: {
    file: "dist/page/page.js",
    minify: true,
    // Its licence asks to stand beside every copy.
    postBanner: `/*!\nContains preact.\n\n${preactLicense}\n*/`,
  },
  plugins: [
    {
      name: "static-files",
      writeBundle() {
        for (const file of ["index.html", "icon.svg"]) copyFileSync(`src/page/${file}`, `dist/page/${file}`);
        const sheets = styles.map((name) => readFileSync(`src/page/styles/${name}.css`, "utf8"));
        writeFileSync("dist/page/page.css", sheets.join("\n"));
      },
    },
  ],
});
