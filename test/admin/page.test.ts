import type { Locator, Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { type Config, loadConfig } from "../../src/config.ts";
import { builtInDialects } from "../../src/mappings.ts";
import { connectGateway, type GatewayClient } from "../bridge/gateway-client.ts";
import { eventually, openPlant, openRunning, type Plant, type RunningBridge } from "../bridge/harness.ts";
import { narrowDialects } from "../bridge/narrow-dialects.ts";
import { describeInBrowser, openPage } from "./browser.ts";

const telemetry = "v1/gateway/telemetry";
const timed = (device: string, n: number) => ({ [device]: [{ ts: 1_483_228_800_000 + n, values: { n } }] });

describeInBrowser("the page", () => {
  describe("shows, as it happens,", () => {
    test("the state of the links and why it is so", async () => {
      const { plant, page } = await openAll();
      const gateway = page.locator("details", { hasText: "gw-01" });
      await seen(page.getByRole("status"), "1 gateway with a proven path to the cloud");
      await seen(gateway, "ready");
      await seen(gateway, "MQTT 5");
      await seen(gateway, /Tokenexpires in 59 min|Tokenexpires in 1 h/);

      await plant.stopCloud();
      await seen(page.getByRole("status"), "1 of 1 gateway without a proven path to the cloud");
      await seen(gateway, "not ready");
      await seen(gateway, "refused");
      expect(await page.title()).toBe("⚠ Links · dragoman");

      await plant.startCloud();
      await seen(page.getByRole("status"), "1 gateway with a proven path to the cloud");
    });

    test("a changed configuration that was refused, with its mistakes, until there is a right one", async () => {
      const { plant, bridge, page } = await openAll();
      const reload = async () => bridge.reload(await loadConfig(plant.configFile, { env: {} }));
      plant.configure({ rules: { detachAfter: "soon" } });
      await reload();
      await seen(page.getByRole("banner"), "A changed configuration was refused");
      await seen(page.getByRole("main"), /dragoman\.yaml:\d+:\d+: /);
      plant.configure({ rules: { detachAfter: "20m" } });
      await reload();
      await seen(page.getByRole("main"), "The changed configuration is in use");
      await eventually(() => page.getByRole("banner").textContent()).not.toContain("refused");
    });

    test("devices with what holds them and their documents, and finds them by name", async () => {
      const { plant, page, gateway } = await openAll({ bound: ["Device%20A", "Device%20B"] });
      await gateway.say("v1/gateway/attributes", { "Device A": { serial: "S-1", big: 9007199254740993n.toString() } });
      await gateway.say(telemetry, timed("Device B", 1));
      await gateway.say(telemetry, timed("Stray", 1));
      await plant.cloud.next("state");
      plant.cloud.setConfig("Device%20A", '{"interval":30}');
      await gateway.next("v1/gateway/attributes");

      await openView(page, "Devices");
      const row = (name: string) => page.getByRole("row", { name });
      await seen(row("Device A"), "attached");
      await seen(row("Stray"), "held");
      await row("Device A").getByText("desired").click();
      await seen(row("Device A"), '"interval":30');
      await row("Device A").getByText("reported").click();
      await seen(row("Device A"), '"serial":"S-1"');

      await page.getByLabel("Name").fill("stra");
      await eventually(() => page.getByRole("row").count()).toBe(2);
      await seen(row("Stray"), "held");
      expect(new URL(page.url()).hash).toBe("#devices?search=stra");
      await page.reload();
      await seen(row("Stray"), "held");
      expect(await page.getByRole("row").count()).toBe(2);

      await row("Stray").getByRole("link", { name: "held" }).click();
      await seen(page.getByRole("listitem"), "Stray");
    });

    test("the ledger, which balances, and its past", async () => {
      const { bridge, page, gateway } = await openAll();
      await openView(page, "Ledger");
      await seen(
        page.locator(".equation"),
        "0 received= 0 delivered+ 0 pending+ 0 held+ 0 quarantined+ 0 dropped✓ balances",
      );
      for (let n = 1; n <= 5; n += 1) await gateway.say(telemetry, timed("Device A", n));
      await gateway.say("nothing/known", "x");
      await eventually(() => bridge.ledger()).toMatchObject({ received: 6, delivered: 5 });
      await seen(
        page.locator(".equation"),
        "6 received= 5 delivered+ 0 pending+ 0 held+ 0 quarantined+ 1 dropped✓ balances",
      );
      await seen(page.locator(".legend"), "1 unknownTopic");
      await seen(page.getByRole("row", { name: "gw-01" }), "✓");
      const chart = page.getByRole("img", { name: /^Throughput.*received now/ });
      await chart.waitFor();
      const asked = page.waitForResponse(/history\?seconds=3600$/);
      await page.getByLabel("1 hour").check();
      expect((await asked).status()).toBe(200);
    });
  });

  describe("quarantine", () => {
    test("shows a packet and what does not fit, and tries it again once the mapping is mended", async () => {
      const plant = await openPlant();
      const before = await openRunning(await configOf(plant, narrowDialects()));
      const old = await connectGateway(before.url, { token: plant.tokenOf("gw-01"), protocolVersion: 4 });
      await old.say(telemetry, { "Device A": [{ n: 7 }] });
      await eventually(() => before.ledger()).toMatchObject({ quarantined: 1 });

      const early = await openPage(`${before.admin}/#quarantine`);
      await early.getByRole("button", { name: /^Retry message/ }).click();
      await seen(
        early.getByRole("status").last(),
        /0 messages tried again\. 1 message left as they were: .*thingsboard\.yaml/,
      );
      await early.close();
      await before.close();

      const bridge = await openRunning(await configOf(plant));
      const page = await openPage(`${bridge.admin}/#quarantine`);
      await page.getByText(telemetry, { exact: true }).click();
      await seen(page.getByRole("listitem"), '"n":7');
      await seen(page.getByRole("listitem"), /rule telemetry.*thingsboard\.yaml:\d+/s);
      await page.getByRole("button", { name: /^Retry message/ }).click();
      await seen(page.getByText("1 message tried again."), "1 message tried again.");
      await seen(page.locator("main"), "Nothing is held or quarantined.");
      await eventually(() => bridge.ledger()).toMatchObject({ delivered: 1, quarantined: 0 });
      expect(plant.cloud.received().at(-1)).toMatchObject({ kind: "telemetry", device: "Device%20A" });
    });

    test("shows more when asked to, keeps it shown while more comes, and finds what a filter names", async () => {
      const { bridge, page, gateway } = await openAll({ bound: [] });
      for (let n = 0; n < 60; n += 1) await gateway.say(telemetry, timed("Stray", n));
      await eventually(() => bridge.ledger()).toMatchObject({ held: 60 });
      await openView(page, "Quarantine");
      const rows = page.locator(".waiting");
      await eventually(() => rows.count()).toBe(50);
      await page.getByRole("button", { name: "Show more" }).click();
      await eventually(() => rows.count()).toBe(60);
      await gateway.say(telemetry, timed("Other", 1));
      await eventually(() => rows.count()).toBe(61);
      await page.getByLabel("Device").fill("Other");
      await page.keyboard.press("Enter");
      await eventually(() => rows.count()).toBe(1);
      await page.getByLabel("Fate").selectOption("quarantined");
      await seen(page.locator("main"), "Nothing fits this.");
    });

    test("discards only after asking, and Escape means no", async () => {
      const { bridge, page, gateway } = await openAll({ bound: [] });
      await gateway.say(telemetry, timed("Stray", 1));
      await gateway.say(telemetry, timed("Stray", 2));
      await eventually(() => bridge.ledger()).toMatchObject({ held: 2 });
      await openView(page, "Quarantine");
      await eventually(() => page.getByRole("button", { name: /^Discard message/ }).count()).toBe(2);

      const discardAll = page.getByRole("button", { name: "Discard all…" });
      await discardAll.click();
      await seen(page.getByRole("dialog"), "Discard everything that is held or quarantined?");
      await page.keyboard.press("Escape");
      await eventually(() => page.getByRole("dialog").count()).toBe(0);
      await eventually(() => page.evaluate("document.activeElement.textContent")).toBe("Discard all…");
      expect(bridge.ledger()).toMatchObject({ held: 2 });

      await page
        .getByRole("button", { name: /^Discard message/ })
        .first()
        .click();
      await page.getByRole("dialog").getByRole("button", { name: "Discard" }).click();
      await seen(page.getByText("1 message discarded."), "1 message discarded.");
      expect(bridge.ledger()).toMatchObject({ held: 1, dropped: { discarded: 1 } });

      await discardAll.click();
      await page.getByRole("dialog").getByRole("button", { name: "Discard" }).click();
      await seen(page.locator("main"), "Nothing is held or quarantined.");
      expect(bridge.ledger()).toMatchObject({ held: 0, dropped: { discarded: 2 } });
    });
  });

  describe("the live trace", () => {
    test("shows a packet as it was, its meaning, as it became, and the rules that did it", async () => {
      const { page, gateway } = await openAll();
      await openView(page, "Trace");
      await seen(page.locator("main"), "Waiting for the next packet…");
      await traced(page, gateway);
      // The trace may have begun when a packet was half-way.
      const whole = page.locator(".entry", { hasText: `gateway ▶${telemetry}` });
      const entry = whole.filter({ hasText: "/devices/Device%20A/events" }).last();
      await seen(entry, "telemetry Device A");
      await seen(entry, "▶ cloud/devices/Device%20A/events");
      await seen(entry, /rule telemetry .*thingsboard\.yaml:\d+/);
      await seen(entry, /rule telemetry .*google\.yaml:\d+/);
    });

    test("says why a packet is not understood, and nothing of what is secret", async () => {
      const { page, gateway } = await openAll();
      await openView(page, "Trace");
      await traced(page, gateway);
      await gateway.say("v1/gateway/claim", { "Device A": { secretKey: "hush-hush-1", durationMs: 60000 } });
      await gateway.say("nothing/known", "hush-hush-2");
      await gateway.say(telemetry, '{"Device A":[{"ts":1,"values":7}]}').catch(() => undefined);
      await seen(page.locator(".entry.bad").first(), /thingsboard\.yaml:\d+/);
      await seen(page.locator(".entry", { hasText: "v1/gateway/claim" }), '"secretKey":"•••"');
      await seen(page.locator(".entry", { hasText: "nothing/known" }), "•••");
      expect(await page.locator("main").textContent()).not.toContain("hush-hush");
    });

    test("filters by device and kind, and pauses", async () => {
      const { page, gateway } = await openAll();
      await page.goto(`${new URL(page.url()).origin}/#trace?kind=state&device=Device+B`);
      await page.reload();
      expect(await page.getByLabel("Kind").inputValue()).toBe("state");
      await until(
        () => gateway.say("v1/gateway/attributes", { "Device A": { a: 1 }, "Device B": { b: 2 } }),
        () => page.locator(".entry").count(),
      );
      await gateway.say(telemetry, timed("Device B", 1));
      await gateway.say("v1/gateway/attributes", { "Device A": { a: 2 } });
      await gateway.say("v1/gateway/attributes", { "Device B": { last: 1 } });
      await seen(page.locator(".entry").first(), '"last":1');
      const all = await page.locator(".entry").allTextContents();
      expect(all.filter((text) => text.includes(telemetry) || !text.includes("Device B"))).toEqual([]);

      await page.getByRole("button", { name: "Pause" }).click();
      await seen(page.locator("main"), "Paused: packets that pass now are not shown.");
      const count = await page.locator(".entry").count();
      await gateway.say("v1/gateway/attributes", { "Device B": { unseen: 1 } });
      await page.getByRole("button", { name: "Go on" }).click();
      await until(
        () => gateway.say("v1/gateway/attributes", { "Device B": { again: 1 } }),
        async () => (await page.locator(".entry").count()) - count,
      );
      // The document that goes to the cloud has it all the same.
      expect(await page.locator("main").textContent()).not.toContain('{"unseen":1}');
      await page.getByRole("button", { name: "Clear" }).click();
      await eventually(() => page.locator(".entry", { hasText: '"last":1' }).count()).toBe(0);
    });
  });

  describe("the playground", () => {
    test("translates as one types, both ways, between any two dialects", async () => {
      const { page } = await openAll();
      await openView(page, "Playground");
      const result = page.getByRole("region", { name: "Result" });
      await page.getByLabel("Topic").fill(telemetry);
      await page.getByLabel("Payload").fill('{"Pump 7":[{"ts":1,"values":{"t":12345678901234567890}}]}');
      await seen(result, "/devices/Pump%207/events");
      await seen(result, "12345678901234567890");
      await seen(result, /rule telemetry .*thingsboard\.yaml:\d+/);

      await page.getByLabel("Payload").fill('{"Pump 7":[{"ts":1,"values":null}]}');
      await seen(result, "Nothing is sent.");
      await page.getByLabel("Topic").fill("v1/gateway/telemetri");
      await seen(result, /nearest: rule telemetry .*thingsboard\.yaml:\d+.*telemetri/);
      const shared = page.url();

      await page.getByRole("radio", { name: "the cloud" }).check();
      await page.getByLabel("Cloud speaks").selectOption("google");
      const example = page.getByLabel("Example");
      await eventually(() => example.locator("option").count()).toBeGreaterThan(1);
      await seen(result, "▶ gateway");

      // What was typed is in the address.
      const again = await openPage(shared);
      await seen(again.getByRole("region", { name: "Result" }), "v1/gateway/telemetry");
      expect(await again.getByLabel("Topic").inputValue()).toBe("v1/gateway/telemetri");
    });

    test("shows what a changed mapping does, and where it is wrong, apart from the running bridge", async () => {
      const { page, gateway, plant } = await openAll();
      await openView(page, "Playground");
      const result = page.getByRole("region", { name: "Result" });
      await page.getByLabel("Topic").fill("v2/plant/telemetry");
      await page.getByLabel("Payload").fill('{"Pump 7":[{"ts":1,"values":{"t":1}}]}');
      await seen(result, "Nothing is sent.");

      const editor = page.locator(".editor", { hasText: "The gateway's dialect" });
      await editor.locator("summary").click();
      const area = editor.getByRole("textbox");
      const original = await area.inputValue();
      await area.fill(original.replaceAll("v1/gateway/telemetry", "v2/plant/telemetry"));
      await seen(result, "/devices/Pump%207/events");
      await seen(editor, "changed");

      await area.fill(`${original}\nnonsense: true\n`);
      await seen(result, "cannot be compiled");
      const mistake = editor.getByRole("button", { name: /^\d+:\d+$/ }).first();
      await mistake.click();
      expect(await page.evaluate("document.activeElement.selectionStart")).toBeGreaterThan(1000);

      await editor.getByRole("button", { name: "Back to the original" }).click();
      await seen(result, "Nothing is sent.");
      await gateway.say(telemetry, timed("Device A", 1));
      await plant.cloud.next("telemetry");
    });
  });

  test("where the server has a token, the page asks for it, keeps it for its tab and never puts it in an address", async () => {
    const token = "correct-horse-battery-staple";
    const { page, gateway } = await openAll({
      admin: { token: tokenFromEnvironment },
      env: { ADMIN_TOKEN: token },
      expected: /401/,
    });
    await page.getByLabel("Token").fill("wrong");
    await page.getByRole("button", { name: "Show the dashboard" }).click();
    await seen(page.getByRole("alert"), "It did not take that one.");
    await page.getByLabel("Token").fill(token);
    await page.keyboard.press("Enter");
    await seen(page.getByRole("status"), "1 gateway with a proven path to the cloud");
    await openView(page, "Trace");
    await traced(page, gateway);
    await page.reload();
    await seen(page.getByRole("status"), "1 gateway with a proven path to the cloud");
    expect(page.url()).not.toContain(token);
    expect(await page.content()).not.toContain(token);
  });

  test("the page says when the bridge does not answer, and comes back with it", async () => {
    const { plant, bridge, page } = await openAll({ expected: /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|Failed to load/ });
    await seen(page.getByRole("status"), "1 gateway with a proven path to the cloud");
    await bridge.close();
    await seen(page.getByRole("status"), "The bridge does not answer");
    plant.configure({ admin: { listen: bridge.admin } });
    await plant.open();
    await seen(page.getByRole("status"), "1 gateway with a proven path to the cloud");
  });
});

interface AllOptions {
  readonly bound?: readonly string[];
  readonly admin?: object;
  readonly env?: Readonly<Record<string, string>>;
  readonly expected?: RegExp;
}

/** A cloud, a bridge, a gateway that is connected to it, and the page. */
async function openAll({ env = {}, expected, ...sections }: AllOptions = {}): Promise<{
  readonly plant: Plant;
  readonly bridge: RunningBridge;
  readonly gateway: GatewayClient;
  readonly page: Page;
}> {
  const plant = await openPlant(sections);
  const bridge = await openRunning(await configOf(plant, builtInDialects(), env));
  const gateway = await connectGateway(bridge.url, { token: plant.tokenOf("gw-01") });
  const page = await openPage(`${bridge.admin}/`, expected === undefined ? {} : { expected });
  return { plant, bridge, gateway, page };
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration reads the environment
const tokenFromEnvironment = "${ADMIN_TOKEN}";

async function configOf(
  plant: Plant,
  dialects = builtInDialects(),
  env: Readonly<Record<string, string>> = {},
): Promise<Config> {
  const loaded = await loadConfig(plant.configFile, { env, dialects });
  if ("mistakes" in loaded) throw new Error(JSON.stringify(loaded.mistakes));
  return loaded.config;
}

async function openView(page: Page, name: string): Promise<void> {
  await page.getByRole("navigation").getByRole("link", { name }).click();
}

/** Waits until something on the page reads so. */
async function seen(locator: Locator, text: string | RegExp): Promise<void> {
  const shown = eventually(() => locator.first().textContent());
  if (typeof text === "string") await shown.toContain(text);
  else await shown.toMatch(text);
}

/** Says something until the trace, which begins at a moment of its own, shows a packet. */
function traced(page: Page, gateway: GatewayClient): Promise<void> {
  let n = 0;
  return until(
    () => gateway.say(telemetry, timed("Device A", n++)),
    () => page.locator(".entry", { hasText: "▶ cloud" }).count(),
  );
}

async function until(act: () => Promise<void>, look: () => Promise<number>): Promise<void> {
  await eventually(async () => {
    await act();
    return look();
  }).toBeGreaterThan(0);
}
