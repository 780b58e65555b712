import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { startBridge } from "../bridge/bridge-process.ts";
import { connectGateway } from "../bridge/gateway-client.ts";
import { openPlant } from "../bridge/harness.ts";
import { describeInBrowser, openPage } from "./browser.ts";

/** Where `npm run screenshots` wants the pictures for the documentation; otherwise there is nothing to do here. */
const folder = process.env["PICTURES"];

describeInBrowser("the page, in pictures,", () => {
  test.runIf(folder !== undefined)(
    "of a plant that has lived through something",
    async () => {
      const plant = await openPlant({
        gateways: ["plant-1", "plant-2"],
        bound: ["Pump%201", "Pump%202", "Kiln", "Press"],
      });
      const bridge = await startBridge(plant.configFile);
      const [one, two] = await Promise.all(
        ["plant-1", "plant-2"].map((id) =>
          connectGateway(bridge.url, { token: plant.tokenOf(id), protocolVersion: 4 }),
        ),
      );
      if (one === undefined || two === undefined) throw new Error("wanted two gateways");
      let n = 0;
      const talk = setInterval(() => {
        n += 1;
        const device = ["Pump 1", "Kiln", "Pump 2", "Press"][n % 4] ?? "Kiln";
        const values = { t: 40 + (n % 7), rpm: 1450 + (n % 5) * 12.5 };
        const times = 1 + Math.round(2 * Math.sin(n / 20) ** 2);
        for (let time = 0; time < times; time += 1) {
          void (n % 2 === 0 ? one : two)
            .say("v1/gateway/telemetry", { [device]: [{ ts: Date.now(), values }] })
            .catch(() => undefined);
        }
      }, 40);
      onTestFinished(() => clearInterval(talk));

      await one.say("v1/gateway/attributes", { "Pump 1": { serial: "S-1", firmware: "2.4.1" } });
      await one.say("v1/gateway/telemetry", { "Pump 9": [{ ts: 1, values: { t: 1 } }] });
      await two.say("v1/gateway/telemetry", '{"Kiln":[{"ts":1763700000000,"values":null}]}');
      await two.say("v1/gateway/telemetri", "{}");
      // Time passes here for its picture: there is nothing to wait for.
      await pause(25_000);
      await plant.stopCloud();
      await pause(8_000);
      await plant.startCloud();
      await expect.poll(async () => (await bridge.ledger()).pending, { timeout: 60_000 }).toBeLessThan(20);
      await pause(12_000);

      const page = await openPage(bridge.admin, { viewport: { width: 1000, height: 640 } });
      const take = (name: string) => page.screenshot({ path: join(folder ?? "", `dashboard-${name}.png`) });
      await page.locator(".gateway").first().waitFor();
      await take("links");
      await page.goto(`${bridge.admin}/#ledger`);
      await page.locator(".chart").first().waitFor();
      await page.setViewportSize({ width: 1000, height: 760 });
      await take("ledger");
      await page.setViewportSize({ width: 1000, height: 640 });
      await page.goto(`${bridge.admin}/#quarantine`);
      await page.locator(".waiting", { hasText: "quarantined" }).locator("summary").click();
      await page.locator(".waiting pre").waitFor();
      await take("quarantine");
      await page.emulateMedia({ colorScheme: "dark" });
      await page.goto(`${bridge.admin}/#trace`);
      await page.locator(".entry").nth(5).waitFor();
      await page.getByRole("button", { name: "Pause" }).click();
      await take("trace");
      await page.goto(`${bridge.admin}/#playground`);
      await page.locator(".packet.out").first().waitFor();
      await take("playground");
    },
    180_000,
  );
});
