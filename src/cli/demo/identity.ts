/** The gateway's id, here and in the cloud. */
export const gatewayId = "gw-01";

/** The access token of a ThingsBoard gateway, on either side. */
export const accessToken = "demo-token";

/** Where an IoT Core registry is. */
export const place = {
  project: "acme-iot",
  location: "us-central1",
  registry: "plant-1",
  subscription: "sub-77",
} as const;

export const iotCoreDialects = ["google", "clearblade", "omnicore"] as const;
export type IotCoreDialect = (typeof iotCoreDialects)[number];

/** Whether the dialect is one of the IoT Core family. */
export function isIotCore(dialect: string): dialect is IotCoreDialect {
  return (iotCoreDialects as readonly string[]).includes(dialect);
}
