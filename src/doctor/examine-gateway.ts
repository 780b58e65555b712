import type { Config, GatewayConfig } from "../config.ts";
import { isCredentialRefusal } from "../upstream/clock-doubt.ts";
import { loginFor } from "../upstream/login.ts";
import { attach, attachedByBridge } from "./check-attach.ts";
import { checkIdentity } from "./check-identity.ts";
import { askLimits, limitsQuestion, stay, subscribe } from "./check-session.ts";
import type { Checkup, Finding, StepHead } from "./checkup.ts";
import { explainLogin } from "./explain-login.ts";
import { type LoginKit, loginKit } from "./login-kit.ts";
import { nameOfLevel, type OtherGateway } from "./login-trials.ts";
import { clocksAgree, describeClockError, measure } from "./measure-clock.ts";
import { Probe, type ProbeOptions } from "./probe.ts";
import { type RunningBridge, reportOf } from "./running-bridge.ts";

/** What is the same for all gateways of one diagnosis. */
export interface GatewayExamination {
  readonly config: Config;
  readonly checkup: Checkup;
  /** Those that are looked at; to log in as another could end somebody's connection. */
  readonly gateways: readonly GatewayConfig[];
  readonly bridge: RunningBridge;
  readonly now: () => number;
  /** Whether the way to the cloud is open, so that a login can be tried. */
  readonly isReachable: boolean;
  readonly holdMs: number;
  /** Connect although that ends a bridge's connection. */
  readonly takeOver: boolean;
  /** A device to attach, as its gateway calls it. */
  readonly device: string | undefined;
  /** Which gateways the cloud took, as far as was tried. */
  readonly taken: Map<string, boolean>;
  /** Whether the clocks were compared already. */
  clockIsKnown: boolean;
}

/** Logs in as a gateway, subscribes, stays a while and attaches a device, a step at a time, as far as it gets. */
export async function examineGateway(gateway: GatewayConfig, about: GatewayExamination): Promise<void> {
  const { config, checkup, bridge, now, device } = about;
  const kit = loginKit(config, gateway, now);
  const head = headsOf(gateway);
  const identity = await checkup.step(head("identity", "identity"), () => checkIdentity(gateway, kit.access, now()));
  if (!about.isReachable || identity.causes?.some(({ name }) => name === "expired")) {
    const found = about.isReachable ? "not tried with this identity" : "not tried: the cloud cannot be reached";
    await checkup.step(head("connect", "CONNECT"), () => ({ outcome: "skip", found }));
    return;
  }
  const known = about.takeOver ? undefined : knownByBridge(bridge, gateway.id, now());
  if (known !== undefined) {
    await checkup.step(head("connect", "CONNECT"), () => known);
    const report = reportOf(bridge, gateway.id);
    if (device !== undefined && report !== undefined) {
      await checkup.step(head("attach", `attach "${device}"`), () => attachedByBridge(report, config, device));
    }
    return;
  }
  const probe = await connect(kit, about);
  if (probe === undefined) return;
  try {
    await useSession(probe, { kit, about });
  } finally {
    await probe.end();
  }
  if (kit.access.rules.credentials === "jwt" && !about.clockIsKnown) {
    about.clockIsKnown = true;
    await checkup.step(head("clock", "clock against the cloud's"), (doing) => compareClocks(kit, doing));
  }
}

function headsOf({ id: gateway }: GatewayConfig) {
  return (id: string, title: string): StepHead => ({ id: `gateway.${id}`, title, gateway });
}

/** What a running bridge knows already. Nothing where trying costs nobody a connection. */
function knownByBridge(bridge: RunningBridge, gateway: string, nowMs: number): Finding | undefined {
  if (bridge.runs === "no") return undefined;
  const how = "; --take-over tries it all the same, and ends the bridge's connection, which comes back by itself";
  if (!("status" in bridge)) {
    return { outcome: "warn", found: `not tried, since a bridge may be connected: ${bridge.why}${how}` };
  }
  const upstream = reportOf(bridge, gateway)?.upstream;
  if (upstream?.state !== "open") return undefined;
  const provenMs = upstream.lastProvenMs === undefined ? undefined : nowMs - upstream.lastProvenMs;
  const since = provenMs === undefined ? "" : `, last proven ${Math.max(0, Math.round(provenMs / 1000))} s ago`;
  return { outcome: "ok", found: `the running bridge is connected${since}${how}` };
}

/** Logs in; says why not where that fails, with what a running bridge has met. */
async function connect(kit: LoginKit, about: GatewayExamination): Promise<Probe | undefined> {
  const { checkup, bridge, now } = about;
  const { gateway, access } = kit;
  const ofBridge = reportOf(bridge, gateway.id)?.upstream;
  const said = [ofBridge?.reason, ofBridge?.detail, ofBridge?.clock].filter((word) => word !== undefined);
  const details = said.length === 0 ? [] : [`the running bridge says: ${said.join(", ")}`];
  let opened: Probe | undefined;
  await checkup.step(headsOf(gateway)("connect", "CONNECT"), async (doing) => {
    const probe = new Probe(await freshLogin(kit, now));
    const failure = await probe.opened;
    about.taken.set(gateway.id, failure === undefined);
    if (failure === undefined) {
      opened = probe;
      return { outcome: "ok", found: `accepted, MQTT ${nameOfLevel(access.protocol)}`, details };
    }
    const finding = await explainLogin({ kit, failure, doing, others: othersOf(gateway, about) });
    return { ...finding, details: [...details, ...(finding.details ?? [])] };
  });
  return opened;
}

function othersOf(gateway: GatewayConfig, about: GatewayExamination): readonly OtherGateway[] {
  const { config, taken, bridge, gateways, now } = about;
  return config.gateways
    .filter(({ id }) => id !== gateway.id)
    .map((other) => {
      const isOpen = reportOf(bridge, other.id)?.upstream.state === "open" || undefined;
      const isTaken = taken.get(other.id) ?? isOpen;
      if (isTaken !== undefined) return { gateway: other, isTaken: async () => isTaken };
      if (!gateways.includes(other)) return { gateway: other };
      const kit = loginKit(config, other, now);
      return { gateway: other, isTaken: async () => (await kit.attempt()) === undefined };
    });
}

async function freshLogin({ access, gateway, config }: LoginKit, now: () => number): Promise<ProbeOptions> {
  const tokenLifetimeMs = config.upstream.options.tokenLifetime;
  return { access, login: await loginFor({ rules: access.rules, gateway: gateway.upstream, tokenLifetimeMs, now })() };
}

interface SessionUse {
  readonly kit: LoginKit;
  readonly about: GatewayExamination;
}

async function useSession(probe: Probe, { kit, about }: SessionUse): Promise<void> {
  const { config, checkup, holdMs, device, bridge, now } = about;
  const { gateway } = kit;
  const head = headsOf(gateway);
  const bound = config.upstream.dialect.bind({ ...config.upstream.parameters, gateway: gateway.upstream.gateway });
  const subscribed = await checkup.step(head("subscribe", "SUBSCRIBE"), () => subscribe(probe, bound));
  if (subscribed.outcome === "fail") return;
  const { diagnosis } = bound.dialect;
  const stayed = await checkup.step(head("stay", "sole use of the identity"), async (doing) => {
    if (bridge.runs === "no") {
      return stay({ probe, again: () => freshLogin(kit, now), diagnosis, holdMs, doing });
    }
    return { outcome: "skip", found: "not watched: the running bridge has the same identity" };
  });
  if (stayed.outcome === "fail") return;
  const question = limitsQuestion(bound);
  if (question !== undefined) {
    await checkup.step(head("limits", "what it is allowed"), () => askLimits(probe, bound, question));
  }
  if (device === undefined) return;
  await checkup.step(head("attach", `attach "${device}"`), () => attach({ config, gateway, device, probe }));
}

/** A clock that is behind is no hindrance to log in as long as tokens live long, but connections end early. */
async function compareClocks(kit: LoginKit, doing: (what: string) => void): Promise<Finding> {
  const failure = await clocksAgree(kit);
  const skewMs = kit.config.upstream.dialect.listener?.token.skewMs ?? 600_000;
  if (failure === undefined) {
    return { outcome: "ok", found: `they agree within the ${skewMs / 60_000} minutes that the cloud tolerates` };
  }
  // It has to be for the token: one for the usual time is taken, before and after.
  if (!isCredentialRefusal(failure.reason) || (await kit.attempt()) !== undefined) {
    return { outcome: "warn", found: `it could not be seen: ${failure.detail}` };
  }
  const error = describeClockError(await measure(kit, "behind", doing));
  return {
    outcome: "fail",
    found: `a token that is good for a second is refused: this machine's clock is ${error}`,
    causes: [
      {
        name: "clock",
        likelihood: "proven",
        what: `this machine's clock is ${error}, so tokens end early for the cloud, and connections with them`,
        remedy: "Set the clock, and have it kept by NTP.",
      },
    ],
  };
}
