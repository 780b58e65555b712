import { readFileSync } from "node:fs";
import { compileDialect } from "../../src/dialect/compile.ts";
import type { BoundDialect } from "../../src/dialect/dialect.ts";
import type { JsonText } from "../../src/message/json.ts";
import type { Telemetry } from "../../src/message/message.ts";
import type { Packet } from "../../src/message/packet.ts";
import { type Timing, timeInTurn } from "../timing.ts";

/** What a gateway with 64 devices sends: one device and one point per publish. */
const payloads = Array.from({ length: 64 }, (_, index) =>
  Buffer.from(
    `{"sensor-${index}":[{"ts":${1483228800000 + index},"values":{"temperature":21.5,"humidity":${40 + index},"status":"ok"}}]}`,
  ),
);

/** One-device telemetry from ThingsBoard to Google, by mapping files and by hand. */
export async function measure(): Promise<readonly Timing[]> {
  const local = bound("thingsboard");
  const upstream = bound("google");
  const payload = payloads[0] as Buffer;
  const made = madeFrom(local, payload);
  const rotations = [rotation(), rotation(), rotation(), rotation()] as const;
  const ns = timeInTurn({
    decode: () => local.decode("up", { topic: "v1/gateway/telemetry", payload: rotations[0]() }),
    parse: () => JSON.parse(rotations[1]().toString("utf8")),
    encode: () => upstream.encode(made),
    print: () => ({ topic: `/devices/${made.device}/events`, payload: made.body, qos: 1 }),
    both: () => translate(local, upstream, rotations[2]()),
    hand: () => translateByHand(rotations[3]()),
  });
  return [
    { name: "decode one device's telemetry", ns: ns.decode, against: "JSON.parse alone" },
    { name: "JSON.parse alone", ns: ns.parse },
    { name: "encode it, its body made", ns: ns.encode, against: "a topic by template literal" },
    { name: "a topic by template literal", ns: ns.print },
    { name: "decode + make the body + encode", ns: ns.both, against: "the same by hand in JavaScript" },
    { name: "the same by hand in JavaScript", ns: ns.hand },
  ];
}

function translate(local: BoundDialect, upstream: BoundDialect, payload: Uint8Array): Packet | undefined {
  const encoded = upstream.encode(madeFrom(local, payload));
  return encoded.kind === "packet" ? encoded.packet : undefined;
}

function madeFrom(local: BoundDialect, payload: Uint8Array): Telemetry {
  const decoded = local.decode("up", { topic: "v1/gateway/telemetry", payload });
  if (decoded.kind !== "messages") throw new Error(`Cannot read the packet: ${decoded.kind}`);
  const { device, points = [] } = decoded.messages[0] as Telemetry;
  let body = "[";
  for (const { ts, values } of points) body += `${body.length > 1 ? "," : ""}{"ts":${ts},"values":${values}}`;
  return { kind: "telemetry", ...(device === undefined ? {} : { device }), body: Buffer.from(`${body}]`) };
}

function translateByHand(payload: Buffer): Packet | undefined {
  const devices = JSON.parse(payload.toString("utf8")) as Record<string, { ts: number; values: JsonText }[]>;
  for (const [device, elements] of Object.entries(devices)) {
    const points = elements.map(({ ts, values }) => ({ ts, values }));
    return { topic: `/devices/${device}/events`, payload: Buffer.from(JSON.stringify(points)), qos: 1 };
  }
  return undefined;
}

function rotation(): () => Buffer {
  let turn = 0;
  return () => payloads[turn++ % payloads.length] as Buffer;
}

/** Mapping files are beside `bench/`, from where benchmarks are run. */
function bound(name: string): BoundDialect {
  const file = `mappings/${name}.yaml`;
  const compiled = compileDialect(name, [{ name, file, text: readFileSync(file, "utf8") }]);
  if ("mistakes" in compiled) throw new Error(`Cannot compile "${file}": ${compiled.mistakes[0]?.message}`);
  return compiled.dialect.bind({});
}
