import { randomUUID } from "node:crypto";
import type { IConnectPacket } from "mqtt-packet";
import { printControlPacket } from "../mqtt/control-packet.ts";

/** What a client said in CONNECT. */
export interface Greeting {
  readonly protocol: 3 | 4 | 5;
  readonly clientId: string;
  readonly username?: string;
  readonly password?: Uint8Array;
  /** Seconds; 0: none. */
  readonly keepalive: number;
  readonly receiveMaximum?: number;
  readonly maxPacketBytes?: number;
  readonly hasWill: boolean;
}

/** What a client may publish. */
export interface PublishLimits {
  readonly maxPacketBytes: number;
  /** The highest QoS of a PUBLISH; a higher one closes the connection. */
  readonly maxQos: 1 | 2;
}

/** MQTT 5 reason codes (2.4). */
const protocolError = 0x82;
const badAuthenticationMethod = 0x8c;

export function greetingOf(packet: IConnectPacket): Greeting {
  const { clientId, username, password, keepalive = 0, properties, will } = packet;
  return {
    protocol: levelOf(packet),
    clientId,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    keepalive,
    ...(properties?.receiveMaximum !== undefined && { receiveMaximum: properties.receiveMaximum }),
    ...(properties?.maximumPacketSize !== undefined && { maxPacketBytes: properties.maximumPacketSize }),
    hasWill: will !== undefined,
  };
}

/** What of it is needed once the client is let in. */
export function withoutCredentials({ protocol, clientId, keepalive, hasWill }: Greeting): Greeting {
  return { protocol, clientId, keepalive, hasWill };
}

/** Why a CONNECT that can be read cannot be taken, as a code of MQTT 5; earlier versions have nothing of the kind. */
export function faultOf({ properties = {} }: IConnectPacket): number | undefined {
  // MQTT 5, 3.1.2.11.3 and 3.1.2.11.4: with none of it nothing could be sent.
  if (properties.receiveMaximum === 0 || properties.maximumPacketSize === 0) return protocolError;
  if (properties.authenticationMethod !== undefined) return badAuthenticationMethod;
  return properties.authenticationData === undefined ? undefined : protocolError;
}

/**
 * The CONNACK of a client that is let in. There is never a session: a client that is told that its subscriptions are
 * still there, as ThingsBoard tells it, may not subscribe again (MQTT.js does not). MQTT 5 clients are told what would
 * close the connection: many keep a packet that they sent in vain, and send it again after each reconnect.
 */
export function connackFor({ protocol, clientId }: Greeting, limits: PublishLimits): Uint8Array {
  if (protocol !== 5) return Uint8Array.of(0x20, 2, 0, 0);
  // MQTT 5, 3.2.2.3.7: a client without an id is told the one it gets.
  const assigned = clientId === "" ? { assignedClientIdentifier: randomUUID() } : {};
  return printControlPacket(
    {
      cmd: "connack",
      sessionPresent: false,
      reasonCode: 0,
      properties: {
        sharedSubscriptionAvailable: false,
        maximumPacketSize: limits.maxPacketBytes,
        // MQTT 5, 3.2.2.3.4: 2 goes without saying.
        ...(limits.maxQos === 1 && { maximumQoS: 1 }),
        ...assigned,
      },
    },
    5,
  );
}

function levelOf({ protocolVersion }: IConnectPacket): 3 | 4 | 5 {
  return protocolVersion === 3 || protocolVersion === 5 ? protocolVersion : 4;
}
