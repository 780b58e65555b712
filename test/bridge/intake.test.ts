import { expect, test } from "vitest";
import { Intake, type IntakeParts } from "../../src/bridge/intake.ts";
import type { LocalClient, Verdict } from "../../src/local/listener.ts";

const client: LocalClient = { gateway: "one", name: "one", connection: 1, protocol: 4 };

test("Intake has the connection closed, and the packet sent again, when it cannot be taken", async () => {
  const underWay = { packets: 0 };
  const read = () => {
    throw new Error("a defect");
  };
  const intake = new Intake({ underWay, read, now: Date.now } as unknown as IntakeParts);
  const verdict = await new Promise<Verdict>((answer) => {
    intake.take(
      client,
      { topic: "a", payload: new Uint8Array(), qos: 1 },
      { packetId: 1, isBehindRefused: false, answer },
    );
  });
  expect(verdict).toEqual({ kind: "close" });
  expect(underWay.packets).toBe(0);
});
