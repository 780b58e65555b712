import { isIP } from "node:net";
import { isLoopback } from "../message/loopback.ts";

/** Where to listen or connect: `host` without brackets. */
export interface Address {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly isLoopback: boolean;
}

const ports: Readonly<Record<string, number>> = { mqtt: 1883, mqtts: 8883, http: 80 };

/**
 * Takes a URL such as `mqtt://[::1]:1883` apart; the port may be left out.
 *
 * @returns What is wrong with it, as text that follows "found …", where it is not an address of these schemes. The text
 * never repeats the URL: there may be a password in it.
 */
export function parseAddress(url: string, schemes: readonly string[]): Address | { readonly fault: string } {
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)([/?#].*)?$/i.exec(url);
  if (match === null) return { fault: "no scheme and host" };
  const scheme = (match[1] as string).toLowerCase();
  if (!schemes.includes(scheme)) return { fault: `the scheme ${scheme}://` };
  const authority = match[2] as string;
  if (authority.includes("@")) return { fault: "a user name or password in it" };
  if (match[3] !== undefined && match[3] !== "/") return { fault: "something behind the port" };
  const parts = /^(\[([^\]]*)\]|[^:[\]]*)(:(.*))?$/.exec(authority);
  const host = parts?.[2] ?? parts?.[1] ?? "";
  if (!(parts?.[2] === undefined ? isHostName(host) : isIP(host) === 6)) return { fault: "no host name or IP address" };
  const digits = parts?.[4];
  const port = digits === undefined ? (ports[scheme] as number) : /^\d+$/.test(digits) ? Number(digits) : Number.NaN;
  if (Number.isNaN(port)) return { fault: "a port that is not a number" };
  if (port > 65535) return { fault: `port ${digits}, which is out of range (0 to 65535)` };
  return { scheme, host, port, isLoopback: isLoopback(host) };
}

/** The URL with a user name and password that may stand in it hidden. */
export function maskedUrl(url: string): string {
  return url.replace(/\/\/[^/?#]*@/, "//…@");
}

function isHostName(host: string): boolean {
  return /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?\.?$/i.test(host) && host.length <= 253;
}
