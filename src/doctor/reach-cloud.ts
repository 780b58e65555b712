import { lookup } from "node:dns/promises";
import { isIP, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { UpstreamAccess } from "../bridge/upstream-access.ts";
import type { Diagnosis } from "../message/diagnosis.ts";
import { type DialOptions, dial, parseAddress } from "../upstream/dial.ts";
import { type Failure, socketFailure } from "../upstream/failure.ts";
import { type RankedCause, rankCauses } from "./causes.ts";
import { judgeCertificate } from "./certificate.ts";
import type { Checkup, Finding } from "./checkup.ts";
import { networkCauses } from "./network-causes.ts";
import { patienceMs, tryLogin, within } from "./probe.ts";
import { lookAtServer } from "./server-certificate.ts";
import { explainTls } from "./tls-causes.ts";

export interface ReachOptions {
  readonly access: UpstreamAccess;
  readonly diagnosis: Diagnosis;
  /** Whether the address is the dialect's own, no other having been configured. */
  readonly isAddressOfDialect: boolean;
  readonly nowMs: number;
}

/** Goes the way to the cloud as far as TLS, a step at a time. Returns whether it got there. */
export async function reachCloud(checkup: Checkup, options: ReachOptions): Promise<boolean> {
  const { access, diagnosis, isAddressOfDialect, nowMs } = options;
  const address = parseAddress(access.url);
  const { host, port, isTls } = address;
  const ofDialect = (answer: string) => rankCauses(diagnosis, { stage: "dial", answer });
  const failed = ({ reason, detail }: Failure): Finding => ({
    ...{
      outcome: "fail",
      found: detail,
      causes: networkCauses(reason, { ofDialect: ofDialect(reason), isAddressOfDialect }),
    },
  });

  if (isIP(host) === 0) {
    const dns = await checkup.step({ id: "upstream.dns", title: `name ${host}` }, () => resolveName(host, failed));
    if (dns.outcome === "fail") return false;
  }
  const tcp = await checkup.step({ id: "upstream.tcp", title: `TCP to port ${port}` }, async () => {
    const look = ({ remoteAddress }: Socket): Finding => ({ outcome: "ok", found: `connected to ${remoteAddress}` });
    const dialed = await dialOnce({ address: { ...address, isTls: false } }, look);
    return "found" in dialed ? dialed : failed(dialed);
  });
  if (tcp.outcome === "fail") return false;
  if (!isTls) {
    const isLocal = host === "localhost" || host === "::1" || host.startsWith("127.");
    const found = "the connection is not encrypted (mqtt://)";
    await checkup.step({ id: "upstream.tls", title: "TLS" }, () =>
      isLocal
        ? { outcome: "ok", found }
        : { outcome: "warn", found: `${found}, so credentials can be read on the way` },
    );
    return true;
  }
  const tls = await checkup.step({ id: "upstream.tls", title: "TLS" }, async () => {
    const { tls } = access;
    const dialed = await dialOnce({ address, tls }, (socket) => judgeServer(socket as TLSSocket, nowMs));
    if ("found" in dialed) return dialed;
    if (dialed.reason !== "tls") return failed(dialed);
    const server = await lookAtServer(address, tls, patienceMs);
    if (server === undefined && (await speaksPlainMqtt(access))) {
      return { outcome: "fail", found: dialed.detail, causes: [plainInstead] };
    }
    return explainTls({ address, tls, server, detail: dialed.detail, nowMs, ofDialect: ofDialect("tls") });
  });
  return tls.outcome !== "fail";
}

const plainInstead: RankedCause = {
  name: "scheme",
  likelihood: "proven",
  what: "what answers on this port speaks MQTT without TLS",
  remedy: 'Use the port with TLS (8883), or mqtt:// in "upstream.url" where that is meant.',
};

/** Whether it answers a CONNECT that is not encrypted, and says nothing of us. */
async function speaksPlainMqtt(access: UpstreamAccess): Promise<boolean> {
  const url = access.url.replace(/^mqtts:/, "mqtt:");
  const answer = await tryLogin({ access: { ...access, url, tls: {} }, login: { clientId: "" }, protocol: 4 });
  return answer === undefined || answer.reason.startsWith("connack-");
}

async function resolveName(host: string, failed: (failure: Failure) => Finding): Promise<Finding> {
  try {
    const found = await within(patienceMs, lookup(host, { all: true }));
    if (found === undefined) {
      return failed({ reason: "dns", detail: `no name server answered within ${patienceMs / 1000} s` });
    }
    return { outcome: "ok", found: `${found.map(({ address }) => address).join(", ")}` };
  } catch (error) {
    const { detail } = socketFailure(error, "connection");
    const finding = failed({ reason: "dns", detail });
    if ((error as NodeJS.ErrnoException).code !== "EAI_AGAIN") return finding;
    // No answer is another matter than the answer that there is no such name.
    const causes = finding.causes ?? [];
    const resolver = causes.filter(({ name }) => name === "resolver");
    const others = causes.filter(({ name }) => name !== "resolver");
    return {
      ...finding,
      causes: [
        ...resolver.map((cause) => ({ ...cause, likelihood: "likely" as const })),
        ...others.map((cause) => ({ ...cause, likelihood: "possible" as const })),
      ],
    };
  }
}

function judgeServer(socket: TLSSocket, nowMs: number): Finding {
  const certificate = socket.getPeerX509Certificate();
  const kind = `${socket.getProtocol()}, ${socket.getCipher().name}`;
  if (certificate === undefined) return { outcome: "ok", found: kind };
  const renew = "Tell whoever runs the server.";
  const finding = judgeCertificate(certificate, { what: "the server's certificate", nowMs, warnDays: 7, renew });
  return { ...finding, found: `${kind}; ${finding.found}` };
}

/** Opens a socket, looks at it and closes it. */
function dialOnce(options: DialOptions, look: (socket: Socket) => Finding): Promise<Finding | Failure> {
  return new Promise((resolve) => {
    const done = (result: Finding | Failure) => {
      clearTimeout(timer);
      dialed.socket.destroy();
      resolve(result);
    };
    const dialed = dial(options, {
      connected: () => done(look(dialed.socket)),
      data: () => {},
      drained: () => {},
      closed: (failure) => done(failure ?? { reason: "closed", detail: `closed before ${dialed.stage}` }),
    });
    const timer = setTimeout(
      () => done({ reason: "timeout", detail: `no ${dialed.stage} within ${patienceMs / 1000} s` }),
      patienceMs,
    );
  });
}
