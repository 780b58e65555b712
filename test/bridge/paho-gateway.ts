import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { createFeed } from "./feed.ts";

/** What the script tells; the members that an event does not have are absent. */
interface Told {
  readonly event: "connected" | "asked" | "published" | "subscribed" | "message" | "disconnected";
  readonly code?: number;
  readonly mid?: number;
  readonly topic?: string;
  readonly qos?: number;
  readonly text?: string;
  readonly granted?: readonly number[];
}

interface Question {
  readonly do: "subscribe" | "publish";
  readonly topic: string;
  readonly qos?: 0 | 1;
  readonly text?: string;
}

export interface PahoGateway {
  /** Makes a new client, as the sample does it for each token. */
  connect(url: string, clientId: string, token: string): Promise<void>;
  /** Resolves with what was granted. */
  subscribe(topic: string, qos: 0 | 1): Promise<number>;
  /** Publishes at QoS 1 and resolves with the PUBACK. */
  publish(topic: string, text: string): Promise<void>;
  /** The first message of this topic and text. */
  hear(topic: string, text: string): Promise<Told>;
  disconnect(): Promise<void>;
}

/** Starts the script beside this file, which does what the sample does with paho, until the test ends. */
export function startPahoGateway(): PahoGateway {
  const script = fileURLToPath(new URL("./paho-gateway.py", import.meta.url));
  const child = spawn("/usr/bin/python3", [script], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "close");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const told = createFeed<Told>();
  createInterface(child.stdout).on("line", (line) => told.push(JSON.parse(line) as Told));
  const order = (what: object) => child.stdin.write(`${JSON.stringify(what)}\n`);
  let last: Told | undefined;
  const next = async (fits: (one: Told) => boolean) => told.next(fits, last);

  /** A packet's id is known only once it is sent; its answer may be told before that. */
  async function ask(what: Question, event: Told["event"]) {
    const before = last;
    order(what);
    const asked = await next((one) => one.event === "asked" && one.topic === what.topic);
    const answer = await told.next((one) => one.event === event && one.mid === asked.mid, before);
    last = asked;
    return answer;
  }

  return {
    async connect(url, clientId, token) {
      order({ do: "connect", port: Number(new URL(url).port), clientId, token });
      last = await next(({ event }) => event === "connected");
      if (last.code !== 0) throw new Error(`CONNACK ${last.code}`);
    },
    async subscribe(topic, qos) {
      const { granted = [] } = await ask({ do: "subscribe", topic, qos }, "subscribed");
      return granted[0] ?? Number.NaN;
    },
    async publish(topic, text) {
      await ask({ do: "publish", topic, text }, "published");
    },
    hear: (topic, text) => told.next((one) => one.event === "message" && one.topic === topic && one.text === text),
    async disconnect() {
      order({ do: "disconnect" });
      last = await next(({ event }) => event === "disconnected");
    },
  };
}
