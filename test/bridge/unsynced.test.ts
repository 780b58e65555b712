import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Link } from "../../src/bridge/link.ts";
import type { TraceEvent } from "../../src/bridge/trace.ts";
import type { Verdict } from "../../src/local/listener.ts";
import type { DeviceId } from "../../src/message/message.ts";
import { Journal } from "../../src/spool/journal.ts";
import type { GatewaySpool } from "../../src/spool/spool.ts";
import { ledgerOf } from "../spool/describe-spool.ts";
import { type Disk, failingDisk } from "../spool/failing-disk.ts";
import { client, type LinkSetup, linkOver, until } from "./link-over-disk.ts";

let disk: Disk;
let journal: Journal;
let link: Link | undefined;
beforeEach(() => {
  disk = failingDisk();
  journal = new Journal(disk, { name: "spool", maxBytes: 2 ** 20, whenFull: "refuse", capacity: 2 ** 30 });
});
afterEach(async () => {
  await link?.close(0);
  await journal.close();
});

function openLink(setup?: LinkSetup) {
  const opened = linkOver(journal, setup);
  link = opened.link;
  return opened;
}

/** Publishes numbered telemetry and gives each answer as it comes. */
function publish(numbers: readonly number[], device = "A"): Promise<Verdict>[] {
  return numbers.map(
    (q) =>
      new Promise((answer) => {
        const payload = Buffer.from(JSON.stringify({ [device]: [{ ts: 1_700_000_000_000 + q, values: { q } }] }));
        link?.publish(
          client,
          { topic: "v1/gateway/telemetry", payload, qos: 1 },
          { packetId: q + 1, isBehindRefused: false, answer },
        );
      }),
  );
}

/** Until the cloud has taken the device. */
async function attached({ answer }: ReturnType<typeof openLink>): Promise<void> {
  publish([0]);
  await until(() => {
    answer();
    return journal.ledger().delivered === 1;
  });
  await journal.flushed();
}

/** Has the disk take until the function is called. */
function hold(): () => void {
  let release = () => {};
  disk.held = new Promise((resolve) => {
    release = resolve;
  });
  return release;
}

/** Sets a message aside by hand and retries it: that of the how-manieth record behind what is on disk. */
function setAsideAndRetry({ link }: ReturnType<typeof openLink>, behind: number): GatewaySpool {
  const gateway = journal.gateway(client.gateway);
  const ref = { seq: gateway.lastSeq + behind, index: 0 };
  gateway.settle(ref, { kind: "quarantined", device: "A" as DeviceId, reason: "by hand" });
  gateway.retry(ref);
  link.again(ref, { isShared: false });
  return gateway;
}

test("a message is on its way while the disk writes it, and the gateway's PUBACK waits for the disk", async () => {
  const opened = openLink();
  await attached(opened);
  const release = hold();
  const verdicts = publish([1, 2]);
  let answered = 0;
  for (const verdict of verdicts) void verdict.then(() => answered++);
  await until(() => opened.published.length === 3);
  opened.answer();
  expect(journal.ledger()).toEqual(ledgerOf({ received: 3, delivered: 3 }));
  await new Promise(setImmediate);
  expect(answered).toBe(0);
  release();
  expect(await Promise.all(verdicts)).toEqual([{ kind: "acknowledge" }, { kind: "acknowledge" }]);
  await journal.flushed();
  expect(journal.waitingBytes).toBe(0);
});

test("what the memory has no room for is read back in its order, also while the disk writes it", async () => {
  const opened = openLink({ messages: 2 });
  await attached(opened);
  const release = hold();
  const verdicts = publish([1, 2, 3, 4, 5]);
  await until(() => opened.published.length === 3);
  expect(opened.published).toEqual([0, 1, 2]);
  await until(() => {
    opened.answer();
    return opened.published.length === 6;
  });
  // Nothing waits any more: what comes now goes on at once.
  await until(() => {
    opened.answer();
    return !opened.link.isOutrun;
  });
  verdicts.push(...publish([6]));
  expect(opened.published).toEqual([0, 1, 2, 3, 4, 5, 6]);
  release();
  await Promise.all(verdicts);
  await until(() => {
    opened.answer();
    return journal.ledger().pending === 0;
  });
  expect(opened.published).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test("what a failing disk cannot keep is refused; what comes then goes nowhere before it is kept", async () => {
  const opened = openLink();
  await attached(opened);
  disk.failures = 2;
  expect(await Promise.all(publish([1, 2]))).toEqual([
    { kind: "close", code: 0x97 },
    { kind: "close", code: 0x97 },
  ]);
  expect(journal.ledger()).toEqual(ledgerOf({ received: 1, delivered: 1 }));
  expect(await Promise.all(publish([1]))).toEqual([{ kind: "close", code: 0x97 }]);
  opened.answer();
  expect(opened.published).toEqual([0, 1, 2]);
  await until(() => journal.trouble === undefined);
  const verdicts = publish([1, 2, 3]);
  expect(await Promise.all(verdicts)).toEqual(verdicts.map(() => ({ kind: "acknowledge" })));
  await until(() => {
    opened.answer();
    return journal.ledger().delivered === 4;
  });
  expect(opened.published).toEqual([0, 1, 2, 1, 2, 3]);
  expect(journal.ledger()).toEqual(ledgerOf({ received: 4, delivered: 4 }));
});

test("a disk that takes all but records gets none of them sent time and again", async () => {
  const opened = openLink();
  await attached(opened);
  const { check } = disk;
  disk.check = (bytes) => {
    if (bytes > 0) throw new Error("the disk is full");
  };
  expect(await Promise.all(publish([1]))).toEqual([{ kind: "close", code: 0x97 }]);
  await until(() => journal.trouble === undefined);
  expect(await Promise.all(publish([1]))).toEqual([{ kind: "close", code: 0x97 }]);
  expect(opened.published).toEqual([0, 1]);
  disk.check = check;
  expect(await Promise.all(publish([1]))).toEqual([{ kind: "acknowledge" }]);
  await until(() => {
    opened.answer();
    return journal.ledger().delivered === 2 && !opened.link.isOutrun;
  });
  const release = hold();
  publish([2]);
  await until(() => opened.published.length === 4);
  release();
  expect(opened.published).toEqual([0, 1, 1, 2]);
});

test("a message that is retried before it is synced goes again", async () => {
  const opened = openLink();
  await attached(opened);
  const release = hold();
  const [verdict] = publish([1]);
  await until(() => opened.published.length === 2);
  // Set aside by hand, so the answer to what was published is of no use any more.
  opened.open.length = 0;
  setAsideAndRetry(opened, 1);
  release();
  await verdict;
  await until(() => {
    opened.answer();
    return journal.ledger().pending === 0;
  });
  expect(opened.published).toEqual([0, 1, 1]);
});

test("a message that is retried and then refused with its record is not waited for", async () => {
  const opened = openLink();
  await attached(opened);
  const release = hold();
  const { tried } = disk;
  const [first] = publish([1]);
  await until(() => disk.tried > tried);
  const [second] = publish([2]);
  const gateway = setAsideAndRetry(opened, 2);
  const flushed = vi.spyOn(gateway, "flushed").mockImplementation(() => Promise.reject(new Error("asked again")));
  disk.isFull = true;
  release();
  expect(await first).toEqual({ kind: "acknowledge" });
  expect(await second).toEqual({ kind: "close", code: 0x97 });
  await journal.flushed();
  expect(flushed).not.toHaveBeenCalled();
});

test("a message that is retried before it is synced goes again also where what is written next fails", async () => {
  const opened = openLink();
  await attached(opened);
  const release = hold();
  const { tried } = disk;
  const [verdict] = publish([1]);
  await until(() => opened.published.length === 2 && disk.tried > tried);
  opened.open.length = 0;
  setAsideAndRetry(opened, 1);
  release();
  await verdict;
  disk.failures = 1;
  await until(() => {
    opened.answer();
    return journal.ledger().pending === 0;
  });
  expect(opened.published).toEqual([0, 1, 1]);
});

test.each([
  ["the one that it had while it was well", 0],
  ["the one that it was trouble to begin with", 1],
])("a reply that a failing disk cannot keep is taken when it comes again: %s", async (_, tries) => {
  const opened = openLink();
  await attached(opened);
  opened.order({ topic: "/devices/A/commands/set", payload: Buffer.from("{}") });
  await journal.flushed();
  disk.failures = 1 + tries;
  for (let at = 0; at < tries; at++) await publish([1])[0];
  // The cloud is out of reach, so that what was said before it was refused is no more than a memory.
  opened.lose();
  expect(await answerCommand()).toEqual({ kind: "close", code: 0x97 });
  await until(() => journal.trouble === undefined);
  expect(await answerCommand()).toEqual({ kind: "acknowledge" });
  opened.regain();
  await until(() => {
    opened.answer();
    return journal.ledger().pending === 0;
  });
  expect(opened.replies).toContain('{"id":null,"method":"set","data":{"ok":true}}');
  expect(journal.ledger().dropped).toEqual({});
});

function answerCommand(): Promise<Verdict> {
  return new Promise((answer) => {
    const payload = Buffer.from('{"device":"A","id":1,"data":{"ok":true}}');
    link?.publish(
      client,
      { topic: "v1/gateway/rpc", payload, qos: 1 },
      { packetId: 9, isBehindRefused: false, answer },
    );
  });
}

test("what goes wrong in whoever watches keeps no message from its way", async () => {
  const tell = ({ direction }: Pick<TraceEvent, "direction">) => {
    if (direction === "in") throw new Error("nobody sees this");
    return 0;
  };
  const opened = openLink({ trace: { isOn: true, tell } });
  await attached(opened);
  const verdicts = publish([1, 2]);
  await until(() => opened.published.length === 3);
  expect(await Promise.all(verdicts)).toEqual([{ kind: "acknowledge" }, { kind: "acknowledge" }]);
});
