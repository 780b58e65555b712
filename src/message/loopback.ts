import { isIP } from "node:net";

/**
 * Whether only this machine can reach the host, a name or an address without brackets.
 *
 * Of names only `localhost` does: whether those under it (RFC 6761, 6.3) end here is up to the resolver.
 */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith("127.");
  // However many zeros ::1 is written with.
  if (isIP(host) === 6) return /^[0:]*:0*1$/.test(host);
  return host.toLowerCase() === "localhost";
}
