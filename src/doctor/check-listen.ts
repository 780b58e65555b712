import { createServer, isIP } from "node:net";
import type { Config } from "../config.ts";
import { DragomanError } from "../errors.ts";
import { type ListenAddress, listenOn, parseListenAddress } from "../local/listen-address.ts";
import { tlsOptionsOf } from "../local/tls-identity.ts";
import { judgeCertificate } from "./certificate.ts";
import { certificatesOf } from "./certificates.ts";
import type { Checkup, Finding } from "./checkup.ts";
import type { RunningBridge } from "./running-bridge.ts";

const renew = 'Have a new one issued, put it where "local.tls.certificate" points, and reload the bridge.';

/** Whether the bridge could listen where it is told to, or does already. */
export async function checkListen(checkup: Checkup, config: Config, around: Around): Promise<void> {
  const { options } = config.local;
  for (const url of options.listen) {
    await checkup.step({ id: "local.listen", title: `listen on ${url}` }, () => listening(url, around.bridge));
  }
  if (config.admin !== false) {
    const { listen } = config.admin;
    await checkup.step({ id: "admin.listen", title: `admin server on ${listen}` }, () =>
      adminListening(listen, around.bridge),
    );
  }
  const secure = options.listen.map(parseListenAddress).filter(({ secure }) => secure);
  const { tls } = options;
  if (tls === undefined || secure.length === 0) return;
  await checkup.step({ id: "local.certificate", title: "certificate for gateways" }, () => {
    for (const { url } of secure) tlsOptionsOf(options, url, false);
    return ownCertificate(tls.certificate, secure, around.nowMs);
  });
  if (tls.clientCa === undefined) return;
  const [authority] = certificatesOf(tls.clientCa);
  if (authority === undefined) return;
  await checkup.step({ id: "local.clientCa", title: "authority of the gateways' certificates" }, () =>
    judgeCertificate(authority, {
      ...{ what: 'The certificate in "local.tls.clientCa"', nowMs: around.nowMs, warnDays: 30 },
      renew: 'Put the authority\'s new certificate into "local.tls.clientCa".',
    }),
  );
}

export interface Around {
  readonly bridge: RunningBridge;
  readonly nowMs: number;
}

async function listening(url: string, bridge: RunningBridge): Promise<Finding> {
  const address = parseListenAddress(url);
  if ("status" in bridge && bridge.status.listen.some((open) => isSame(parseListenAddress(open), address))) {
    return { outcome: "ok", found: "the running bridge listens there" };
  }
  return tryPort(address, bridge, "local.listen");
}

function isSame(a: ListenAddress, b: ListenAddress): boolean {
  return a.host === b.host && a.port === b.port;
}

async function adminListening(listen: string, bridge: RunningBridge): Promise<Finding> {
  if ("status" in bridge) return { outcome: "ok", found: "the running bridge answers there" };
  const url = new URL(listen);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? 80 : Number(url.port);
  return tryPort({ url: listen, secure: false, host, port }, bridge, "admin.listen");
}

async function tryPort(address: ListenAddress, bridge: RunningBridge, option: string): Promise<Finding> {
  const server = createServer();
  try {
    await listenOn(server, address);
    await new Promise((resolve) => server.close(resolve));
    return { outcome: "ok", found: address.port === 0 ? "any free port will do" : "the address is free" };
  } catch (error) {
    if (!(error instanceof DragomanError)) throw error;
    const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
    if (code === "EADDRINUSE" && bridge.runs === "yes") {
      return { outcome: "ok", found: "the port is taken, as it should be: the bridge runs" };
    }
    const remedy = `Stop the program that has it, most often another bridge, or set another address in "${option}".`;
    const found = code === "EADDRINUSE" ? "another program has the port" : (error.cause as Error).message;
    return {
      outcome: "fail",
      found,
      causes: [
        code === "EADDRINUSE"
          ? { name: "portTaken", likelihood: "proven", what: "the port is taken", remedy }
          : {
              ...{ name: "address", likelihood: "proven", what: "this machine or this user may not have the address" },
              remedy: `Set an address of this machine and a port above 1023 in "${option}".`,
            },
      ],
    };
  }
}

function ownCertificate(pem: string, addresses: readonly ListenAddress[], nowMs: number): Finding {
  const [certificate] = certificatesOf(pem);
  if (certificate === undefined) return { outcome: "fail", found: "there is no certificate" };
  const finding = judgeCertificate(certificate, { what: "It", nowMs, warnDays: 30, renew });
  const strangers = addresses.flatMap(({ host }) => {
    if (isAnywhere(host)) return [];
    const covers = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host);
    return covers === undefined ? [host] : [];
  });
  const names = certificate.subjectAltName ?? "no name at all";
  const details = [...(finding.details ?? []), `gateways that check it have to connect to one of: ${names}`];
  if (finding.outcome !== "ok" || strangers.length === 0) return { ...finding, details };
  return {
    outcome: "warn",
    found: `${finding.found}, but not for ${strangers.map((host) => `"${host}"`).join(", ")}`,
    details,
    causes: [
      {
        name: "hostName",
        likelihood: "likely",
        what: "the certificate does not name the address that is listened on",
        remedy: "Have one issued with that name or address, unless gateways connect by another name that it has.",
      },
    ],
  };
}

/** What stands for all addresses is not what gateways connect to. */
function isAnywhere(host: string): boolean {
  return host === "0.0.0.0" || host === "::" || host.startsWith("127.") || host === "::1" || host === "localhost";
}
