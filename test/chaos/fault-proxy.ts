import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { between, type Random } from "./random.ts";

/** Which way bytes flow: `up` from who connected to the target, `down` back. */
export type Direction = "up" | "down";

/** TCP from one port to another, with everything that can go wrong on the way. */
export interface FaultProxy {
  readonly url: string;
  /** Where it leads now; `undefined`: those who connect are reset. */
  targetUrl: string | undefined;
  /** How long all bytes are kept back, both ways. */
  delayMs: number;
  /** Connections through it that are open. */
  readonly connections: number;
  /** Ends all connections in an orderly way (FIN). */
  cut(): void;
  /** Breaks all connections off (RST). */
  reset(): void;
  /** Breaks the next connection that sends something that way off, after a part of what it sent; resolves then. */
  resetMidPacket(direction: Direction): Promise<void>;
  /** The connections that are open now stay open but carry nothing any more that way, or either way: half-open. */
  swallow(direction?: Direction): void;
  /** No one can connect; connections that are open stay. */
  refuse(): void;
  /** Whoever connects gets no answer. */
  ignoreNewcomers(isIgnoring: boolean): void;
  /** They can connect again. */
  admit(): Promise<void>;
  close(): Promise<void>;
}

interface Pair {
  readonly sockets: { readonly up: Socket; readonly down: Socket };
  readonly swallows: Set<Direction>;
}

export async function openFaultProxy(targetUrl: string | undefined, random: Random): Promise<FaultProxy> {
  const pairs = new Set<Pair>();
  let server = await listen(0);
  const { port } = server.address() as AddressInfo;
  let breaking: { readonly direction: Direction; readonly done: () => void } | undefined;
  let isIgnoring = false;

  const proxy: FaultProxy = {
    url: `mqtt://127.0.0.1:${port}`,
    targetUrl,
    delayMs: 0,
    get connections() {
      return pairs.size;
    },
    cut() {
      for (const { sockets } of pairs) {
        sockets.up.end();
        sockets.down.end();
      }
    },
    reset() {
      for (const pair of pairs) breakOff(pair);
    },
    resetMidPacket: (direction) =>
      new Promise((resolve) => {
        breaking = { direction, done: resolve };
      }),
    swallow(direction) {
      for (const { swallows } of pairs) for (const way of direction ? [direction] : directions) swallows.add(way);
    },
    refuse: () => void server.close(),
    ignoreNewcomers(isToIgnore) {
      isIgnoring = isToIgnore;
    },
    async admit() {
      if (!server.listening) server = await listen(port);
    },
    async close() {
      server.close();
      proxy.reset();
    },
  };
  return proxy;

  async function listen(wanted: number): Promise<Server> {
    const listening = createServer({ allowHalfOpen: true }, accept).listen(wanted, "127.0.0.1");
    await once(listening, "listening");
    return listening;
  }

  /** `down` is the socket of who connected, `up` the one to the target: each named for where what is written to it goes. */
  function accept(client: Socket): void {
    client.on("error", () => undefined);
    if (proxy.targetUrl === undefined) {
      client.resetAndDestroy();
      return;
    }
    const target = new URL(proxy.targetUrl);
    const upstream = connect({ host: target.hostname, port: Number(target.port), allowHalfOpen: true });
    const pair: Pair = {
      sockets: { up: upstream, down: client },
      swallows: new Set(isIgnoring ? directions : []),
    };
    pairs.add(pair);
    for (const direction of directions) carry(pair, direction);
  }

  function carry(pair: Pair, direction: Direction): void {
    const to = pair.sockets[direction];
    const from = pair.sockets[direction === "up" ? "down" : "up"];
    to.setNoDelay(true);
    const waiting: { readonly dueMs: number; readonly then: () => void }[] = [];
    /** Runs one after the other, so that the order is kept when the delay changes. */
    const inTime = (then: () => void) => {
      if (proxy.delayMs === 0 && waiting.length === 0) return then();
      waiting.push({ dueMs: performance.now() + proxy.delayMs, then });
      if (waiting.length === 1) wait();
    };
    const wait = () => void setTimeout(run, Math.max(0, (waiting[0]?.dueMs ?? 0) - performance.now()));
    const run = () => {
      waiting[0]?.then();
      waiting.shift();
      if (waiting.length > 0) wait();
    };
    from.on("data", (chunk: Buffer) => {
      if (breaking?.direction === direction && chunk.length > 1 && !pair.swallows.has(direction)) {
        const { done } = breaking;
        breaking = undefined;
        to.write(chunk.subarray(0, between(random, 1, chunk.length - 1)), () => {
          breakOff(pair);
          done();
        });
        pair.swallows.add(direction);
        return;
      }
      inTime(() => {
        if (!pair.swallows.has(direction) && !to.destroyed) to.write(chunk);
      });
    });
    from.on("end", () => inTime(() => !pair.swallows.has(direction) && to.end()));
    from.on("error", () => undefined);
    // Where nothing passes, the other side does not hear of the end either.
    from.on("close", () => {
      if (!pair.swallows.has(direction)) inTime(() => to.destroy());
      if (pair.sockets.up.destroyed && pair.sockets.down.destroyed) pairs.delete(pair);
    });
  }

  function breakOff({ sockets }: Pair): void {
    sockets.up.resetAndDestroy();
    sockets.down.resetAndDestroy();
  }
}

const directions: readonly Direction[] = ["up", "down"];
