import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { connectGateway } from "../bridge/gateway-client.ts";
import { eventually, openPlant } from "../bridge/harness.ts";
import { accessibilityFaults, describeInBrowser, openPage, overflow } from "./browser.ts";

/** Each view, and what stands on it once it has all its figures. */
const views = {
  links: ".gateway",
  devices: ".rows tbody tr",
  ledger: ".chart",
  quarantine: ".waiting",
  trace: ".entry",
  playground: ".packet.out",
} as const;

const sizes = { wide: { width: 1120, height: 700 }, narrow: { width: 320, height: 640 } } as const;

describeInBrowser("the page", () => {
  test.each([
    ["wide", "light"],
    ["wide", "dark"],
    ["narrow", "light"],
    ["narrow", "dark"],
  ] as const)(
    "walk-through on a %s screen in %s: nothing sticks out, everyone can read and reach it",
    async (size, colorScheme) => {
      const url = await openBusyPlant();
      const page = await openPage(url, { viewport: sizes[size], colorScheme });
      const folder = pictures();
      for (const [view, wanted] of Object.entries(views)) {
        await page
          .getByRole("navigation")
          .getByRole("link", { name: new RegExp(view, "i") })
          .click();
        await page.locator(wanted).first().waitFor();
        await unfold(page);
        expect(await overflow(page), view).toBe(0);
        expect(await accessibilityFaults(page), view).toEqual([]);
        await page.screenshot({ path: join(folder, `${view}-${size}-${colorScheme}.png`) });
      }
    },
    120_000,
  );

  test("a dialog that asks is readable and reachable too", async () => {
    const page = await openPage(`${await openBusyPlant()}#quarantine`);
    await page.getByRole("button", { name: "Discard all…" }).click();
    await page.getByRole("dialog").waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
  });

  test("colours follow the system until one is chosen, which is kept", async () => {
    const page = await openPage(await openBusyPlant(), { colorScheme: "dark" });
    const paper = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    const dark = await paper();
    await page.emulateMedia({ colorScheme: "light" });
    const light = await paper();
    expect(light).not.toBe(dark);
    await page.getByLabel("Colours").selectOption("dark");
    expect(await paper()).toBe(dark);
    await page.reload();
    await page.locator(".gateway").first().waitFor();
    expect(await paper()).toBe(dark);
  });

  test("nothing moves for those who do not want it", async () => {
    const page = await openPage(`${await openBusyPlant()}#ledger`, { reducedMotion: "reduce" });
    await page.locator(".segment").first().waitFor();
    const moving = await page.evaluate(
      `[...document.querySelectorAll("*")].filter((one) => getComputedStyle(one).transitionDuration !== "0s" || getComputedStyle(one).animationName !== "none").length`,
    );
    expect(moving).toBe(0);
  });

  test("a keyboard reaches everything, sees where it is, and can skip to the content", async () => {
    const page = await openPage(await openBusyPlant());
    await page.locator(".gateway").first().waitFor();
    await page.keyboard.press("Tab");
    expect(await focused(page)).toMatchObject({ text: "Skip to content", isSeen: true });
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.id")).toBe("content");

    for (const view of Object.keys(views)) {
      const link = page.getByRole("navigation").getByRole("link", { name: new RegExp(view, "i") });
      await link.focus();
      await page.keyboard.press("Enter");
      await page
        .locator(views[view as keyof typeof views])
        .first()
        .waitFor();
      // Again if not, as what is drawn anew under the focus loses it.
      await eventually(() => walkThrough(page)).toBe("everything is reached and seen");
    }
  });
});

/** Goes through the view by Tab, and says what that misses. */
async function walkThrough(page: Page): Promise<string> {
  const wanted = Number(
    await page.evaluate(`[...document.querySelectorAll("main :is(a, button, input, select, textarea, summary)")]
      .filter((one) => one.checkVisibility() && !one.disabled && !(one.type === "radio" && !one.checked)).length`),
  );
  const reached = new Set<string>();
  await page.locator("main").focus();
  for (let step = 0; step < wanted + 20; step += 1) {
    await page.keyboard.press("Tab");
    const at = await focused(page);
    if (!at.isInMain) break;
    if (!at.isSeen) return `no outline around "${at.text}"`;
    if (at.isControl) reached.add(at.path);
  }
  // There may be more by then.
  return reached.size >= wanted ? "everything is reached and seen" : `${reached.size} of ${wanted} are reached`;
}

interface Focused {
  readonly text: string;
  readonly path: string;
  readonly isInMain: boolean;
  readonly isControl: boolean;
  /** An outline is drawn around it. */
  readonly isSeen: boolean;
}

function focused(page: Page): Promise<Focused> {
  return page.evaluate(`(() => {
    const at = document.activeElement;
    const path = [];
    for (let one = at; one !== null; one = one.parentElement) path.push([...(one.parentElement?.children ?? [])].indexOf(one));
    const { outlineStyle, outlineWidth } = getComputedStyle(at);
    return {
      text: at.textContent.trim().slice(0, 60),
      path: path.join("."),
      isInMain: document.querySelector("main").contains(at),
      isControl: at.matches("a, button, input, select, textarea, summary"),
      isSeen: outlineStyle !== "none" && outlineWidth !== "0px",
    };
  })()`);
}

async function unfold(page: Page): Promise<void> {
  await page.evaluate("for (const one of document.querySelectorAll('main details')) one.open = true");
}

/** Where the pictures go: away with the test, unless it is told to keep them. */
function pictures(): string {
  const kept = process.env["SCREENSHOTS"];
  if (kept !== undefined) {
    mkdirSync(kept, { recursive: true });
    return kept;
  }
  const folder = mkdtempSync(join(tmpdir(), "dragoman-page-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A plant where something of everything is to be seen; the address of its page. */
async function openBusyPlant(): Promise<string> {
  const plant = await openPlant({ gateways: ["plant-1", "plant-2"], bound: ["Pump%201", "Pump%202"] });
  const bridge = await plant.open();
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("plant-1"), protocolVersion: 4 });
  const say = (n: number) =>
    gateway.say("v1/gateway/telemetry", { "Pump 1": [{ ts: 1_483_228_800_000 + n, values: { n, rpm: 1450.25 } }] });
  for (let n = 0; n < 10; n += 1) await say(n);
  await gateway.say("v1/gateway/telemetry", { "Stray 9": [{ ts: 1, values: { n: 1 } }] });
  await gateway.say("v1/gateway/telemetry", '{"Pump 2":[{"ts":1,"values":null}]}');
  await gateway.say("v1/gateway/attributes", { "Pump 1": { serial: "S-1", firmware: "2.4.1" } });
  await plant.cloud.next("state");
  plant.cloud.setConfig("Pump%201", '{"interval":30,"limits":{"high":90,"low":10}}');
  await gateway.next("v1/gateway/attributes");
  await eventually(() => bridge.ledger()).toMatchObject({ held: 1, quarantined: 1, pending: 0 });
  // So that there is a trace whenever it is looked at.
  let n = 10;
  const timer = setInterval(() => void say(n++).catch(() => undefined), 500);
  onTestFinished(() => clearInterval(timer));
  return `${bridge.admin}/`;
}
