import { certificatesIn, privateKeyIn } from "./pem.ts";
import type { Section } from "./section.ts";

/** Checks that every certificate is one and that each key belongs to its certificate. */
export function checkTls(root: Section): void {
  const tls = root.section("local").section("tls");
  checkCertificateAndKey(tls);
  checkCertificates(tls, "clientCa");
  checkCertificates(root.section("upstream").section("tls"), "ca");
  for (const gateway of root.items("gateways")) {
    checkCertificates(gateway.section("local"), "certificate");
    checkCertificateAndKey(gateway.section("upstream").section("tls"));
  }
}

function checkCertificateAndKey(tls: Section): void {
  const certificates = checkCertificates(tls, "certificate");
  const text = tls.text("key");
  if (text === undefined) return;
  const key = privateKeyIn(text);
  if ("fault" in key) {
    tls.report(`found ${key.fault}, wanted a private key in PEM without a passphrase${fileHint(text)}`, "key");
  } else if (certificates?.[0]?.checkPrivateKey(key) === false) {
    tls.report(`found the key of another certificate, wanted that of "certificate"`, "key");
  }
}

function checkCertificates(section: Section, key: string) {
  const text = section.text(key);
  if (text === undefined) return undefined;
  const certificates = certificatesIn(text);
  if (!("fault" in certificates)) return certificates;
  section.report(`found ${certificates.fault}, wanted a certificate in PEM${fileHint(text)}`, key);
  return undefined;
}

/** Most often a path was given and `file:` forgotten. */
export function fileHint(text: string): string {
  return text.includes("-----BEGIN ") ? "" : ", most often as file:PATH";
}
