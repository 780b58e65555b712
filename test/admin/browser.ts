import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished, vi } from "vitest";
import { describeWith } from "../tools.ts";

const executablePath = "/usr/bin/chromium";
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser: Browser | undefined;

/** Groups tests that share one running browser, Debian's Chromium; left out where there is none. */
export function describeInBrowser(name: string, body: () => void): void {
  describeWith(["chromium"], name, () => {
    vi.setConfig({ testTimeout: 120_000 });
    beforeAll(async () => {
      const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"];
      browser = await chromium.launch({ executablePath, args });
    });
    afterAll(() => browser?.close());
    body();
  });
}

/**
 * A page of a browser of its own, that fails the test for whatever the page should never do: errors on the console, broken
 * policies, requests to other servers.
 *
 * @param expected Console messages that belong to the test, such as a refused token.
 */
export async function openPage(
  url: string,
  options: BrowserContextOptions & { readonly expected?: RegExp } = {},
): Promise<Page> {
  const { expected, ...contextOptions } = options;
  if (browser === undefined) throw new Error("wanted describeInBrowser() around this test");
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...contextOptions });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const offences: string[] = [];
  page.on("pageerror", (error) => offences.push(String(error)));
  page.on("console", (message) => {
    if (message.type() !== "error" && message.type() !== "warning") return;
    if (expected?.test(message.text()) !== true) offences.push(message.text());
  });
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) offences.push(`request to ${request.url()}`);
  });
  onTestFinished(async () => {
    await context.close();
    expect(offences).toEqual([]);
  });
  await page.goto(url);
  return page;
}

/** What axe finds against WCAG 2.2 A and AA, as `rule: element`. */
export async function accessibilityFaults(page: Page): Promise<readonly string[]> {
  // Evaluated by the debugger, so the page's policy stays as it is.
  await page.evaluate(axe);
  return page.evaluate(`axe
    .run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
    .then(({ violations }) => violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, any }) => id + ": " + html.slice(0, 200) + " " + (any[0]?.message ?? ""))))`);
}

/** By how many pixels the page is wider than the window. */
export async function overflow(page: Page): Promise<number> {
  return page.evaluate("document.documentElement.scrollWidth - window.innerWidth");
}
