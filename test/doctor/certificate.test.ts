import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { judgeCertificate } from "../../src/doctor/certificate.ts";
import { type Authority, createAuthority } from "../local/certificates.ts";

const dayMs = 86_400_000;
let authority: Authority;
let certificate: X509Certificate;
beforeAll(() => {
  authority = createAuthority();
  certificate = new X509Certificate(authority.issue("cloud", { days: 90 }).certificate);
});
afterAll(() => authority.remove());

test.each([
  { when: "before it is valid", fromStart: -1, outcome: "fail", causes: ["clock", "notYetValid"] },
  { when: "while it is valid", fromStart: 1, outcome: "ok", causes: [] },
  { when: "shortly before its end", fromStart: 80, outcome: "warn", causes: ["expiring"] },
  { when: "after its end", fromStart: 91, outcome: "fail", causes: ["expired", "clock"] },
])("judgeCertificate() $when: $outcome", ({ fromStart, outcome, causes }) => {
  const nowMs = Date.parse(certificate.validFrom) + fromStart * dayMs;
  const finding = judgeCertificate(certificate, { what: "It", nowMs, warnDays: 30, renew: "Renew it." });
  expect(finding.outcome).toBe(outcome);
  expect((finding.causes ?? []).map(({ name }) => name)).toEqual(causes);
  expect(finding.details).toEqual([
    'certificate of "CN=cloud", for DNS:localhost, IP Address:127.0.0.1, issued by "CN=test authority"',
  ]);
});
