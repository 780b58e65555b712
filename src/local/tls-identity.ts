import { createSecureContext, type TLSSocket, type TlsOptions } from "node:tls";
import { DragomanError } from "../errors.ts";
import type { ClientCertificate } from "./credentials.ts";
import type { LocalOptions } from "./options.ts";

/**
 * The TLS side of a listener: who we are, and whether clients are asked who they are.
 *
 * A client without a certificate is let in: it may still have a token. One with a certificate that is not signed by
 * `clientCa` gets a CONNACK that says so rather than a failed handshake, after which real gateways go on in plain text.
 *
 * @throws {DragomanError} `ERR_LISTEN` when certificate and key do not fit.
 */
export function tlsOptionsOf(options: LocalOptions, url: string, asksForCertificate: boolean): TlsOptions {
  const { tls } = options;
  if (tls === undefined) {
    throw new DragomanError("ERR_LISTEN", `Cannot listen on "${url}": found no local.tls, wanted certificate and key`);
  }
  const identity = {
    cert: tls.certificate,
    key: tls.key.reveal(),
    ...(tls.clientCa !== undefined && { ca: tls.clientCa }),
    minVersion: "TLSv1.2" as const,
  };
  try {
    createSecureContext(identity);
  } catch (cause) {
    const state = cause instanceof Error ? cause.message : String(cause);
    throw new DragomanError(
      "ERR_LISTEN",
      `Cannot listen on "${url}": local.tls does not work (${state}), wanted a certificate and its key in PEM`,
      { cause },
    );
  }
  return {
    ...identity,
    requestCert: asksForCertificate || tls.clientCa !== undefined,
    rejectUnauthorized: false,
    handshakeTimeout: options.connectTimeout,
  };
}

/** The certificate a client has shown, if any, and what is wrong with it. `hasCa`: it has to be signed by `clientCa`. */
export function clientCertificateOf(socket: TLSSocket, hasCa: boolean, nowMs: number): ClientCertificate | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const fingerprint = certificate.fingerprint256;
  if (hasCa && !socket.authorized) {
    return { fingerprint, fault: `not signed by local.tls.clientCa (${String(socket.authorizationError)})` };
  }
  if (Date.parse(certificate.validTo) < nowMs) return { fingerprint, fault: `expired ${certificate.validTo}` };
  if (Date.parse(certificate.validFrom) > nowMs) return { fingerprint, fault: `valid from ${certificate.validFrom}` };
  return { fingerprint };
}
