/** Where `dragoman init` puts things, relative to the configuration file. */
export const files = {
  /** What dragoman signs its tokens with. */
  privateKey: (id: string) => `keys/${id}.pem`,
  /** What the cloud's registry needs of it. */
  publicKey: (id: string) => `keys/${id}.pub.pem`,
  /** What a gateway's tokens are checked with. */
  gatewayPublicKey: (id: string) => `keys/${id}-gateway.pub.pem`,
  /** Only where a key was made for the gateway: it has to go there. */
  gatewayPrivateKey: (id: string) => `keys/${id}-gateway.pem`,
  certificate: "tls/server.pem",
  certificateKey: "tls/server.key",
  /** What gateways have to trust. */
  authority: "tls/ca.pem",
  authorityKey: "tls/ca.key",
} as const;

/** The environment variable for the access token of a gateway: the one it shows, or the one that the cloud wants. */
export function tokenVariable(id: string, side: "local" | "upstream"): string {
  const name = id.toUpperCase().replace(/[^A-Z0-9]+/g, "_");
  const prefix = /^[A-Z_]/.test(name) ? name : `GATEWAY_${name}`;
  return side === "local" ? `${prefix}_TOKEN` : `${prefix}_CLOUD_TOKEN`;
}
