import type * as mqtt from "mqtt-packet";
import { type Cloud, type CloudOptions, openCloud } from "../../src/cloud/cloud.ts";
import type { AuthMethod } from "../../src/cloud/registry.ts";
import type { CloudDialect } from "../../src/cloud/variant.ts";
import { ecIdentity, type Identity, mintToken, rsaIdentity, type TokenRecipe } from "./identity.ts";
import { openRawClient, type RawClient } from "./raw-client.ts";

/** Keys of the devices of the vectors, made once per test file. */
export const identities: Readonly<Record<string, Identity>> = {
  "gw-01": ecIdentity(),
  "gw-02": ecIdentity(),
  "sensor-7": ecIdentity(),
  "pump-2": ecIdentity(),
  "loose-9": ecIdentity(),
  "dev-1001": ecIdentity(),
  "ghost-1": ecIdentity(),
};
export const gatewayRsa = rsaIdentity();

export function identityOf(device: string): Identity {
  const identity = identities[device];
  if (identity === undefined) throw new Error(`no identity for "${device}"`);
  return identity;
}

export interface PlantOptions extends Omit<CloudOptions, "dialect" | "devices"> {
  readonly dialect?: CloudDialect;
  readonly authMethod?: AuthMethod;
  readonly more?: CloudOptions["devices"];
}

/** The registry of the vectors: `gw-01` with `sensor-7`, `pump-2` and `dev-1001` bound to it, `loose-9` not. */
export function openPlant({
  dialect = "google",
  authMethod,
  more = [],
  ...options
}: PlantOptions = {}): Promise<Cloud> {
  const device = (id: string) => ({ id, publicKeys: [identityOf(id).publicPem] });
  return openCloud({
    dialect,
    project: "acme-iot",
    location: "us-central1",
    registry: "plant-1",
    subscription: "sub-77",
    devices: [
      {
        id: "gw-01",
        publicKeys: [identityOf("gw-01").publicPem, gatewayRsa.publicPem],
        gateway: { ...(authMethod === undefined ? {} : { authMethod }) },
      },
      { ...device("gw-02"), gateway: {} },
      device("sensor-7"),
      device("pump-2"),
      device("loose-9"),
      device("dev-1001"),
      ...more,
    ],
    ...options,
  }).then((cloud) => {
    for (const bound of ["sensor-7", "pump-2", "dev-1001"]) cloud.bind("gw-01", bound);
    return cloud;
  });
}

export function connectPacket(
  cloud: Cloud,
  device: string,
  more: Partial<mqtt.IConnectPacket> & { token?: TokenRecipe } = {},
): mqtt.IConnectPacket {
  const { token, ...fields } = more;
  return {
    cmd: "connect",
    protocolId: "MQTT",
    protocolVersion: 4,
    clientId: cloud.clientIdOf(device),
    username: "unused",
    password: Buffer.from(mintToken(identityOf(device), token)),
    keepalive: 60,
    clean: true,
    ...fields,
  };
}

/** A raw client that is connected as `device`. */
export async function connectAs(
  cloud: Cloud,
  device: string,
  more: Parameters<typeof connectPacket>[2] = {},
): Promise<RawClient> {
  const client = await openRawClient(cloud.urls[0] ?? "");
  client.send(connectPacket(cloud, device, more));
  const { returnCode } = await client.next("connack");
  if (returnCode !== 0) throw new Error(`CONNACK ${returnCode}`);
  return client;
}

export function publish(
  topic: string,
  payload: string | Buffer,
  messageId: number,
  qos: 0 | 1 | 2 = 1,
): mqtt.IPublishPacket {
  return { cmd: "publish", topic, payload, qos, dup: false, retain: false, ...(qos === 0 ? {} : { messageId }) };
}

export function subscribe(
  messageId: number,
  ...filters: readonly (readonly [string, 0 | 1 | 2])[]
): mqtt.ISubscribePacket {
  return { cmd: "subscribe", messageId, subscriptions: filters.map(([topic, qos]) => ({ topic, qos })) };
}

/** What is heard on the errors topic, parsed. */
export function errorsIn(packets: readonly mqtt.Packet[]): Record<string, unknown>[] {
  return packets
    .filter((packet) => packet.cmd === "publish")
    .filter((packet) => packet.topic.endsWith("/errors"))
    .map((packet) => JSON.parse(packet.payload.toString()) as Record<string, unknown>);
}
