import { generate, type Packet as MqttPacket, parser, writeToStream } from "mqtt-packet";

// It would make a buffer for each of the 65536 packet ids at the first one: 10 MB, for packets that are rare here.
writeToStream.cacheNumbers = false;

/** Prints a packet by mqtt-packet; it may throw where a packet cannot be. What is written most is written without it. */
export function printControlPacket(packet: MqttPacket, protocol: 3 | 4 | 5): Buffer {
  return generate(packet, { protocolVersion: protocol });
}

/**
 * Reads one whole packet by mqtt-packet, which knows all types and properties. PUBLISH and PUBACK, which are nearly all
 * of the traffic, are read without it.
 *
 * @param header The first byte.
 * @param body What comes after the remaining length.
 * @returns The packet, or what is wrong with it.
 */
export function readControlPacket(header: number, body: Uint8Array, protocol: 3 | 4 | 5): MqttPacket | Error {
  let found: MqttPacket | Error | undefined;
  const reader = parser({ protocolVersion: protocol });
  reader.on("packet", (packet) => {
    found ??= packet;
  });
  reader.on("error", (error: Error) => {
    found ??= error;
  });
  try {
    reader.parse(withHeader(header, body));
  } catch (error) {
    // It reads past the end of some truncated properties.
    found ??= error instanceof Error ? error : new Error(String(error));
  }
  found ??= new Error("the packet is not all there");
  const fault = found instanceof Error ? undefined : faultOf(found);
  return fault === undefined ? found : new Error(fault);
}

/** What mqtt-packet lets pass. */
function faultOf(packet: MqttPacket): string | undefined {
  if (packet.messageId === -1) return "a packet without its packet id";
  const { cmd, properties = {} } = "properties" in packet ? packet : { cmd: packet.cmd };
  for (const [name, value] of Object.entries(properties)) {
    // MQTT 5, 3.3.2.3.8: the one property that may stand there several times, apart from those of the user.
    const mayRepeat = cmd === "publish" && name === "subscriptionIdentifier";
    if (Array.isArray(value) && !mayRepeat) return `the property ${name} more than once`;
  }
  return undefined;
}

function withHeader(header: number, body: Uint8Array): Buffer {
  const length: number[] = [];
  let rest = body.length;
  for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([header, ...length, rest]), body]);
}
