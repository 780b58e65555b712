import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import {
  openThingsBoard,
  type ThingsBoardCloud,
  type ThingsBoardOptions,
} from "../../src/cloud/thingsboard/thingsboard-cloud.ts";

export interface TenantPlantOptions {
  readonly tenant?: Partial<ThingsBoardOptions>;
  readonly upstream?: object;
  /** What the gateway shows in the configuration; its token if left out. */
  readonly credentials?: object;
  /** Who the gateways were written for, and how this one proves itself to us; ThingsBoard and a token if left out. */
  readonly local?: { readonly section: object; readonly gateway: object };
  /** In PEM; trusted by the configuration. */
  readonly authority?: string;
  readonly isGateway?: boolean;
}

export const tenantToken = "token-of-gw-01";

/** A stand-in ThingsBoard with a gateway, and the configuration of a bridge to it. */
export async function openTenantPlant(
  options: TenantPlantOptions = {},
): Promise<{ readonly tenant: ThingsBoardCloud; readonly configFile: string; readonly folder: string }> {
  const { credentials = { token: tenantToken }, isGateway = true, authority } = options;
  const { local = { section: { dialect: "thingsboard" }, gateway: { token: "local-token-of-gw-01" } } } = options;
  const tenant = await openThingsBoard({
    devices: [{ name: "gw-01", gateway: isGateway, credentials: { kind: "token", token: tenantToken } }],
    ...options.tenant,
  });
  onTestFinished(() => tenant.close());
  const folder = mkdtempSync(join(tmpdir(), "dragoman-doctor-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  if (authority !== undefined) writeFileSync(join(folder, "ca.pem"), authority);
  const configFile = join(folder, "dragoman.yaml");
  // JSON is YAML too.
  const text = JSON.stringify({
    local: { listen: ["mqtt://127.0.0.1:0"], ...local.section },
    upstream: {
      dialect: "thingsboard",
      url: tenant.urls[0],
      ...(authority === undefined ? {} : { tls: { ca: "file:ca.pem" } }),
      ...options.upstream,
    },
    gateways: [{ id: "gw-01", local: local.gateway, upstream: credentials }],
    spool: { directory: "spool" },
    admin: { listen: "http://127.0.0.1:0" },
    allowInlineSecrets: true,
  });
  writeFileSync(configFile, text);
  return { tenant, configFile, folder };
}
