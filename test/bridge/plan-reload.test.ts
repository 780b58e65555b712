import { expect, test } from "vitest";
import { type GatewayChange, planReload } from "../../src/bridge/plan-reload.ts";
import { openPlant, type Plant } from "./harness.ts";

async function configOf(plant: Plant, sections: Parameters<Plant["configure"]>[0] = {}) {
  plant.configure(sections);
  const loaded = await plant.load();
  if ("mistakes" in loaded) throw new Error(JSON.stringify(loaded.mistakes));
  return loaded.config;
}

const rules: GatewayChange = { link: "rules", endsLocal: false };
const upstream: GatewayChange = { link: "upstream", endsLocal: false };

const cases = [
  [{}, undefined, []],
  [{ rules: { detachAfter: "1m" } }, rules, ["gateways.gw-01.rules"]],
  [{ local: { strict: true } }, rules, ["local.strict"]],
  [{ local: { maxPacketSize: "2MiB" } }, undefined, ["local.maxPacketSize"]],
  [{ upstream: { settle: "30ms" } }, rules, ["upstream.settle"]],
  [{ upstream: { inFlight: 9 } }, rules, ["upstream.inFlight"]],
  [{ upstream: { keepalive: "30s" } }, upstream, ["upstream.keepalive"]],
  [{ upstream: { tokenLifetime: "30m" } }, upstream, ["upstream.tokenLifetime"]],
  [{ upstream: { project: "other" } }, upstream, ["upstream.project"]],
  [{ admin: false }, undefined, ["admin.listen"]],
  [{ log: { level: "warn" } }, undefined, ["log.level"]],
] as const;

test("planReload() says what each option changes, and for whom", async () => {
  const plant = await openPlant();
  const before = await configOf(plant);
  for (const [sections, change, changes] of cases) {
    const plan = planReload(before, await configOf(plant, sections));
    const shown = JSON.stringify(sections);
    expect.soft(plan.changes, shown).toEqual(changes);
    expect.soft([...plan.changed.values()], shown).toEqual(change === undefined ? [] : [change]);
    expect.soft(plan.needsRestart, shown).toEqual([]);
  }
});

test("planReload() leaves the spool as it is, and says so", async () => {
  const plant = await openPlant();
  const before = await configOf(plant);
  const plan = planReload(before, await configOf(plant, { spool: { maxBytes: "2MiB" }, log: { level: "warn" } }));
  expect(plan).toMatchObject({ changes: ["spool.maxBytes", "log.level"], needsRestart: ["spool.maxBytes"] });
  expect(plan.config).toMatchObject({ spool: before.spool, log: { level: "warn" } });
  // Until it is restarted, every reload says it again.
  expect(planReload(plan.config, await configOf(plant, { spool: { maxBytes: "2MiB" } })).needsRestart).toEqual([
    "spool.maxBytes",
  ]);
});
