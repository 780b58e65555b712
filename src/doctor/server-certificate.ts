import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import type { Address, UpstreamTls } from "../upstream/dial.ts";

/** What a server shows of itself, whoever vouches for it. */
export interface ServerCertificate {
  /** The server's own first. */
  readonly chain: readonly X509Certificate[];
  /** Whether one of the public authorities vouches for it, and it carries the name. */
  readonly isPublic: boolean;
}

/**
 * Looks at a server's certificate without believing it: nothing is sent but the handshake. `undefined` where there is none
 * to be had.
 */
export function lookAtServer(address: Address, tls: UpstreamTls, ms: number): Promise<ServerCertificate | undefined> {
  const { host, port } = address;
  const name = tls.serverName ?? (isIP(host) === 0 ? host : undefined);
  return new Promise((resolve) => {
    const socket = connect(
      { host, port, rejectUnauthorized: false, ...(name === undefined ? {} : { servername: name }) },
      () => done({ chain: chainOf(socket), isPublic: socket.authorized }),
    );
    const timer = setTimeout(() => done(undefined), ms);
    socket.on("error", () => done(undefined));
    socket.on("close", () => done(undefined));

    function done(found: ServerCertificate | undefined): void {
      clearTimeout(timer);
      socket.destroy();
      resolve(found !== undefined && found.chain.length > 0 ? found : undefined);
    }
  });
}

function chainOf(socket: TLSSocket): readonly X509Certificate[] {
  const own = socket.getPeerX509Certificate();
  const chain: X509Certificate[] = [];
  for (let next = own; next !== undefined; next = next.issuerCertificate) {
    if (chain.some(({ fingerprint256 }) => fingerprint256 === next?.fingerprint256)) break;
    chain.push(next);
  }
  return chain;
}
