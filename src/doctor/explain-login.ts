import { parseAddress } from "../upstream/dial.ts";
import { type Evidence, type RankedCause, rankCauses, suspects } from "./causes.ts";
import type { Finding } from "./checkup.ts";
import { loginTrials, type Refused } from "./login-trials.ts";
import { networkCauses } from "./network-causes.ts";
import { lookAtServer } from "./server-certificate.ts";
import { clientCertificateCauses } from "./tls-causes.ts";

/** How long a server may take to show a certificate. */
const lookMs = 5000;

/**
 * Says why the cloud refused a login. Most reasons get the same answer, so those that can be tried out are tried, each with
 * a login that differs from the configured one in one thing.
 */
export async function explainLogin(refused: Refused): Promise<Finding> {
  const { kit, failure } = refused;
  const { diagnosis } = kit.config.upstream.dialect;
  const symptom = { stage: "connect", answer: failure.reason } as const;
  const names = suspects(diagnosis, symptom);
  const evidence: Evidence[] = [];
  const details: string[] = [];
  if (await speaksTls(refused)) return { outcome: "fail", found: failure.detail, causes: [tlsInstead] };
  const certificate = clientCertificateCauses(failure.detail);
  if (certificate.length > 0) return { outcome: "fail", found: failure.detail, causes: certificate };
  refused.doing("once more");
  if ((await kit.attempt()) === undefined) {
    return { outcome: "warn", found: `refused (${failure.detail}), and taken when it was tried once more` };
  }
  for (const [cause, trial] of Object.entries(loginTrials)) {
    if (!names.includes(cause) || evidence.some(({ cause: known }) => known === cause)) continue;
    const result = await trial(refused);
    if (result === undefined) continue;
    evidence.push(...result.evidence);
    if (result.told !== undefined) details.push(result.told);
    if (result.evidence.some(({ verdict }) => verdict === "proven")) break;
  }
  const ofDialect = rankCauses(diagnosis, { ...symptom, evidence });
  const causes = ofDialect.length > 0 ? ofDialect : networkCauses(failure.reason);
  return { outcome: "fail", found: failure.detail, details, causes };
}

const tlsInstead: RankedCause = {
  name: "scheme",
  likelihood: "proven",
  what: "what answers on this port wants TLS first",
  remedy: 'Use mqtts:// in "upstream.url".',
};

/** A port with TLS takes a CONNECT that is not encrypted for noise, and closes or waits. */
async function speaksTls({ kit, failure, doing }: Refused): Promise<boolean> {
  const address = parseAddress(kit.access.url);
  if (address.isTls || !["closed", "reset", "timeout"].includes(failure.reason)) return false;
  doing("TLS");
  return (await lookAtServer(address, kit.access.tls, lookMs)) !== undefined;
}
