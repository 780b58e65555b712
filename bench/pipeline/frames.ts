/** MQTT control packet types (MQTT 3.1.1, 2.2.1) that the benchmark's own ends speak. */
export const packetType = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  subscribe: 8,
  suback: 9,
  pingreq: 12,
  pingresp: 13,
} as const;

/**
 * Cuts a byte stream into MQTT packets: `handle` gets each whole packet and where its body begins in it.
 *
 * The two ends of the benchmark share the machine with what is measured, so they do by hand what a codec would do.
 */
export function frameSplitter(handle: (packet: Buffer, bodyStart: number) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (;;) {
      const bodyStart = lengthEnd(bytes, at + 1);
      if (bodyStart < 0) break;
      const end = bodyStart + remainingLength(bytes, at + 1);
      if (end > bytes.length) break;
      handle(bytes.subarray(at, end), bodyStart - at);
      at = end;
    }
    rest = bytes.subarray(at);
  };
}

/** A CONNECT of MQTT 3.1.1 with a clean session and a user name. */
export function connectPacket(clientId: string, username: string): Buffer {
  const body = Buffer.concat([text("MQTT"), Buffer.from([4, 0b1000_0010, 0, 60]), text(clientId), text(username)]);
  return packet(packetType.connect << 4, body);
}

/** A PUBLISH at QoS 1, and where its packet identifier stands, to be filled in for each sending. */
export function publishTemplate(topic: string, payload: string): { readonly bytes: Buffer; readonly idAt: number } {
  const name = text(topic);
  const bytes = packet((packetType.publish << 4) | 0b10, Buffer.concat([name, Buffer.alloc(2), Buffer.from(payload)]));
  return { bytes, idAt: lengthEnd(bytes, 1) + name.length };
}

/** In front of the time at which a message was due, in its JSON. */
export const dueMark = '"due":';
const dueDigits = 16;

/** Writes a time in Unix milliseconds to where the template has zeros, as 16 digits of microseconds. */
export function writeDue(bytes: Buffer, at: number, unixMs: number): void {
  bytes.write(String(Math.round(unixMs * 1000)), at, dueDigits, "latin1");
}

/** The time in a packet that has one, Unix milliseconds. */
export function readDue(bytes: Buffer): number | undefined {
  const at = bytes.indexOf(dueMark);
  return at < 0
    ? undefined
    : Number(bytes.toString("latin1", at + dueMark.length, at + dueMark.length + dueDigits)) / 1000;
}

function packet(header: number, body: Buffer): Buffer {
  const length: number[] = [];
  let left = body.length;
  do {
    length.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    left >>= 7;
  } while (left > 0);
  return Buffer.concat([Buffer.from([header, ...length]), body]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

/** Where the remaining length that begins at `at` ends, or -1 while some of it is missing. */
function lengthEnd(bytes: Buffer, at: number): number {
  for (let i = at; i < bytes.length; i++) if ((bytes[i] ?? 0) < 0x80) return i + 1;
  return -1;
}

function remainingLength(bytes: Buffer, at: number): number {
  let length = 0;
  for (let i = at, shift = 0; ; i++, shift += 7) {
    const byte = bytes[i] ?? 0;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return length;
  }
}
