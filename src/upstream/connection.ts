import type { Packet, Subscription } from "../message/packet.ts";
import type { ReconnectPolicy } from "../message/traits.ts";
import { Backoff } from "./backoff.ts";
import { ClockDoubt, certificateAdvice } from "./clock-doubt.ts";
import { type Address, parseAddress, type UpstreamTls } from "./dial.ts";
import type { Failure } from "./failure.ts";
import type { Login, LoginSource } from "./login.ts";
import { Outbox } from "./outbox.ts";
import type { Reachability } from "./reachability.ts";
import { Session, type SessionHandlers, type SessionLimits } from "./session.ts";
import { systemTimers, type Timers } from "./timers.ts";
import type { Turnstile } from "./turnstile.ts";

/** A connection that lasted so long was no failure: what ended it begins anew with its waits. */
const stableMs = 60_000;
/** As many short lives in a row, without anything outstanding, make an identity war. */
const shortLivesOfWar = 3;
/** How long a token's renewal waits for outstanding PUBACKs, so that nothing has to be sent twice. */
const renewalDrainMs = 5000;

export interface UpstreamConnectionOptions {
  /** `mqtt://` or `mqtts://`. */
  readonly url: string;
  readonly tls?: UpstreamTls;
  /** MQTT 3.1, 3.1.1 or 5. */
  readonly protocol: 3 | 4 | 5;
  /** Whole seconds count; 0: no keepalive. A v5 server may set another. */
  readonly keepaliveMs: number;
  /** For TCP, TLS and CONNACK together. */
  readonly connectTimeoutMs: number;
  /** How long the oldest publish may wait for its PUBACK before the connection is given up; default 30 s. */
  readonly answerTimeoutMs?: number;
  /** Largest inbound packet; default 1 MiB, four times what the clouds send. */
  readonly maxInboundBytes?: number;
  /** Called before each CONNECT. A rejection ends the attempt with the reason `credentials`. */
  readonly login: LoginSource;
  /** How long to wait by reason, from the dialect. */
  readonly reconnects: readonly ReconnectPolicy[];
  /** Unix ms. */
  readonly now?: () => number;
  /** 0 to 1, for jitter. */
  readonly random?: () => number;
  readonly timers?: Timers;
  /** Where many connections begin at their turn; left out: at once. */
  readonly turnstile?: Turnstile;
  /** Where connections to one place tell each other that it can be reached again. */
  readonly reachability?: Reachability | undefined;
}

/** What the connection tells. None is called from within a call to it; after `close()` has resolved, none at all. */
export interface UpstreamHandlers {
  /** CONNACK 0: subscribe, then publish. Nothing of an earlier connection is left: attachments, subscriptions, packet ids. */
  opened(): void;
  /**
   * A connection or an attempt ended. `reason` is a stable word: `refused`, `reset`, `closed` (without a word), `dns`,
   * `unreachable`, `tls`, `timeout`, `connack-N`, `disconnect-N` (v5), `credentials`, `protocol`, `keepalive`,
   * `unacknowledged`, `token-expired`, `clock-check`, `identity-conflict`, `socket`, `shutdown` (our `close()`), or what `reconnect()` was given.
   * `detail` is for people and holds no secret.
   *
   * @param unacknowledged Tokens of all publishes that got no answer, in order. They are the caller's to send again.
   */
  closed(reason: string, detail: string, unacknowledged: readonly number[]): void;
  /**
   * A publish was answered: 0, or a v5 reason code. 0x95 also comes without the packet having been sent, when it is
   * larger than the server said it takes.
   */
  acknowledged(token: number, code: number): void;
  /** `inbound` is for `acknowledge()` at QoS 1, and 0 at QoS 0. The payload is the handler's own. */
  received(packet: Packet, inbound: number): void;
  /** A SUBACK: a code per filter, 0x80 and above failed. Without one in time, 0x80 for each. */
  subscribed(token: number, codes: readonly number[]): void;
  /**
   * A packet above `maxInboundBytes` was skipped. It has been acknowledged (at MQTT 5 as refused, 0x97): a server that kept
   * on sending it would keep everything else from coming.
   */
  oversized?(topic: string, bytes: number): void;
}

export interface UpstreamConnection {
  readonly state: "connecting" | "open" | "waiting" | "closed";
  /** When the way there and back was last proven by an answer to what we sent, Unix ms. */
  readonly lastProvenMs: number | undefined;
  /** When the token of the connection, or of the attempt, runs out, Unix ms. */
  readonly expiresAtMs: number | undefined;
  /** What is known to be wrong with this machine's clock. */
  readonly clockFinding: string | undefined;
  /** What was asked for and is neither sent nor, for publishes, answered. */
  readonly outstanding: number;
  /**
   * Publishes at QoS 1, not retained, in the order of calls; all of one event-loop turn goes out in one socket write.
   *
   * The window is the caller's to keep. The packet is held by reference until it is written (its payload must not
   * change), and not afterwards. While there is no connection it waits for one, or for the next `closed`.
   */
  publish(packet: Packet, token: number): void;
  /** One SUBSCRIBE, in order with the publishes. */
  subscribe(subscriptions: readonly Subscription[], token: number): void;
  unsubscribe(filters: readonly string[]): void;
  /** PUBACK for one inbound packet, in any order. Ignored when repeated, or when its connection is gone. */
  acknowledge(inbound: number): void;
  /** The answer to a publish is not awaited any more: its token is not reported again. */
  forget(token: number): void;
  /** The token of an unanswered publish by its MQTT packet id, as error messages of a cloud name it. */
  tokenOf(packetId: number): number | undefined;
  /**
   * Ends the connection, or what is left of the waiting time, and connects again after the time that `reason` has. Called
   * from `closed`, it says what that close was; it does not count as a failure for the reason it was told with then.
   */
  reconnect(reason: string): void;
  /** Waits for outstanding PUBACKs up to `drainMs` (default 0), disconnects, and resolves when nothing runs any more. */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/**
 * Opens the connection to a cloud and keeps it: clean sessions, reconnecting with backoff for ever, renewing tokens.
 *
 * It is no store. What is not acknowledged when a connection ends is reported, and never sent again from here.
 *
 * @throws {TypeError} when the URL is not one of MQTT's.
 */
export function openUpstream(options: UpstreamConnectionOptions, handlers: UpstreamHandlers): UpstreamConnection {
  return new Connection(options, handlers);
}

/** It is itself what its sessions tell: see there. */
class Connection implements UpstreamConnection, SessionHandlers {
  state: UpstreamConnection["state"] = "connecting";
  lastProvenMs: number | undefined;
  expiresAtMs: number | undefined;
  readonly #tls: UpstreamTls | undefined;
  readonly #protocol: 3 | 4 | 5;
  readonly #limits: SessionLimits;
  readonly #login: LoginSource;
  readonly #turnstile: Turnstile | undefined;
  readonly #reachability: Reachability | undefined;
  readonly #address: Address;
  readonly #handlers: UpstreamHandlers;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #timers: Timers;
  readonly #backoff: Backoff;
  readonly #outbox = new Outbox();
  readonly #clock = new ClockDoubt();
  #session: Session | undefined;
  /** Counts sessions: inbound handles carry it, so that those of an earlier one are recognised. */
  #generation = 0;
  #openedAtMs: number | undefined;
  /** When the login of the session was made, Unix ms. */
  #loginMs = 0;
  #shortLives = 0;
  #stopWaiting: (() => void) | undefined;
  /** The attempt's place in the turnstile. */
  #through: (() => void) | undefined;
  #isWaiting = false;
  /** Whether a wait was cut short since the connection was last open: once only, or many at an overrun server call each other. */
  #isHastened = false;
  /** How many connections were taken there when the attempt was begun; none count once it has succeeded. */
  #takenBefore = Number.POSITIVE_INFINITY;
  #stopRenewal: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #isSettled: (() => void) | undefined;

  constructor(options: UpstreamConnectionOptions, handlers: UpstreamHandlers) {
    const { tls, protocol, keepaliveMs, connectTimeoutMs, login, reachability, turnstile } = options;
    const { answerTimeoutMs = 30_000, maxInboundBytes = 1024 * 1024 } = options;
    this.#tls = tls;
    this.#protocol = protocol;
    this.#limits = { keepaliveMs, connectTimeoutMs, answerTimeoutMs, maxInboundBytes };
    this.#login = login;
    this.#turnstile = turnstile;
    this.#reachability = reachability;
    this.#address = parseAddress(options.url);
    this.#handlers = handlers;
    this.#now = options.now ?? Date.now;
    this.#random = options.random ?? Math.random;
    this.#timers = options.timers ?? systemTimers;
    this.#backoff = new Backoff(options.reconnects, this.#random);
    void this.#attempt();
  }

  get clockFinding(): string | undefined {
    return this.#clock.finding;
  }

  get outstanding(): number {
    return this.#outbox.length + (this.#session?.inFlight.publishes ?? 0);
  }

  publish(packet: Packet, token: number): void {
    if (this.#closing !== undefined) return;
    this.#outbox.push({ kind: "publish", packet, token });
    this.#session?.flushSoon();
  }

  subscribe(subscriptions: readonly Subscription[], token: number): void {
    if (this.#closing !== undefined || subscriptions.length === 0) return;
    this.#outbox.push({ kind: "subscribe", subscriptions, token });
    this.#session?.flushSoon();
  }

  unsubscribe(filters: readonly string[]): void {
    if (this.#closing !== undefined || filters.length === 0) return;
    this.#outbox.push({ kind: "unsubscribe", filters });
    this.#session?.flushSoon();
  }

  acknowledge(inbound: number): void {
    if (Math.floor(inbound / 65_536) === this.#generation) this.#session?.acknowledge(inbound % 65_536);
  }

  forget(token: number): void {
    this.#outbox.forget(token);
    this.#session?.inFlight.forget(token);
    if (this.#outbox.length > 0) this.#session?.flushSoon();
  }

  tokenOf(packetId: number): number | undefined {
    return this.#session?.inFlight.tokenOf(packetId);
  }

  reconnect(reason: string): void {
    if (this.#closing !== undefined) return;
    if (this.state === "waiting") this.#wait(reason);
    else this.#session?.end({ reason, detail: "given up on purpose, to connect again" });
  }

  close({ drainMs = 0 }: { readonly drainMs?: number } = {}): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#isSettled = resolve;
      this.#stopWaiting?.();
      this.#stopRenewal?.();
      const session = this.#session;
      if (session === undefined) this.#settle();
      else if (this.state !== "open") session.end({ reason: "shutdown", detail: "closed by dragoman" });
      else session.drain(drainMs, { reason: "shutdown", detail: "closed by dragoman" });
    });
    return this.#closing;
  }

  async #attempt(): Promise<void> {
    this.state = "connecting";
    if (this.#turnstile !== undefined) {
      const through = await this.#turnstile.enter();
      if (this.#closing !== undefined) return through();
      this.#through = through;
    }
    let login: Login;
    try {
      login = await this.#login(this.#clock.reach);
    } catch (error) {
      if (this.#closing === undefined) this.ended({ reason: "credentials", detail: describe(error) }, false);
      return;
    }
    if (this.#closing !== undefined) return this.#leaveTurnstile();
    this.expiresAtMs = login.expiresAtMs;
    this.#loginMs = this.#now();
    this.#connect(login);
  }

  #leaveTurnstile(): void {
    this.#through?.();
    this.#through = undefined;
  }

  #connect(login: Login): void {
    this.#generation += 1;
    this.#takenBefore = this.#reachability?.taken(this.#address) ?? 0;
    this.#session = new Session(
      {
        address: this.#address,
        tls: this.#tls,
        protocol: this.#protocol,
        limits: this.#limits,
        login,
        outbox: this.#outbox,
        timers: this.#timers,
      },
      this,
    );
  }

  proven(): void {
    this.lastProvenMs = this.#now();
  }

  acknowledged(token: number, code: number): void {
    this.#handlers.acknowledged(token, code);
  }

  received(packet: Packet, id: number): void {
    this.#handlers.received(packet, id === 0 ? 0 : this.#generation * 65_536 + id);
  }

  subscribed(token: number, codes: readonly number[]): void {
    this.#handlers.subscribed(token, codes);
  }

  oversized(topic: string, bytes: number): void {
    this.#handlers.oversized?.(topic, bytes);
  }

  opened(): void {
    this.#leaveTurnstile();
    if (!this.#clock.taken()) {
      this.#session?.end({
        reason: "clock-check",
        detail: "a token for a longer time was taken: is one for now refused?",
      });
      return;
    }
    this.state = "open";
    this.lastProvenMs = this.#now();
    this.#openedAtMs = this.#timers.elapsedMs();
    this.#isHastened = false;
    this.#takenBefore = Number.POSITIVE_INFINITY;
    this.#renewInTime();
    this.#reachability?.reached(this.#address);
    this.#handlers.opened();
  }

  /** A token is renewed between half and four fifths of its lifetime, as production clients of these clouds do. */
  #renewInTime(): void {
    const loginMs = this.#loginMs;
    if (this.expiresAtMs === undefined) return;
    const lifetimeMs = this.expiresAtMs - loginMs;
    if (lifetimeMs <= 0) return; // A new one would be no better: let the server decide.
    const renewAtMs = loginMs + lifetimeMs * (0.5 + 0.3 * this.#random());
    this.#stopRenewal = this.#timers.after(renewAtMs - this.#now(), () => {
      const leftMs = (this.expiresAtMs ?? 0) - this.#now();
      const detail = `the token is renewed, ${Math.round(leftMs / 1000)} s before it expires`;
      this.#session?.drain(Math.min(renewalDrainMs, leftMs), { reason: "token-expired", detail });
    });
  }

  ended(failure: Failure, byPeer: boolean): void {
    this.#leaveTurnstile();
    const session = this.#session;
    const unacknowledged = session?.inFlight.waiting() ?? [];
    unacknowledged.push(...this.#outbox.clear());
    const { reason, detail } = this.#advised(this.#named(failure, byPeer && session?.inFlight.isEmpty === true));
    const isStable = this.#openedAtMs !== undefined && this.#timers.elapsedMs() - this.#openedAtMs >= stableMs;
    if (isStable) this.#backoff.reset();
    this.#session = undefined;
    this.#openedAtMs = undefined;
    this.#stopRenewal?.();
    this.#stopRenewal = undefined;
    if (this.#closing !== undefined) {
      this.#settle(session);
      this.#handlers.closed(reason, detail, unacknowledged);
      return;
    }
    this.state = "waiting";
    this.#isWaiting = false;
    // Who is told may know better what it was, and say so by `reconnect()`: then this was no failure of that kind.
    this.#handlers.closed(reason, detail, unacknowledged);
    if (this.#isWaiting || this.#closing !== undefined) return;
    if (reason === "token-expired" && !byPeer) this.#wait(reason, 0);
    else this.#wait(reason);
  }

  /** What the pattern of closes says, where the server did not. */
  #named(failure: Failure, byPeerWithNothingOpen: boolean): Failure {
    const isUnexplained = failure.reason === "closed" || failure.reason === "reset";
    const livedMs = this.#timers.elapsedMs() - (this.#openedAtMs ?? Number.NEGATIVE_INFINITY);
    const isExpired = this.expiresAtMs !== undefined && this.#now() >= this.expiresAtMs;
    if (isUnexplained && isExpired && this.#openedAtMs !== undefined) {
      return { reason: "token-expired", detail: `${failure.detail}, and the token has expired` };
    }
    // Two processes with one identity evict each other; nothing that was sent can be to blame.
    const isShortLife = isUnexplained && byPeerWithNothingOpen && livedMs < stableMs;
    this.#shortLives = isShortLife ? this.#shortLives + 1 : 0;
    if (this.#shortLives < shortLivesOfWar) return failure;
    const detail = `closed ${this.#shortLives} times within 60 s of connecting: is this identity used twice?`;
    return { reason: "identity-conflict", detail };
  }

  /** A refusal of a token, or ours of a certificate, may be the clock's fault. */
  #advised({ reason, detail }: Failure): Failure {
    const advice = certificateAdvice(reason, detail, this.#now());
    if (this.expiresAtMs === undefined || this.#openedAtMs !== undefined) return { reason, detail: detail + advice };
    this.#clock.ended(reason);
    return { reason, detail: `${detail}${advice}${this.#clock.advice(reason, this.#now())}` };
  }

  #wait(reason: string, delayMs = this.#backoff.next(reason)): void {
    this.state = "waiting";
    this.#isWaiting = true;
    this.#stopWaiting?.();
    const attempt = () => {
      this.#stopWaiting?.();
      this.#stopWaiting = undefined;
      void this.#attempt();
    };
    const hasMissed = !this.#isHastened && this.#reachability?.hasMissed(this.#address, reason, this.#takenBefore);
    if (hasMissed === true) this.#isHastened = true;
    const stopTimer = this.#timers.after(hasMissed === true ? 0 : delayMs, attempt);
    const hasten = () => {
      this.#isHastened = true;
      attempt();
    };
    const stopHearing = this.#isHastened ? undefined : this.#reachability?.wait(this.#address, reason, hasten);
    this.#stopWaiting = () => {
      stopTimer();
      stopHearing?.();
    };
  }

  /** Resolves `close()` once the socket is gone. */
  #settle(session?: Session): void {
    this.state = "closed";
    const settled = this.#isSettled;
    if (session === undefined) settled?.();
    else void session.gone().then(settled);
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : "the login failed";
}
