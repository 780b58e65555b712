import fc from "fast-check";
import { expect, test } from "vitest";
import { createLane, type Lane } from "../../src/gateway/lane.ts";
import { LaneList } from "../../src/gateway/lane-list.ts";
import type { DeviceId } from "../../src/message/message.ts";

test("a LaneList gives lanes in the order in which they were added, whichever are taken out in between", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9), { maxLength: 100 }), (steps) => {
      const lanes = Array.from({ length: 10 }, (_, index) => createLane(`device-${index}` as DeviceId));
      const list = new LaneList();
      const expected = new Set<Lane>();
      for (const index of steps) {
        const lane = lanes[index] as Lane;
        if (expected.delete(lane)) list.remove(lane);
        else {
          list.add(lane);
          expected.add(lane);
        }
        expect(list.first).toBe([...expected][0]);
      }
      const order: Lane[] = [];
      for (let { first } = list; first !== undefined; first = list.first) {
        order.push(first);
        list.remove(first);
      }
      expect(order).toEqual([...expected]);
    }),
  );
});
