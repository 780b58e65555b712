import { gatewayId, isIotCore, place } from "./identity.ts";

/** How every configuration that the demo wrote begins. */
export const exampleMark = '# Written by "dragoman demo".';

interface ExampleValues {
  readonly local: string;
  readonly upstream: string;
  readonly port: number;
  readonly upstreamUrl: string;
}

/** The configuration that the demo runs on, as a user would write it. The token is in `DEMO_TOKEN`. */
export function exampleConfig({ local, upstream, port, upstreamUrl }: ExampleValues): string {
  const whoIsLocal = isIotCore(local) ? `publicKeys: [file:keys/${gatewayId}.pub.pem]` : `token: "\${DEMO_TOKEN}"`;
  const whoIsUpstream = isIotCore(upstream)
    ? `privateKey: file:keys/${gatewayId}.pem, algorithm: ES256`
    : `token: "\${DEMO_TOKEN}"`;
  return `${exampleMark} A gateway that speaks ${local} in front, a cloud that speaks ${upstream} behind.
local:
  dialect: ${local}
  listen: [mqtt://127.0.0.1:${port}]
${parametersOf(local)}upstream:
  dialect: ${upstream}
  url: ${upstreamUrl}          # the stand-in cloud
${parametersOf(upstream)}gateways:
  - id: ${gatewayId}
    local: { ${whoIsLocal} }
    upstream: { ${whoIsUpstream} }
spool: { directory: spool }
admin: { listen: http://127.0.0.1:0 }
`;
}

function parametersOf(dialect: string): string {
  if (!isIotCore(dialect)) return "";
  const { project, location, registry, subscription } = place;
  return dialect === "omnicore"
    ? `  subscription: ${subscription}\n  registry: ${registry}\n`
    : `  project: ${project}\n  location: ${location}\n  registry: ${registry}\n`;
}
