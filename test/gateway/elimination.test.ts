import { describe, expect, test } from "vitest";
import { poisonReason } from "../../src/gateway/elimination.ts";
import type { GatewayEffect } from "../../src/gateway/gateway.ts";
import type { JsonText } from "../../src/message/json.ts";
import type { UpMessage } from "../../src/message/message.ts";
import { attach, changing, delivered, isPublish, Play, reply, type Setup, state, telemetry } from "./play.ts";

const eliminating = { reconnect: "elimination", detail: expect.any(String) };

/** Closes the connection as a cloud does that says nothing, and opens it again. */
function hangUp(play: Play, reason = "closed"): readonly unknown[] {
  return play.do({ kind: "upstreamClosed", reason, unacknowledged: [] });
}

/** A gateway with a device attached, and one message that was under way at two closes. */
function suspicious(setup: Setup = { settleMs: 0 }) {
  const play = Play.attached("pump-2", setup);
  play.send(telemetry("pump-2", '{"n":1}'));
  hangUp(play);
  for (const effect of play.do({ kind: "upstreamOpened" }, 1000))
    if (isPublish(effect)) play.acknowledge(effect.publish);
  return { play, closed: hangUp(play) };
}

describe("the probe", () => {
  test("comes after two closes with the same publish unacknowledged, and says nothing for 2 s", () => {
    const { play, closed } = suspicious();
    expect(closed).toContainEqual(eliminating);
    expect(play.do({ kind: "upstreamOpened" }, 1000)).toEqual([]);
    expect(play.send(telemetry("pump-2", '{"n":2}'), telemetry("other", '{"n":3}'))).toEqual([]);
    expect(play.tick(1999)).toEqual([]);
    expect(play.tick(1)).toMatchObject([
      { subscribe: expect.any(Number), kinds: "error" },
      { subscribe: expect.any(Number), kinds: "config command" },
      { kind: "attach", device: "pump-2" },
    ]);
  });

  test("does not come where each close found another message under way", () => {
    const play = Play.attached("pump-2", { settleMs: 0 });
    for (let n = 1; n <= 2; n++) {
      play.send(telemetry("pump-2", `{"n":${n}}`));
      expect(hangUp(play)).not.toContainEqual(eliminating);
      settle(play, play.do({ kind: "upstreamOpened" }, 70_000));
    }
  });

  test.each(["token-expired", "keepalive", "unacknowledged", "refused", "connack-5", "disconnect-151"])(
    "does not come after closes for which nothing that was sent can be to blame: %s",
    (reason) => {
      const play = Play.attached("pump-2", { settleMs: 0 });
      play.send(telemetry("pump-2", '{"n":1}'));
      for (let i = 0; i < 5; i++) {
        expect(hangUp(play, reason)).not.toContainEqual(eliminating);
        expect(play.do({ kind: "upstreamOpened" }, 1000)).not.toEqual([]);
      }
    },
  );

  test("that is closed too acquits all messages: the wait grows, and nothing is sent before a probe has held", () => {
    const { play } = suspicious();
    for (let i = 0; i < 3; i++) {
      expect(play.do({ kind: "upstreamOpened" }, 1000)).toEqual([]);
      play.tick(1500);
      expect(hangUp(play)).toEqual([]);
    }
    play.do({ kind: "upstreamOpened" }, 1000);
    expect(settle(play, play.tick(2000))).toContainEqual(delivered(2));
    expect(play.send(telemetry("pump-2", '{"n":2}'))).toMatchObject([{ kind: "telemetry" }]);
  });

  test("says nothing at each connection for as long as the search goes on, also after a break of another kind", () => {
    const { play } = suspicious();
    play.do({ kind: "upstreamOpened" }, 1000);
    hangUp(play, "keepalive");
    expect(play.do({ kind: "upstreamOpened" }, 1000)).toEqual([]);
    expect(play.tick(1999)).toEqual([]);
    expect(play.tick(1)).toContainEqual(expect.objectContaining({ kind: "attach", device: "pump-2" }));
  });
});

describe("a suspect", () => {
  test("is set aside once it was sent alone and the connection closed, twice", () => {
    const { play } = suspicious();
    for (const isLast of [false, true]) {
      play.do({ kind: "upstreamOpened" }, 1000);
      play.send(telemetry("other", '{"n":9}'));
      const [sent] = settle(play, play.tick(2000), { until: "telemetry" }).filter(isPublish);
      expect(sent).toMatchObject({ kind: "telemetry", device: "pump-2" });
      const closed = hangUp(play);
      expect(closed).toContainEqual(eliminating);
      if (isLast) expect(closed).toContainEqual({ settle: "2.0", fate: `quarantined: ${poisonReason}` });
    }
    // No probe any more: the rest flows.
    const effects = settle(play, play.do({ kind: "upstreamOpened" }, 1000));
    expect(effects).toContainEqual(expect.objectContaining({ kind: "telemetry", device: "other" }));
    expect(play.engine.load).toBe(0);
  });

  test("that passes alone is delivered, and everything flows again on the same connection", () => {
    const { play } = suspicious();
    play.do({ kind: "upstreamOpened" }, 1000);
    expect(settle(play, play.tick(2000))).toContainEqual(delivered(2));
    expect(play.send(telemetry("pump-2", '{"n":2}'))).toMatchObject([{ kind: "telemetry" }]);
  });

  test("may be an attach: the device is held and others go on", () => {
    const play = Play.open({ settleMs: 0 });
    play.send(attach("bad-1"), attach("good-1"));
    const closes = poisoned(play, (message) => message.kind === "attach" && message.device === "bad-1");
    expect(closes).toBeLessThanOrEqual(5);
    const devices = play.engine.status(play.now).devices.map(({ name, state: at, reason }) => [name, at, reason]);
    expect(devices).toEqual([
      ["bad-1", "held", poisonReason],
      ["good-1", "attached", undefined],
    ]);
  });

  test("may be a device's document", () => {
    const play = Play.attached("pump-2", { settleMs: 0 });
    play.send(state("pump-2", '{"fw":1}'));
    const closes = poisoned(play, (message) => message.kind === "state");
    expect(closes).toBeLessThanOrEqual(5);
    expect(play.engine.load).toBe(0);
  });

  test("may be the answer to a command", () => {
    const play = Play.attached("pump-2", { settleMs: 0 });
    const order = { kind: "command", device: "pump-2" as never, body: Buffer.from('{"method":"on"}') } as const;
    const [told] = play.do({ kind: "received", inbound: 7, message: order }).filter(isDeliver);
    play.delivered(told?.deliver ?? 0);
    play.send(reply("pump-2", told?.id ?? 0, '"done"'));
    const closes = poisoned(play, (message) => message.kind === "telemetry");
    expect(closes).toBeLessThanOrEqual(5);
    expect(play.engine.status(play.now)).toMatchObject({ openCommands: 0, queued: 0 });
  });

  test("may be the question for the cloud's limits: it is not asked again", () => {
    const play = new Play({ upstream: changing });
    for (let i = 0; i < 2; i++) {
      const effects = play.do({ kind: "upstreamOpened" }, 1000);
      expect(effects).toContainEqual(expect.objectContaining({ kind: "call", method: "getSessionLimits" }));
      hangUp(play);
    }
    expect(play.do({ kind: "upstreamOpened" }, 1000).filter(isPublish)).toEqual([]);
  });

  test("packed with others is found among them", () => {
    const play = Play.open({ upstream: changing, settleMs: 0 });
    hangUp(play);
    play.send(...[1, 2, 3, 4, 5].map((n) => telemetry("pump-2", `{"n":${n}}`, n)));
    const fates: unknown[] = [];
    poisoned(play, (message) => JSON.stringify(message).includes('\\"n\\":3}'), fates);
    expect(fates).toEqual([
      ...[0, 1].map((index) => delivered(1, index)),
      { settle: "1.2", fate: `quarantined: ${poisonReason}` },
      ...[3, 4].map((index) => delivered(1, index)),
    ]);
  });
});

describe("one message to blame among thousands", () => {
  test.each([
    ["that takes them in order and answers before it closes", true],
    ["of which nothing is heard before it closes", false],
  ])("costs a handful of reconnects at a cloud %s", (_, isAnswering) => {
    const play = Play.open({ settleMs: 0 });
    const devices = Array.from({ length: 40 }, (__, index) => `pump-${index}`);
    for (let n = 1; n <= 75; n++) play.send(...devices.map((device) => telemetry(device, `{"n":${n}}`)));
    const fates: unknown[] = [];
    const closes = poisoned(play, (message) => isPoison(message), fates, isAnswering);
    expect(closes).toBeLessThanOrEqual(isAnswering ? 4 : 8);
    expect(fates).toHaveLength(3000);
    expect(fates.filter((fate) => (fate as { fate: string }).fate !== "delivered")).toEqual([
      { settle: "30.17", fate: `quarantined: ${poisonReason}` },
    ]);

    function isPoison(message: UpMessage): boolean {
      return message.kind === "telemetry" && message.device === "pump-17" && bodyText(message).includes('"n":30}');
    }
  });
});

describe("a cloud that closes whatever is sent", () => {
  test("is given ever more time instead of one message after the other being set aside", () => {
    const play = Play.open({ settleMs: 0 });
    for (let n = 1; n <= 10; n++) play.send(telemetry(undefined, `{"n":${n}}`));
    const reconnects: boolean[] = [];
    let setAside = 0;
    // Every publish closes, and the cloud stays silent before.
    let effects = hangUp(play);
    for (let i = 0; i < 60 && setAside < 6; i++) {
      effects = play.do({ kind: "upstreamOpened" }, 1000);
      if (!effects.some(isPublish)) play.tick(2000);
      effects = hangUp(play);
      const isSetAside = effects.some((effect) => JSON.stringify(effect).includes("poison"));
      if (isSetAside)
        reconnects.push(effects.some((effect) => (effect as { reconnect?: string }).reconnect !== undefined));
      if (isSetAside) setAside += 1;
    }
    expect(reconnects).toEqual([true, true, true, false, false, false]);
  });
});

describe("two processes with one identity", () => {
  test("are recognised when connections end soon, each time with other messages under way", () => {
    const play = Play.attached("pump-2", { settleMs: 0 });
    const reasons: unknown[] = [];
    for (let n = 1; n <= 4; n++) {
      play.send(telemetry("pump-2", `{"n":${n}}`));
      reasons.push(hangUp(play).find((effect) => "reconnect" in (effect as object)));
      settle(play, play.do({ kind: "upstreamOpened" }, 3000));
    }
    const conflict = {
      reconnect: "identity-conflict",
      detail: expect.stringContaining("is this identity used twice?"),
    };
    expect(reasons).toEqual([undefined, undefined, conflict, conflict]);
  });

  test("are not suspected where connections last", () => {
    const play = Play.attached("pump-2", { settleMs: 0 });
    for (let n = 1; n <= 4; n++) {
      play.tick(60_000);
      play.send(telemetry("pump-2", `{"n":${n}}`));
      expect(hangUp(play).filter((effect) => "reconnect" in (effect as object))).toEqual([]);
      settle(play, play.do({ kind: "upstreamOpened" }, 3000));
    }
  });
});

/** Acknowledges what is published until nothing more is, or until a publish of the kind. All effects, in order. */
function settle(play: Play, effects: readonly unknown[], { until }: { until?: string } = {}): readonly unknown[] {
  const all = [...effects];
  for (let at = 0; at < all.length; at++) {
    const effect = all[at];
    if (!isPublish(effect)) continue;
    if ((effect as { kind?: string }).kind === until) return all.slice(at);
    all.push(...play.acknowledge(effect.publish));
    all.push(...play.tick(0));
  }
  return all;
}

/** A cloud that closes the connection on some publishes, until nothing is left to send. Returns how often it closed. */
function poisoned(
  play: Play,
  isPoison: (message: UpMessage) => boolean,
  fates: unknown[] = [],
  isAnswering = false,
): number {
  let closes = 0;
  let pending: Extract<GatewayEffect, { kind: "publish" }>[] = [];
  const see = (effects: readonly GatewayEffect[]) => {
    for (const effect of effects) {
      if (effect.kind === "publish") pending.push(effect);
      if (effect.kind === "settle") {
        fates.push({
          settle: `${effect.ref.seq}.${effect.ref.index}`,
          fate: "reason" in effect.fate ? `${effect.fate.kind}: ${effect.fate.reason}` : effect.fate.kind,
        });
      }
    }
  };
  const handle = (event: Parameters<Play["engine"]["handle"]>[0]) => see(play.engine.handle(event, play.now));
  const open = () => {
    play.now += 1500;
    handle({ kind: "upstreamOpened" });
  };
  handle({ kind: "upstreamClosed", reason: "refused", unacknowledged: [] });
  open();
  for (let quiet = 0; quiet < 20; ) {
    const at = pending.findIndex(({ message }) => isPoison(message));
    const answered = at === -1 ? pending : isAnswering ? pending.slice(0, at) : [];
    pending = at === -1 ? [] : pending.slice(answered.length);
    for (const { token, message } of answered) {
      handle({ kind: "acknowledged", token, code: 0 });
      if (message.kind !== "call") continue;
      const limits = '{"rateLimits":{},"gatewayRateLimits":{}}' as JsonText;
      handle({ kind: "received", inbound: undefined, message: { kind: "callResult", id: message.id, data: limits } });
    }
    if (at !== -1) {
      closes += 1;
      pending = [];
      handle({ kind: "upstreamClosed", reason: "closed", unacknowledged: [] });
      open();
    } else if (answered.length === 0) {
      play.now += 250;
      handle({ kind: "tick" });
      quiet += 1;
    } else quiet = 0;
  }
  return closes;
}

function bodyText(message: UpMessage): string {
  return "body" in message && message.body !== undefined ? Buffer.from(message.body).toString() : "";
}

function isDeliver(effect: unknown): effect is { readonly deliver: number; readonly id: number } {
  return typeof effect === "object" && effect !== null && "deliver" in effect;
}
