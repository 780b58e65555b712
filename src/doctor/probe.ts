import type { UpstreamAccess } from "../bridge/upstream-access.ts";
import type { Packet, Subscription } from "../message/packet.ts";
import { parseAddress } from "../upstream/dial.ts";
import type { Failure } from "../upstream/failure.ts";
import type { Login } from "../upstream/login.ts";
import { Outbox } from "../upstream/outbox.ts";
import { Session } from "../upstream/session.ts";
import { systemTimers } from "../upstream/timers.ts";

/** Longer than a diagnosis waits for anything, whatever the configuration allows. */
export const patienceMs = 10_000;

/** How a connection that was open ended. */
export interface Ending extends Failure {
  readonly byPeer: boolean;
}

export interface ProbeOptions {
  readonly access: UpstreamAccess;
  readonly login: Login;
  /** Another version than the configuration's. */
  readonly protocol?: 3 | 4 | 5;
}

/**
 * One connection to a cloud, made once and never again.
 *
 * Nothing that the cloud sends is acknowledged, so a configuration that comes here comes to the bridge as well.
 */
export class Probe {
  readonly protocol: 3 | 4 | 5;
  /** Resolves once it is open, or with why it is not. */
  readonly opened: Promise<Failure | undefined>;
  /** Resolves when it ends, opened or not. */
  readonly ended: Promise<Ending>;
  readonly #session: Session;
  readonly #outbox = new Outbox();
  readonly #answers = new Map<number, (answer: readonly number[]) => void>();
  readonly #listeners = new Set<(packet: Packet) => void>();
  #lastToken = 0;

  constructor({ access, login, protocol = access.protocol }: ProbeOptions) {
    this.protocol = protocol;
    let resolveOpened = (_: Failure | undefined) => {};
    let resolveEnded = (_: Ending) => {};
    this.opened = new Promise((resolve) => {
      resolveOpened = resolve;
    });
    this.ended = new Promise((resolve) => {
      resolveEnded = resolve;
    });
    this.#session = new Session(
      {
        address: parseAddress(access.url),
        tls: access.tls,
        protocol,
        limits: {
          keepaliveMs: access.keepaliveMs,
          connectTimeoutMs: Math.min(access.connectTimeoutMs, patienceMs),
          // Who asks gives up earlier, and knows what a silence means.
          answerTimeoutMs: 10 * patienceMs,
          maxInboundBytes: 1024 * 1024,
        },
        login,
        outbox: this.#outbox,
        timers: systemTimers,
      },
      {
        opened: () => resolveOpened(undefined),
        ended: (failure, byPeer) => {
          resolveOpened(failure);
          resolveEnded({ ...failure, byPeer });
        },
        proven: () => {},
        acknowledged: (token, code) => this.#answers.get(token)?.([code]),
        received: (packet) => {
          for (const listener of this.#listeners) listener(packet);
        },
        subscribed: (token, codes) => this.#answers.get(token)?.(codes),
        oversized: () => {},
      },
    );
  }

  /** Resolves with the SUBACK's codes; never where none comes. */
  subscribe(subscriptions: readonly Subscription[]): Promise<readonly number[]> {
    return this.#ask((token) => this.#outbox.push({ kind: "subscribe", subscriptions, token }));
  }

  /** Resolves with the PUBACK's code, 0 if it has none; never where none comes. */
  async publish(packet: Packet): Promise<number> {
    const [code = 0] = await this.#ask((token) => this.#outbox.push({ kind: "publish", packet, token }));
    return code;
  }

  /** Resolves with the first thing that `read` makes of a packet; never where none comes. */
  heard<Meaning>(read: (packet: Packet) => Meaning | undefined): Promise<Meaning> {
    return new Promise((resolve) => {
      const listener = (packet: Packet) => {
        const meaning = read(packet);
        if (meaning === undefined) return;
        this.#listeners.delete(listener);
        resolve(meaning);
      };
      this.#listeners.add(listener);
    });
  }

  /** Disconnects; resolves when the socket is gone. */
  async end(): Promise<void> {
    this.#session.end({ reason: "shutdown", detail: "the diagnosis is over" });
    await this.#session.gone();
  }

  #ask(send: (token: number) => void): Promise<readonly number[]> {
    const token = ++this.#lastToken;
    return new Promise((resolve) => {
      this.#answers.set(token, resolve);
      send(token);
      this.#session.flushSoon();
    });
  }
}

/** Connects and disconnects. Returns why it could not be, or nothing if it could. */
export async function tryLogin(options: ProbeOptions): Promise<Failure | undefined> {
  const probe = new Probe(options);
  const failure = await probe.opened;
  await probe.end();
  return failure;
}

/** What comes first of these; `undefined` where nothing does within `ms`. */
export async function within<Value>(ms: number, ...awaited: readonly Promise<Value>[]): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([...awaited, late]);
  } finally {
    clearTimeout(timer);
  }
}
