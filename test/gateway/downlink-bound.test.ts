import { describe, expect, test } from "vitest";
import type { GatewayEffect } from "../../src/gateway/gateway.ts";
import type { DeviceId } from "../../src/message/message.ts";
import { changing, documented, Play } from "./play.ts";

const order = (device: string, body: string) =>
  ({ kind: "command", device: device as DeviceId, body: Buffer.from(body) }) as const;

/** Sends orders and counts what becomes of them. */
function flood(play: Play, count: number, body = '{"method":"on"}') {
  const effects: GatewayEffect[] = [];
  for (let n = 1; n <= count; n++) {
    const message = order("pump-2", body);
    effects.push(...play.engine.handle({ kind: "received", inbound: n, message }, play.now));
  }
  return {
    delivered: effects.filter(({ kind }) => kind === "deliver").length,
    acknowledged: effects.filter(({ kind }) => kind === "acknowledge").length,
    dropped: effects.flatMap((effect) =>
      effect.kind === "countDown" && effect.event === "dropped" ? [effect.reason] : [],
    ),
    reports: effects.flatMap((effect) => (effect.kind === "report" && effect.level === "warn" ? [effect.event] : [])),
    deliveries: effects.flatMap((effect) => (effect.kind === "deliver" ? [effect.token] : [])),
  };
}

describe.each([
  ["for another cloud's gateway", {}],
  ["passed on as they are", { local: documented }],
] as const)("a flood of commands %s", (_, setup) => {
  test("is dropped, acknowledged, counted and reported once a minute, above what may wait", () => {
    const play = Play.attached("pump-2", setup);
    const { delivered, acknowledged, dropped, reports, deliveries } = flood(play, 5000);
    expect({ delivered, acknowledged, dropped: dropped.length }).toEqual({
      delivered: 1024,
      acknowledged: 3976,
      dropped: 3976,
    });
    expect(new Set(dropped)).toEqual(new Set(["full"]));
    expect(reports).toEqual(["downlink-flood"]);
    play.now += 60_000;
    expect(flood(play, 10).reports).toEqual(["downlink-flood"]);
    for (const token of deliveries) play.delivered(token);
    expect(flood(play, 10)).toMatchObject({ delivered: 10, dropped: [] });
  });

  test("is bounded in bytes, too", () => {
    const play = Play.attached("pump-2", setup);
    const { delivered } = flood(play, 200, JSON.stringify({ method: "on", params: "x".repeat(200_000) }));
    expect(delivered).toBeGreaterThan(70);
    expect(delivered).toBeLessThan(90);
  });
});

test("a cloud that names ever more devices makes us remember no more than a bound", () => {
  const play = new Play({ local: documented, upstream: changing });
  play.openUpstream();
  for (let n = 0; n < 21_000; n++) {
    const message = { kind: "config", device: `device-${n}` as DeviceId, values: '{"a":1}' as never } as const;
    play.engine.handle({ kind: "received", inbound: undefined, message }, play.now);
  }
  expect(play.engine.status(play.now).devices.length).toBe(20_000);
});
