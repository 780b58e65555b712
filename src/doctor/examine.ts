import { upstreamAccess } from "../bridge/upstream-access.ts";
import type { Config, GatewayConfig } from "../config.ts";
import { judgeCertificate } from "./certificate.ts";
import { certificatesOf } from "./certificates.ts";
import { checkClock } from "./check-clock.ts";
import { checkListen } from "./check-listen.ts";
import { checkPublicKeys } from "./check-public-keys.ts";
import { checkSpool } from "./check-spool.ts";
import { Checkup, type Step, type Witness } from "./checkup.ts";
import { examineGateway, type GatewayExamination } from "./examine-gateway.ts";
import { reachCloud } from "./reach-cloud.ts";
import type { RunningBridge } from "./running-bridge.ts";

export interface ExamineOptions {
  /** Which gateways; all if left out. */
  readonly gateways?: readonly GatewayConfig[];
  /** A device to attach, as its gateway calls it. */
  readonly device?: string;
  /** How long each connection is watched for another user of its identity. */
  readonly holdMs: number;
  /** Connect although a bridge is connected, or may be. */
  readonly takeOver: boolean;
  readonly bridge: RunningBridge;
  readonly witness?: Witness;
  /** Unix ms. */
  readonly now?: () => number;
}

export type Verdict = "healthy" | "doubtful" | "broken";

/** Looks at all that a bridge with this configuration needs, on this machine and in the cloud, and says what is wrong with it. */
export async function examine(config: Config, options: ExamineOptions): Promise<readonly Step[]> {
  const { gateways = config.gateways, holdMs, takeOver, device, witness = {}, now = Date.now } = options;
  const checkup = new Checkup(witness);
  const nowMs = now();
  await checkListen(checkup, config, { bridge: options.bridge, nowMs });
  await checkGatewayCredentials(checkup, gateways, nowMs);
  await checkup.step({ id: "spool", title: "spool" }, () => checkSpool(config.spool, options.bridge));
  await checkup.step({ id: "clock", title: "clock" }, () => checkClock(config, nowMs));
  await checkAuthorities(checkup, config, nowMs);

  const [first] = gateways;
  const access = first && upstreamAccess(config, first);
  const { dialect, options: upstream } = config.upstream;
  const way = { diagnosis: dialect.diagnosis, isAddressOfDialect: upstream.url === undefined, nowMs };
  const about: GatewayExamination = {
    ...{ config, checkup, gateways, now, holdMs, takeOver, device },
    bridge: doubted(options.bridge, checkup.steps, config),
    isReachable: access !== undefined && (await reachCloud(checkup, { access, ...way })),
    taken: new Map(),
    clockIsKnown: false,
  };
  for (const gateway of gateways) await examineGateway(gateway, about);
  return checkup.steps;
}

export function verdictOf(steps: readonly Step[]): Verdict {
  if (steps.some(({ outcome }) => outcome === "fail")) return "broken";
  return steps.some(({ outcome }) => outcome === "warn") ? "doubtful" : "healthy";
}

/** A spool in memory has no owner on disk; whoever has the port may be the bridge of this configuration. */
function doubted(bridge: RunningBridge, steps: readonly Step[], { spool }: Config): RunningBridge {
  const isTaken = steps.some(({ id, outcome }) => id === "local.listen" && outcome === "fail");
  if (bridge.runs !== "no" || spool.directory !== "memory" || !isTaken) return bridge;
  return { runs: "perhaps", why: "its port is taken, and its spool is in memory" };
}

async function checkGatewayCredentials(
  checkup: Checkup,
  gateways: readonly GatewayConfig[],
  nowMs: number,
): Promise<void> {
  for (const gateway of gateways) {
    const { id, local } = gateway;
    const keys = checkPublicKeys(gateway, nowMs);
    if (keys !== undefined) {
      await checkup.step(
        { id: "local.publicKeys", title: "keys of the gateway and its devices", gateway: id },
        () => keys,
      );
    }
    const [certificate] = local.certificate === undefined ? [] : certificatesOf(local.certificate);
    if (certificate === undefined) continue;
    const renew = `Give the gateway a new one, and put it where "local.certificate" of gateway "${id}" points.`;
    await checkup.step({ id: "local.gatewayCertificate", title: "the gateway's certificate", gateway: id }, () =>
      judgeCertificate(certificate, { what: "It", nowMs, warnDays: 30, renew }),
    );
  }
}

async function checkAuthorities(checkup: Checkup, { upstream }: Config, nowMs: number): Promise<void> {
  const { tls } = upstream.options;
  if (tls?.ca === undefined) return;
  const authorities = certificatesOf(tls.ca);
  await checkup.step({ id: "upstream.ca", title: "authorities of the cloud" }, () => {
    const renew = 'Put the authority\'s new certificate into "upstream.tls.ca".';
    const findings = authorities.map((one) => judgeCertificate(one, { what: "It", nowMs, warnDays: 30, renew }));
    // One that is good will do: roots are replaced while the old one is still in the file.
    const best = findings.find(({ outcome }) => outcome === "ok") ?? findings[0];
    return best ?? { outcome: "fail", found: "there is no certificate" };
  });
}
