import { Readable } from "node:stream";
import type { Client } from "aedes";
import type { Connection } from "./connection.ts";

/** An emitter for aedes that hears nothing and tells nobody. */
export const nowhere = {
  on(_topic: string, _listener: unknown, done?: () => void): void {
    done?.();
  },
  removeListener(_topic: string, _listener: unknown, done?: () => void): void {
    done?.();
  },
  emit(_packet: unknown, done?: () => void): void {
    done?.();
  },
  close(done: () => void): void {
    done();
  },
};

/**
 * A persistence for aedes that keeps nothing. Two of its questions are really messages of the client, and go to its
 * session: PUBACK (`outgoingClearMessageId`) and PUBREL (`incomingGetPacket`).
 */
export function createForgetfulPersistence(connections: ReadonlyMap<Client, Connection>): object {
  return {
    async setup(): Promise<void> {},
    async outgoingClearMessageId(client: Client, packet: { messageId: number; reasonCode?: number }): Promise<void> {
      connections.get(client)?.session?.acknowledge(packet.messageId, packet.reasonCode ?? 0);
    },
    async incomingGetPacket(client: Client, packet: { messageId: number }): Promise<void> {
      connections.get(client)?.session?.inbox.release(packet.messageId);
    },
    async cleanSubscriptions(): Promise<void> {},
    async delWill(): Promise<void> {},
    outgoingStream: (): Readable => Readable.from([]),
    streamWill: (): Readable => Readable.from([]),
  };
}
