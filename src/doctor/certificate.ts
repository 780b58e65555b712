import type { X509Certificate } from "node:crypto";
import type { RankedCause } from "./causes.ts";
import type { Finding, Outcome } from "./checkup.ts";

const dayMs = 86_400_000;

export interface CertificateOptions {
  /** What it is, at the beginning of a sentence: "The certificate of the cloud". */
  readonly what: string;
  readonly nowMs: number;
  /** So long before its end it is said. */
  readonly warnDays: number;
  /** What to do once it has ended, or is about to. */
  readonly renew: string;
}

/** Judges a certificate by its time and its key, the first of a chain. */
export function judgeCertificate(certificate: X509Certificate, options: CertificateOptions): Finding {
  const { what, nowMs, warnDays, renew } = options;
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  const until = `${what} is valid until ${dateOf(to)}`;
  const details = [describeCertificate(certificate)];
  const because = (name: string, words: string, remedy: string): RankedCause => ({
    ...{ name, likelihood: "likely", what: words, remedy },
  });
  const found = (outcome: Outcome, sentence: string, ...causes: readonly RankedCause[]): Finding => ({
    ...{ outcome, found: sentence, details },
    ...(causes.length === 0 ? {} : { causes }),
  });
  if (nowMs < from) {
    return found(
      "fail",
      `${what} is not valid before ${dateOf(from)}, and this machine's clock says ${dateOf(nowMs)}`,
      because("clock", "this machine's clock is behind", "Set the clock, and have it kept by NTP."),
      { ...because("notYetValid", "the certificate was issued for later", renew), likelihood: "possible" },
    );
  }
  if (nowMs > to) {
    return found(
      "fail",
      `${what} has expired on ${dateOf(to)}, and this machine's clock says ${dateOf(nowMs)}`,
      because("expired", "the certificate has expired", renew),
      {
        ...because("clock", "this machine's clock is ahead", "Set the clock, and have it kept by NTP."),
        likelihood: "possible",
      },
    );
  }
  const weakness = weaknessOf(certificate);
  if (weakness !== undefined) return found("warn", `${until}; ${weakness}`, because("weakKey", weakness, renew));
  const leftDays = Math.floor((to - nowMs) / dayMs);
  if (leftDays < warnDays) {
    const soon = `it expires in ${leftDays === 1 ? "1 day" : `${leftDays} days`}`;
    return found("warn", `${until}: ${soon}`, because("expiring", soon, renew));
  }
  return found("ok", `${until} (${leftDays} days)`);
}

export function describeCertificate({ subject, issuer, subjectAltName }: X509Certificate): string {
  const names = subjectAltName === undefined ? "" : `, for ${subjectAltName}`;
  return `certificate of "${oneLine(subject)}"${names}, issued by "${oneLine(issuer)}"`;
}

/** RFC 7525, 4.3: RSA keys of at least 2048 bits; NIST SP 800-57: 112 bits of strength, so curves of 224 and more. */
function weaknessOf({ publicKey }: X509Certificate): string | undefined {
  const { modulusLength } = publicKey.asymmetricKeyDetails ?? {};
  const isWeak = publicKey.asymmetricKeyType === "rsa" && (modulusLength ?? 0) < 2048;
  return isWeak ? `its RSA key of ${modulusLength} bits is weak, wanted 2048 or more` : undefined;
}

export function dateOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** Names in certificates have a part per line; text of others must not change a terminal. */
function oneLine(name: string): string {
  return (name ?? "").replaceAll("\n", ", ").replace(/\p{C}/gu, "?");
}
