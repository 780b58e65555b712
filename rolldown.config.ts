import { copyFileSync, readFileSync } from "node:fs";
import { defineConfig } from "rolldown";

const preactLicense = readFileSync("node_modules/preact/LICENSE", "utf8").trim();

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
      name: "copy-static",
      writeBundle() {
        for (const file of ["index.html", "page.css", "icon.svg"])
          copyFileSync(`src/page/${file}`, `dist/page/${file}`);
      },
    },
  ],
});
