import { type UpstreamAccess, upstreamAccess } from "../bridge/upstream-access.ts";
import type { Config, GatewayConfig } from "../config.ts";
import type { Failure } from "../upstream/failure.ts";
import { type LoginRules, loginFor } from "../upstream/login.ts";
import { tryLogin } from "./probe.ts";

/** The time that a token says it is good for, as seen from now: negative is ago. */
export interface TokenWindow {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A login that differs from the configured one in these things. */
export interface LoginChange {
  readonly window?: TokenWindow;
  readonly audience?: string;
  readonly clientId?: string;
  readonly protocol?: 3 | 4 | 5;
  /** Whose key or token to use. */
  readonly as?: GatewayConfig;
}

/** Logs in as one gateway, as it is configured and otherwise. */
export interface LoginKit {
  readonly config: Config;
  readonly gateway: GatewayConfig;
  readonly access: UpstreamAccess;
  /** Logs in and out again. Returns why it was refused, or nothing. */
  attempt(change?: LoginChange): Promise<Failure | undefined>;
}

/** @param now This machine's clock, Unix ms. */
export function loginKit(config: Config, gateway: GatewayConfig, now: () => number): LoginKit {
  const access = upstreamAccess(config, gateway);
  return {
    config,
    gateway,
    access,
    async attempt({ window, audience, clientId, protocol, as = gateway } = {}) {
      const rules: LoginRules = {
        ...access.rules,
        ...(audience === undefined ? {} : { audience }),
        ...(clientId === undefined ? {} : { clientId }),
      };
      const { fromMs = 0, toMs = config.upstream.options.tokenLifetime } = window ?? {};
      const login = await loginFor({
        ...{ rules, gateway: as.upstream, tokenLifetimeMs: toMs - fromMs },
        now: () => now() + fromMs,
      })();
      return tryLogin({ access, login, ...(protocol === undefined ? {} : { protocol }) });
    },
  };
}
