import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { Address, UpstreamTls } from "../upstream/dial.ts";
import type { RankedCause } from "./causes.ts";
import { dateOf, describeCertificate } from "./certificate.ts";
import { certificatesOf } from "./certificates.ts";
import type { Finding } from "./checkup.ts";
import { clientCertificate, networkCauses } from "./network-causes.ts";
import type { ServerCertificate } from "./server-certificate.ts";

export interface TlsFailure {
  readonly address: Address;
  readonly tls: UpstreamTls;
  /** What the handshake ended with. */
  readonly detail: string;
  /** What was found where the handshake was tried without believing the server; absent: not even that succeeded. */
  readonly server: ServerCertificate | undefined;
  readonly nowMs: number;
  readonly ofDialect: readonly RankedCause[];
}

/** Says why a TLS handshake failed, by what the server shows. */
export function explainTls(failure: TlsFailure): Finding {
  const { detail, server, ofDialect } = failure;
  const own = server?.chain[0];
  const refused = clientCertificateCauses(detail);
  if (refused.length > 0) return { outcome: "fail", found: detail, causes: refused };
  if (server === undefined || own === undefined) {
    // OpenSSL's words for an answer that is no TLS.
    const isOther = /wrong version number|packet length too long|unknown protocol/i.test(detail);
    return { outcome: "fail", found: detail, causes: networkCauses(isOther ? "notTls" : "tls", { ofDialect }) };
  }
  const details = server.chain.map(describeCertificate);
  const causes = [
    ...timeCauses(server.chain, failure.nowMs),
    ...nameCauses(own, failure),
    ...authorityCauses(server, failure),
  ];
  if (causes.length === 0)
    return { outcome: "fail", found: detail, details, causes: networkCauses("tls", { ofDialect }) };
  const others = causes[0]?.name === "unknownAuthority" ? ofDialect : [];
  const ranked = [...causes, ...others].map((cause, index) =>
    index === 0 || cause.likelihood === "proven" ? cause : { ...cause, likelihood: "possible" as const },
  );
  return { outcome: "fail", found: detail, details, causes: ranked };
}

/** What it means that the server ended TLS for our certificate, in the words of its alert (RFC 8446, 6.2). */
export function clientCertificateCauses(detail: string): readonly RankedCause[] {
  if (
    !/alert (?:bad certificate|unknown ca|certificate (?:required|expired|revoked|unknown)|access denied)/i.test(detail)
  ) {
    return [];
  }
  return [{ ...clientCertificate, likelihood: "likely" }];
}

function timeCauses(chain: readonly X509Certificate[], nowMs: number): readonly RankedCause[] {
  const says = `this machine's clock says ${dateOf(nowMs)}`;
  const expired = chain.find(({ validTo }) => Date.parse(validTo) < nowMs);
  const early = chain.find(({ validFrom }) => Date.parse(validFrom) > nowMs);
  if (expired !== undefined) {
    const since = dateOf(Date.parse(expired.validTo));
    return [
      {
        ...{ name: "expired", likelihood: "likely", what: `the server's certificate has expired on ${since}; ${says}` },
        remedy: "Have whoever runs the server renew it.",
      },
      {
        ...{ name: "clock", likelihood: "possible", what: "this machine's clock is ahead" },
        remedy: "Set the clock, and have it kept by NTP.",
      },
    ];
  }
  if (early === undefined) return [];
  const from = dateOf(Date.parse(early.validFrom));
  return [
    {
      name: "clock",
      likelihood: "likely",
      what: `this machine's clock is behind: ${says}, and the server's certificate is not valid before ${from}`,
      remedy: "Set the clock, and have it kept by NTP.",
    },
  ];
}

function nameCauses(own: X509Certificate, { address, tls }: TlsFailure): readonly RankedCause[] {
  const name = tls.serverName ?? address.host;
  const covers = isIP(name) === 0 ? own.checkHost(name) : own.checkIP(name);
  if (covers !== undefined) return [];
  const names = (own.subjectAltName ?? "no name at all").replace(/\p{C}/gu, "?");
  return [
    {
      name: "hostName",
      likelihood: "proven",
      what: `the server's certificate is not for "${name}" but for ${names}`,
      remedy:
        'Put the name that the certificate has into "upstream.url", or, where the server is reached by another, into "upstream.tls.serverName".',
    },
  ];
}

function authorityCauses(server: ServerCertificate, { tls, address }: TlsFailure): readonly RankedCause[] {
  const last = server.chain.at(-1);
  const issuer = (last?.issuer ?? "").replaceAll("\n", ", ").replace(/\p{C}/gu, "?");
  if (tls.ca === undefined) {
    if (server.isPublic) return [];
    return [
      {
        name: "unknownAuthority",
        likelihood: "likely",
        what: `no public authority vouches for the server: its certificates end with "${issuer}"`,
        remedy:
          "Where that is the cloud's own authority, put its certificate into \"upstream.tls.ca\"; where it is a firewall's that looks into connections, have this host excepted.",
      },
    ];
  }
  const known = certificatesOf(tls.ca);
  // A name is not enough: an authority that was set up anew has the old name and another key.
  const isKnown = server.chain.some((one) =>
    known.some((ca) => one.raw.equals(ca.raw) || (one.checkIssued(ca) && one.verify(ca.publicKey))),
  );
  if (isKnown) return [];
  const given = known.map(({ subject }) => `"${subject.replaceAll("\n", ", ")}"`).join(", ");
  const publicName = server.isPublic ? ' A public authority vouches for it: leave "upstream.tls.ca" out.' : "";
  return [
    {
      name: "unknownAuthority",
      likelihood: "likely",
      what: `the server's certificates end with "${issuer}", and "upstream.tls.ca" has only ${given}`,
      remedy: `Put the certificate of the server's authority into "upstream.tls.ca", and see that "${address.host}" is the right host.${publicName}`,
    },
    ...(last === undefined || last.checkIssued(last) ? [] : [missingIntermediate]),
  ];
}

const missingIntermediate: RankedCause = {
  name: "missingIntermediate",
  likelihood: "possible",
  what: "the server does not send the certificates between its own and the authority's",
  remedy: "Have whoever runs the server send the whole chain.",
};
