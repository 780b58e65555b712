import { createHash, createPublicKey } from "node:crypto";
import type { UpstreamAccess } from "../bridge/upstream-access.ts";
import { kindOfKey } from "../config/pem.ts";
import type { GatewayConfig } from "../config.ts";
import { loadPrivateKey } from "../upstream/key.ts";
import { judgeCertificate } from "./certificate.ts";
import { certificatesOf } from "./certificates.ts";
import type { Finding } from "./checkup.ts";

/** What a gateway proves its identity with upstream, as far as can be seen without the cloud. */
export function checkIdentity({ upstream }: GatewayConfig, { rules }: UpstreamAccess, nowMs: number): Finding {
  const { privateKey, algorithm, tls, token, username, clientId, password } = upstream;
  if (privateKey !== undefined && algorithm !== undefined) {
    const publicKey = createPublicKey(loadPrivateKey(privateKey.reveal(), algorithm));
    const der = publicKey.export({ type: "spki", format: "der" });
    return {
      outcome: "ok",
      found: `${kindOfKey(publicKey)}, which fits ${algorithm}`,
      details: [
        `client id ${rules.clientId}, tokens made out to "${rules.audience}"`,
        `SHA-256 of its public key: ${createHash("sha256").update(der).digest("hex")} (openssl pkey -in KEY -pubout -outform DER | sha256sum)`,
      ],
    };
  }
  if (tls !== undefined) {
    const [certificate] = certificatesOf(tls.certificate);
    if (certificate === undefined) return { outcome: "fail", found: "there is no certificate" };
    const renew =
      "Have a new one issued, enter it at the device in the cloud, and put it where the configuration points.";
    return judgeCertificate(certificate, { what: "The gateway's certificate", nowMs, warnDays: 30, renew });
  }
  if (token !== undefined) return judgeToken(token.reveal());
  const given = [
    ...(username === undefined ? [] : ["a user name"]),
    ...(password === undefined ? [] : ["a password"]),
    ...(clientId === undefined ? [] : ["a client id"]),
  ];
  return { outcome: "ok", found: `${given.join(", ")}` };
}

/** Says nothing of the token but what is odd about it. */
function judgeToken(token: string): Finding {
  const oddity = /^bearer\b/i.test(token)
    ? 'it begins with the word "Bearer"'
    : /^["'].*["']$/.test(token)
      ? "it stands in quotes"
      : /\s/.test(token)
        ? "there is a blank or a line break in it"
        : token.includes("${")
          ? 'there is a "${" in it, so a variable was not replaced'
          : undefined;
  if (oddity === undefined) return { outcome: "ok", found: `an access token of ${token.length} characters` };
  return {
    outcome: "warn",
    found: `the access token looks wrong: ${oddity}`,
    causes: [
      {
        name: "credentials",
        likelihood: "likely",
        what: "the access token was not copied as it is",
        remedy: "Copy it from the gateway's page in ThingsBoard again.",
      },
    ],
  };
}
