import { readFile } from "node:fs/promises";
import type { Hono } from "hono";

/** The page's files as `npm run build` leaves them, beside both `src/` and `dist/`. */
const folder = new URL("../../dist/page/", import.meta.url);

const files: Readonly<Record<string, { readonly file: string; readonly type: string }>> = {
  "/": { file: "index.html", type: "text/html; charset=utf-8" },
  "/page.js": { file: "page.js", type: "text/javascript; charset=utf-8" },
  "/page.css": { file: "page.css", type: "text/css; charset=utf-8" },
  "/icon.svg": { file: "icon.svg", type: "image/svg+xml" },
};

/** All the page needs: its own files, and the other paths of this server. */
export const pagePolicy = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'"],
  connectSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
  requireTrustedTypesFor: ["'script'"],
};

/** Serves the dashboard at `/`. Its files hold nothing of the bridge, so anyone may have them; the page asks for the token. */
export function addPageRoutes(app: Hono): void {
  for (const [path, { file, type }] of Object.entries(files)) {
    app.get(path, async (context) => {
      const content = await readFile(new URL(file, folder)).catch(() => undefined);
      if (content !== undefined) return context.body(new Uint8Array(content), 200, { "content-type": type });
      return context.json({ error: `the page is not built; "npm run build" makes it` }, 503);
    });
    app.all(path, (context) => context.json({ error: "wanted GET" }, 405, { allow: "GET, HEAD" }));
  }
}
