import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import { isLoopback } from "../message/loopback.ts";
import type { Secret } from "../message/secret.ts";

/** Tells who may read. Always true where no token is configured. */
export type MayRead = (context: Context) => boolean;

/**
 * Compares the `Authorization: Bearer` header with the configured token, in constant time.
 *
 * The token is never read from the URL, where it would end up in logs and histories.
 */
export function tokenCheck(token: Secret | undefined): MayRead {
  if (token === undefined) return () => true;
  const wanted = digest(token.reveal());
  return (context) => {
    const given = /^bearer +(.+)$/i.exec(context.req.header("authorization") ?? "")?.[1];
    // Digests have one length, so the comparison tells nothing of the token's.
    return given !== undefined && timingSafeEqual(digest(given), wanted);
  };
}

/** Refuses whoever may not read, without saying what was wrong with the token. */
export function readersOnly(mayRead: MayRead): MiddlewareHandler {
  return async (context, next) => {
    if (mayRead(context)) return next();
    return context.json({ error: "wanted the bearer token of this server" }, 401, {
      "www-authenticate": 'Bearer realm="dragoman"',
    });
  };
}

/**
 * On a loopback address, refuses requests whose `Host` is not this machine: a web page that has its own name resolve to
 * 127.0.0.1 (DNS rebinding) still sends that name.
 *
 * @param hostname What the server listens on, as in a URL: `127.0.0.1`, `[::1]`, `localhost`.
 */
export function ownHostOnly(hostname: string): MiddlewareHandler {
  if (!isLoopback(withoutBrackets(hostname))) return (_context, next) => next();
  return async (context, next) => {
    // Any port: a tunnel may begin on another one.
    const name = (context.req.header("host") ?? "").replace(/:\d*$/, "");
    if (isLoopback(withoutBrackets(name))) return next();
    return context.json({ error: "the Host header must name this machine: localhost, 127.0.0.1 or [::1]" }, 403);
  };
}

/**
 * Refuses what a page of another origin had a browser send: it may not read our answers, but what it asks for would be done
 * all the same.
 */
export const ownPagesOnly: MiddlewareHandler = async (context, next) => {
  const origin = context.req.header("origin");
  const site = context.req.header("sec-fetch-site");
  const isOwnOrigin = origin === undefined || hostOf(origin) === hostOf(`http://${context.req.header("host")}`);
  const isOwnSite = site === undefined || site === "same-origin" || site === "none";
  if (isOwnOrigin && isOwnSite) return next();
  return context.json({ error: "pages of other origins may not ask for this" }, 403, { connection: "close" });
};

/** A page of another origin cannot send this type without asking first, and is told no. */
export const jsonOnly: MiddlewareHandler = async (context, next) => {
  const type = context.req.header("content-type") ?? "";
  if (/^application\/json\s*(;|$)/i.test(type)) return next();
  return context.json({ error: "wanted content-type: application/json" }, 415, { connection: "close" });
};

function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).host : undefined;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
