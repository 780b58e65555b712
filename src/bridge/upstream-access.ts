import type { Config, GatewayConfig } from "../config.ts";
import type { UpstreamConnectionOptions } from "../upstream/connection.ts";
import type { UpstreamTls } from "../upstream/dial.ts";
import type { LoginRules } from "../upstream/login.ts";

/** How a gateway's connection upstream is made, as its configuration and its cloud's dialect say. */
export interface UpstreamAccess
  extends Pick<UpstreamConnectionOptions, "url" | "protocol" | "keepaliveMs" | "connectTimeoutMs"> {
  readonly tls: UpstreamTls;
  readonly rules: LoginRules;
}

export function upstreamAccess({ upstream }: Config, gateway: GatewayConfig): UpstreamAccess {
  const { dialect, parameters, options, url } = upstream;
  const { clientId, username, audience } = dialect.bind({ ...parameters, gateway: gateway.upstream.gateway });
  return {
    url,
    tls: tlsOf(options, gateway),
    protocol: options.protocol ?? dialect.connection.protocols[0] ?? 4,
    keepaliveMs: options.keepalive,
    connectTimeoutMs: options.connectTimeout,
    rules: {
      credentials: dialect.connection.credentials,
      clientId,
      username,
      audience: options.audience ?? audience,
    },
  };
}

function tlsOf({ tls }: Config["upstream"]["options"], { upstream }: GatewayConfig): UpstreamTls {
  return {
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls?.serverName === undefined ? {} : { serverName: tls.serverName }),
    ...(upstream.tls === undefined ? {} : { certificate: upstream.tls.certificate, key: upstream.tls.key }),
  };
}
