import { expect, test } from "vitest";
import { KeptUpstream, type UpstreamOwner } from "../../src/bridge/kept-upstream.ts";
import type { Packet } from "../../src/message/packet.ts";
import type { UpstreamConnection, UpstreamHandlers } from "../../src/upstream/connection.ts";

const packet = (topic: string, qos: 0 | 1 = 1): Packet => ({ topic, payload: new Uint8Array(), qos });

/** A connection that does nothing, and what it was asked for. */
function connection() {
  const asked: string[] = [];
  const state: { now: UpstreamConnection["state"]; outstanding: number } = { now: "open", outstanding: 0 };
  let handlers: UpstreamHandlers | undefined;
  const kept = new KeptUpstream((given) => {
    handlers = given;
    return {
      get state() {
        return state.now;
      },
      get outstanding() {
        return state.outstanding;
      },
      ...{ lastProvenMs: undefined, expiresAtMs: undefined, clockFinding: undefined },
      publish: ({ topic }, token) => asked.push(`publish ${topic} ${token}`),
      subscribe: (_, token) => asked.push(`subscribe ${token}`),
      unsubscribe: () => undefined,
      acknowledge: (inbound) => asked.push(`acknowledge ${inbound}`),
      forget: (token) => asked.push(`forget ${token}`),
      tokenOf: (packetId) => packetId,
      reconnect: (reason) => asked.push(`reconnect ${reason}`),
      close: () => Promise.resolve(),
    };
  });
  return { kept, asked, state, cloud: () => handlers as UpstreamHandlers };
}

/** An owner, and what it has heard. */
function owner() {
  const heard: string[] = [];
  const self: UpstreamOwner = {
    opened: () => heard.push("opened"),
    resumed: () => heard.push("resumed"),
    closed: (reason, _, unacknowledged) => heard.push(`closed ${reason} ${unacknowledged.join()}`),
    acknowledged: (token) => heard.push(`acknowledged ${token}`),
    subscribed: (token) => heard.push(`subscribed ${token}`),
    received: ({ topic }, inbound) => heard.push(`received ${topic} ${inbound}`),
  };
  return { self, heard };
}

test("a new owner hears that it is open, then what was not answered, then what came while nobody took it", async () => {
  const { kept, cloud } = connection();
  const [first, second] = [owner(), owner()];
  kept.take(first.self);
  cloud().received(packet("answered"), 1);
  kept.acknowledge(1);
  cloud().received(packet("open"), 2);
  cloud().received(packet("once", 0), 0);
  kept.hold();
  cloud().received(packet("late"), 3);
  cloud().received(packet("late, once", 0), 0);
  expect(first.heard).toEqual(["received answered 1", "received open 2", "received once 0"]);
  kept.take(second.self);
  expect(second.heard).toEqual([]);
  await Promise.resolve();
  expect(second.heard).toEqual(["resumed", "received open 2", "received late 3", "received late, once 0"]);
  kept.acknowledge(2);
  cloud().received(packet("next"), 4);
  expect(second.heard.at(-1)).toBe("received next 4");
});

test("tokens of one owner mean nothing to the next", () => {
  const { kept, asked, cloud } = connection();
  const [first, second] = [owner(), owner()];
  kept.take(first.self);
  kept.publish(packet("a"), 1);
  kept.subscribe([], 2);
  kept.take(second.self);
  kept.publish(packet("b"), 1);
  kept.forget(1);
  expect(asked).toEqual(["publish a 1", "subscribe 2", "publish b 4", "forget 4"]);
  cloud().subscribed(2, [0]);
  cloud().acknowledged(1, 0);
  cloud().acknowledged(4, 0);
  expect([first.heard, second.heard]).toEqual([[], ["acknowledged 1"]]);
  expect([kept.tokenOf(2), kept.tokenOf(4)]).toEqual([undefined, 1]);
  cloud().closed("lost", "", [1, 4]);
  expect(second.heard.at(-1)).toBe("closed lost 1");
});

test("what a closed connection had left open is not heard again; without one nobody resumes", async () => {
  const { kept, state, cloud } = connection();
  const [first, second] = [owner(), owner()];
  kept.take(first.self);
  cloud().received(packet("open"), 2);
  state.now = "waiting";
  state.outstanding = 3;
  cloud().closed("lost", "", []);
  expect(kept.isIdle).toBe(true);
  kept.take(second.self);
  await Promise.resolve();
  expect(second.heard).toEqual([]);
  cloud().opened();
  expect(second.heard).toEqual(["opened"]);
});
