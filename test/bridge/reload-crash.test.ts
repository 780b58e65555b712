import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startBridge } from "./bridge-process.ts";
import { eventually, openPlant } from "./harness.ts";
import { audit, createLoad } from "./load.ts";

test("kill -9 in the middle of reloads under load: nothing acknowledged is lost, and the order stays", {
  timeout: 120_000,
}, async () => {
  const plant = await openPlant({ mapping: "plant.yaml", log: { level: "info" } });
  const write = (key: string) =>
    writeFileSync(join(plant.folder, "plant.yaml"), `mapping: p\nrules: { a: { keys: { number: { to: ${key} } } } }\n`);
  write("first");
  const load = createLoad();
  for (const round of [1, 2, 3, 4]) {
    const bridge = await startBridge(plant.configFile);
    // In the way of what is in flight, so that links are at rest for a while.
    plant.cloud.faults.acknowledgeDelayMs = 30;
    const gateway = await load.send(bridge.url, plant.tokenOf("gw-01"), 500);
    await gateway.next("puback", () => load.acknowledged.size >= round * 100);
    write(`round-${round}`);
    bridge.signal("SIGHUP");
    // Sometimes before the rules have changed, sometimes behind it.
    if (round % 2 === 0) await bridge.log.next(({ msg }) => msg === "reloaded");
    else await gateway.next("puback", () => load.acknowledged.size >= round * 100 + 20);
    await bridge.end("SIGKILL");
    await gateway.closed;
  }
  plant.cloud.faults.acknowledgeDelayMs = 0;
  const bridge = await startBridge(plant.configFile);
  await eventually(() => bridge.ledger()).toMatchObject({ pending: 0 });
  expect(audit(load, [plant.cloud])).toMatchObject({ lost: [], disordered: [] });
  const { received, delivered } = await bridge.ledger();
  expect(delivered).toBe(received);
});
