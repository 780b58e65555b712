import { describe, expect, test } from "vitest";
import { type Arrival, createGateway, type GatewayEffect } from "../../src/gateway/gateway.ts";
import type { LocalDevice, LocalRegistry } from "../../src/gateway/local-attachments.ts";
import type { Decoded } from "../../src/message/decoded.ts";
import type { ListenerRules } from "../../src/message/listener-rules.ts";
import type { DeviceId, UpMessage } from "../../src/message/message.ts";
import { documented, named, optionsOf, type Setup } from "./play.ts";

const bound: LocalDevice = { isBound: true, isBlocked: false, aliases: [] };
const registry: LocalRegistry = {
  isGateway: true,
  aliases: ["gw-01", "77"] as DeviceId[],
  needsBinding: true,
  needsToken: false,
  devices: new Map([
    ["one" as DeviceId, { ...bound, aliases: ["1001"] as DeviceId[] }],
    ["two" as DeviceId, bound],
    ["loose" as DeviceId, { ...bound, isBound: false }],
    ["locked" as DeviceId, { ...bound, isBlocked: true }],
  ]),
  isElsewhere: () => false,
};
const listener: ListenerRules = {
  protocols: [4],
  refusals: { clientId: 2, credentials: 5 },
  token: { skewMs: 0, lifetimeMs: 0, graceMs: 0, audience: "checked", encoding: "strict" },
  qos: 1,
  telemetryBytes: 100,
  stateBytes: 50,
  stateIntervalMs: 1000,
};

/** A gateway of a cloud with a registry, connected, and what it is answered. */
function open(setup: Setup = {}) {
  const engine = createGateway(optionsOf({ local: documented, registry, listener, ...setup }));
  let nowMs = 1_000_000;
  engine.handle({ kind: "localConnected", connection: 1 }, nowMs);
  const admit = (decoded: Decoded, more: Partial<Arrival> = {}) => {
    const arrival = { protocol: 4, connection: 1, nowMs, topic: "t", qos: 1, packetId: 9, bytes: 10, ...more } as const;
    const { verdict, journal, effects = [], verify } = engine.admit(decoded, 4, arrival);
    const does = effects.flatMap(readable);
    return {
      answer: journal
        ? `${verdict.kind} and keep`
        : "code" in verdict
          ? `${verdict.kind} ${verdict.code}`
          : verdict.kind,
      ...(verify === undefined ? {} : { verify }),
      ...(does.length === 0 ? {} : { does }),
    };
  };
  return {
    engine,
    admit,
    say: (message: UpMessage, more?: Partial<Arrival>) => admit(messages(message), more),
    pass: (ms: number) => {
      nowMs += ms;
    },
    reconnect(connection: number) {
      engine.handle({ kind: "localDisconnected", connection: connection - 1 }, nowMs);
      engine.handle({ kind: "localConnected", connection }, nowMs);
    },
  };
}

function messages(...said: readonly UpMessage[]): Decoded {
  return { kind: "messages", rule: { name: "r", file: "f", line: 1 }, messages: said, misfits: [] };
}

function readable(effect: GatewayEffect): readonly unknown[] {
  switch (effect.kind) {
    case "deliver":
      return "code" in effect.message ? [`${effect.message.code} ${effect.message.device ?? "itself"}`] : [];
    case "revoke":
      return [`revoke ${effect.devices.join(" ")}`];
    case "store":
      return [`store ${effect.key} ${effect.value}`];
    case "report":
      return [];
    default:
      return [effect.kind];
  }
}

const attach = (device?: string, token?: string): UpMessage => ({
  kind: "attach",
  ...named(device),
  ...(token === undefined ? {} : { token }),
});
const detach = (device?: string): UpMessage => ({ kind: "detach", ...named(device) });
const events = (device?: string): UpMessage => ({ kind: "telemetry", ...named(device), body: Buffer.from("x") });
const state = (device?: string): UpMessage => ({ kind: "state", ...named(device), body: Buffer.from("x") });
const kept = { answer: "acknowledge and keep" };

describe("admit() of a cloud with a registry", () => {
  test("takes what is the gateway's own, and a device's once it is attached", () => {
    const { say } = open();
    expect(say(events())).toEqual(kept);
    expect(say(events("one"))).toEqual({ answer: "silence", does: ["GATEWAY_DEVICE_NOT_FOUND one"] });
    expect(say(attach("one"))).toEqual(kept);
    expect(say(attach("one"))).toEqual(kept);
    expect(say(events("one"))).toEqual(kept);
    expect(say(state("one"))).toEqual(kept);
    expect(say(detach("one"))).toEqual({ ...kept, does: ["revoke one"] });
    expect(say(detach("one"))).toEqual(kept);
    expect(say(state("one"))).toEqual({ answer: "silence", does: ["GATEWAY_DEVICE_NOT_FOUND one"] });
  });

  test.each([
    ["an unknown device", "ghost", "GATEWAY_ATTACHMENT_ERROR ghost"],
    ["one that is not bound", "loose", "GATEWAY_ATTACHMENT_ERROR loose"],
    ["one that is blocked", "locked", "GATEWAY_ATTACHMENT_ERROR locked"],
    ["the gateway itself", undefined, "GATEWAY_ATTACHMENT_ERROR itself"],
    ["the gateway by its number", "77", "GATEWAY_ATTACHMENT_ERROR 77"],
    ["what can be no id", "a b", "GATEWAY_INVALID_MQTT_TOPIC a b"],
  ])("refuses to attach %s", (_what, device, error) => {
    const { say } = open();
    expect(say(attach(device))).toEqual({ answer: "silence", does: [error] });
    expect(say(events(device)).answer).toBe(device === undefined || device === "77" ? kept.answer : "silence");
  });

  test("knows a device by its number, and speaks to it by the name it was last called", () => {
    const { say, engine } = open();
    expect(say(attach("1001"))).toEqual(kept);
    expect(say(events("one"))).toEqual(kept);
    expect(engine.grants({ kind: "config", device: "one" as DeviceId })).toBe("grant");
    expect(say(detach("one"))).toEqual({ ...kept, does: ["revoke one 1001"] });
    expect(say(events("1001"))).toEqual({ answer: "silence", does: ["GATEWAY_DEVICE_NOT_FOUND 1001"] });
  });

  test("has a token looked at before it decides", () => {
    const { say } = open({ registry: { ...registry, needsToken: true } });
    expect(say(attach("one"))).toEqual({ answer: "silence", does: ["GATEWAY_ATTACHMENT_ERROR one"] });
    expect(say(attach("loose", "t"))).toEqual({ answer: "silence", does: ["GATEWAY_ATTACHMENT_ERROR loose"] });
    expect(say(attach("one", "t"))).toEqual({ answer: "silence", verify: { device: "one", token: "t" } });
    const expired = { proof: { fault: "the token has expired" } };
    expect(say(attach("one", "t"), expired)).toEqual({ answer: "silence", does: ["GATEWAY_ATTACHMENT_ERROR one"] });
    expect(say(attach("one", "t"), { proof: {} })).toEqual(kept);
    expect(say(attach("one"))).toEqual(kept);
  });

  test("asks for no binding where a token is enough, and for no list where there is none", () => {
    const roaming = open({ registry: { ...registry, needsBinding: false, needsToken: true } });
    expect(roaming.say(attach("loose", "t"), { proof: {} })).toEqual(kept);
    const { devices: _, ...unlisted } = registry;
    const free = open({ registry: { ...unlisted, isElsewhere: (device) => device === "taken" } });
    expect(free.say(attach("anybody"))).toEqual(kept);
    expect(free.say(attach("taken"))).toEqual({ answer: "silence", does: ["GATEWAY_ATTACHMENT_ERROR taken"] });
  });

  test("attaches no more devices than the cloud does", () => {
    const { say } = open({ local: { ...documented, limits: { ...documented.limits, attached: 1 } } });
    expect(say(attach("one"))).toEqual(kept);
    expect(say(attach("two"))).toEqual({ answer: "silence", does: ["GATEWAY_ATTACHMENT_ERROR two"] });
    say(detach("one"));
    expect(say(attach("two"))).toEqual(kept);
  });

  test("closes on what is too large", () => {
    const { say } = open();
    expect(say(events(), { bytes: 100 })).toEqual(kept);
    expect(say(events(), { bytes: 101 })).toEqual({ answer: "close 149" });
    expect(say(state(), { bytes: 51 })).toEqual({ answer: "close 149" });
    expect(say(attach("one"), { bytes: 101 })).toEqual({ answer: "close 149" });
  });

  test("answers an unknown topic with an error, and closes where it is strict", () => {
    const unknown = { kind: "unknownTopic", topic: "t" } as const;
    expect(open().admit(unknown)).toEqual({ answer: "silence", does: ["GATEWAY_INVALID_MQTT_TOPIC itself"] });
    expect(open({ strict: true }).admit(unknown)).toEqual({
      answer: "close 144",
      does: ["GATEWAY_INVALID_MQTT_TOPIC itself"],
    });
  });

  test("bears with states in a hurry, unless it is strict", () => {
    const lenient = open();
    expect([lenient.say(state()), lenient.say(state())]).toEqual([kept, kept]);
    const strict = open({ strict: true });
    strict.say(attach("one"));
    expect(strict.say(state("one"))).toEqual(kept);
    strict.pass(999);
    expect(strict.say(state())).toEqual(kept);
    expect(strict.say(state("one"))).toEqual({
      answer: "silence",
      does: ["revoke one", "GATEWAY_DETACHMENT_DEVICE_ERROR one"],
    });
    expect(strict.say(state("one"))).toMatchObject({ does: ["GATEWAY_DEVICE_NOT_FOUND one"] });
    expect(strict.say(state())).toEqual({ answer: "close 150" });
    strict.pass(1000);
    expect(strict.say(state())).toEqual(kept);
  });

  test("lets a plain device speak for itself only", () => {
    const { say, admit, engine } = open({ registry: { ...registry, isGateway: false } });
    expect(say(events())).toEqual(kept);
    expect(say(attach("one"))).toEqual({ answer: "close 135" });
    expect(say(detach("one"))).toEqual({ answer: "close 135" });
    expect(say(events("one"))).toEqual({ answer: "close 144" });
    expect(admit({ kind: "unknownTopic", topic: "t" })).toEqual({ answer: "close 144" });
    expect(engine.grants({ kind: "error" })).toBe("refuse");
    expect(engine.grants({ kind: "config" })).toBe("grant");
  });

  test("hears nothing of a connection that is not there, and starts anew with the next", () => {
    const { say, reconnect } = open();
    say(attach("one"));
    expect(say(events("one"), { connection: 2 })).toEqual({ answer: "silence" });
    reconnect(2);
    expect(say(events("one"), { connection: 2 })).toEqual({
      answer: "silence",
      does: ["GATEWAY_DEVICE_NOT_FOUND one"],
    });
  });

  test("restores attachments where that is wanted, as far as they are still allowed", () => {
    const facts = [
      ["local/one", ""],
      ["local/locked", ""],
    ] as const;
    const { say, engine } = open({ restoreAttachments: true, facts });
    expect(say(events("one"))).toEqual(kept);
    expect(say(events("locked")).answer).toBe("silence");
    expect(say(attach("two"))).toEqual({ ...kept, does: ["store local/two "] });
    expect(say(detach("one"))).toEqual({ ...kept, does: ["store local/one undefined", "revoke one"] });
    expect(engine.status(0).devices.map(({ name }) => name)).toEqual([]);
  });
});

describe("grants()", () => {
  const one = "one" as DeviceId;

  test("what is the gateway's own and its attached devices'", () => {
    const { engine, say } = open();
    expect(engine.grants({ kind: "command" })).toBe("grant");
    expect(engine.grants({ kind: "command", device: one })).toBe("refuse");
    say(attach("one"));
    expect(engine.grants({ kind: "command", device: one })).toBe("grant");
    expect(engine.grants({ kind: "command", device: one, isLenient: true })).toBe("grant");
    expect([engine.grants("others"), engine.grants("unlike")]).toEqual(["refuse", "refuse"]);
  });

  test("less where it is strict", () => {
    const { engine, say } = open({ strict: true });
    expect(engine.grants({ kind: "command", device: one })).toBe("close");
    say(attach("one"));
    expect(engine.grants({ kind: "command", device: one })).toBe("grant");
    expect(engine.grants({ kind: "command", device: one, isLenient: true })).toBe("refuse");
    expect([engine.grants("others"), engine.grants("unlike")]).toEqual(["refuse", "close"]);
  });

  test("everything of its dialect where devices need not be attached", () => {
    const engine = createGateway(optionsOf({ strict: true }));
    expect(engine.grants({ kind: "command", device: one })).toBe("grant");
    expect([engine.grants("others"), engine.grants("unlike")]).toEqual(["refuse", "refuse"]);
  });
});
