import { onTestFinished } from "vitest";
import {
  openUpstream,
  type UpstreamConnection,
  type UpstreamConnectionOptions,
} from "../../src/upstream/connection.ts";
import { openFakeServer } from "./fake-server.ts";
import { createManualTimers } from "./manual-timers.ts";
import { createRecorder } from "./recorder.ts";

interface FakeOptions extends Partial<UpstreamConnectionOptions> {
  readonly protocol?: 3 | 4 | 5;
}

/** A connection to a server that the test plays, on time that the test moves. Both end with the test. */
export async function openToFake(options: FakeOptions = {}) {
  const { protocol = 4 } = options;
  const server = await openFakeServer({ protocol });
  const recorder = createRecorder();
  const time = createManualTimers();
  const connection: UpstreamConnection = openUpstream(
    {
      ...{ url: server.url, protocol, keepaliveMs: 60_000, connectTimeoutMs: 30_000, reconnects: [] },
      login: async () => ({ clientId: "gw-01", username: "unused", password: "secret" }),
      ...{ now: time.now, timers: time.timers, random: () => 0.5 },
      ...options,
    },
    recorder.handlers,
  );
  const close = async () => {
    await Promise.all([connection.close(), server.close()]);
  };
  onTestFinished(close);
  return {
    ...{ server, connection, time, ...recorder },
    /** The server's end of the connection, once it is open. */
    async opened(connack: object = {}) {
      const peer = await server.peer();
      await peer.accept(connack);
      await recorder.next("opened");
      return peer;
    },
    close,
  };
}
