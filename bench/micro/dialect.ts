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

const byHand = "the same by hand in JavaScript";

/** One-device telemetry from ThingsBoard to Google, by mapping files and by hand; the limit is twice the time by hand. */
export async function measure(): Promise<readonly Timing[]> {
  const local = bound("thingsboard");
  const upstream = bound("google");
  const next = rotation();
  const nextByHand = rotation();
  const ns = timeInTurn({
    dialects: () => translate(local, upstream, next()),
    hand: () => translateByHand(nextByHand()),
  });
  return [
    { name: "decode + encode of one device's telemetry", ns: ns.dialects, against: byHand },
    { name: byHand, ns: ns.hand },
  ];
}

function translate(local: BoundDialect, upstream: BoundDialect, payload: Uint8Array): Packet | undefined {
  const decoded = local.decode("up", { topic: "v1/gateway/telemetry", payload });
  if (decoded.kind !== "messages") return undefined;
  const { device, points = [] } = decoded.messages[0] as Telemetry;
  let body = "[";
  for (const { ts, values } of points) body += `${body.length > 1 ? "," : ""}{"ts":${ts},"values":${values}}`;
  const message: Telemetry = {
    kind: "telemetry",
    ...(device === undefined ? {} : { device }),
    body: Buffer.from(`${body}]`),
  };
  const encoded = upstream.encode(message);
  return encoded.kind === "packet" ? encoded.packet : undefined;
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
