import { EventEmitter } from "node:events";
import type { Client } from "aedes";
import type { IPacket, ISubscribePacket, IUnsubscribePacket, Parser } from "mqtt-packet";
import type { BrokerOptions } from "./broker.ts";
import type { Connection } from "./connection.ts";
import { isTopicName } from "./topic-filter.ts";

/** Topic of packets that aedes must let through to `authorizePublish`, where we deal with them. No client's topic has it. */
export const inDisguise = "\0";

/** MQTT 5 reason codes (2.4). */
const malformedPacket = 0x81;
const protocolError = 0x82;
const packetTooLarge = 0x95;

/**
 * Stands between the parser and aedes, where aedes has no hook:
 * - it answers refused filters with the wrong code, closes on malformed ones and has no say in the granted QoS;
 * - it takes packets of any size, or else announces a limit that the real cloud does not announce;
 * - it takes part in QoS 2 though the cloud does not;
 * - it lets exceptions of the parser (for garbage) end the process, and closes without a reason code.
 */
export function screen(
  client: Client,
  connection: Connection,
  { maxPacketBytes, maxQos, now }: Pick<BrokerOptions, "maxPacketBytes" | "maxQos" | "now">,
): void {
  if (!hasParser(client)) throw new Error("aedes has changed: a client has no parser");
  const parser = client._parser;
  const [take] = parser.listeners("packet");
  const parse = parser.parse;
  if (take === undefined) throw new Error("aedes has changed: a client does not listen to its parser");

  const tooLarge = (): void => connection.end(packetTooLarge, "packet too large");
  const malformed = (error: Error): void => connection.end(malformedPacket, `malformed: ${error.message}`);

  parser.parse = (bytes) => {
    try {
      const rest = parse.call(parser, bytes);
      // The header of a packet that is not all there says how much is to come.
      if ((parser.packet.length ?? 0) > maxPacketBytes) tooLarge();
      return rest;
    } catch (error) {
      malformed(error instanceof Error ? error : new Error(String(error)));
      return 0;
    }
  };
  parser.removeAllListeners("error");
  parser.on("error", malformed);
  parser.removeAllListeners("packet");
  parser.on("packet", (packet) => {
    if (connection.isEnded) return;
    connection.heardMs = now();
    if ((packet.length ?? 0) > maxPacketBytes) {
      tooLarge();
      return;
    }
    switch (packet.cmd) {
      case "publish":
        if (!isTopicName(packet.topic) && packet.properties?.topicAlias === undefined) packet.topic = inDisguise;
        break;
      case "subscribe":
      case "unsubscribe":
        if (isEmpty(packet) || !packet.messageId)
          return connection.end(protocolError, "empty SUBSCRIBE or UNSUBSCRIBE");
        Object.assign(packet, { cmd: "publish", topic: inDisguise, payload: nothing });
        break;
      case "pubrec":
      case "pubrel":
      case "pubcomp":
        if (maxQos === 2) break;
        connection.session?.stray(packet.cmd.toUpperCase(), packet.messageId ?? 0);
        return;
      case "disconnect":
        connection.reason ??= "disconnect";
        break;
    }
    take.call(parser, packet);
  });
}

const nothing = Buffer.alloc(0);

function isEmpty(packet: ISubscribePacket | IUnsubscribePacket): boolean {
  return packet.cmd === "subscribe" ? packet.subscriptions.length === 0 : packet.unsubscriptions.length === 0;
}

function hasParser(client: object): client is { readonly _parser: Parser & { packet: IPacket } } {
  return "_parser" in client && client._parser instanceof EventEmitter;
}
