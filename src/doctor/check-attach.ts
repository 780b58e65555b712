import { pairFor } from "../bridge/pairing.ts";
import type { Config, GatewayConfig } from "../config.ts";
import { compileNames, withNaming } from "../gateway/names.ts";
import type { DeviceId, ErrorReport } from "../message/message.ts";
import type { GatewayReport } from "../message/status.ts";
import { rankCauses } from "./causes.ts";
import type { Finding } from "./checkup.ts";
import { type Probe, patienceMs, within } from "./probe.ts";

export interface AttachOptions {
  readonly config: Config;
  readonly gateway: GatewayConfig;
  /** As the gateway calls it. */
  readonly device: string;
  readonly probe: Probe;
}

/** Attaches a device, waits until the cloud could not take it back any more, and leaves it to the end of the connection to detach it. */
export async function attach({ config, gateway, device, probe }: AttachOptions): Promise<Finding> {
  const { upstream, engine } = pairFor(config, gateway);
  const { diagnosis } = config.upstream.dialect;
  const named = withNaming(compileNames(config.upstream.dialect.ids), engine.naming).toUpstream(device as DeviceId);
  if ("problem" in named) return { outcome: "fail", found: `"${device}" cannot be attached: ${named.problem}` };
  const encoded = upstream.encode({ kind: "attach", device: named.id });
  if (encoded.kind !== "packet") return { outcome: "fail", found: `"${device}" cannot be attached: ${encoded.reason}` };
  const timeoutMs = Math.min(config.upstream.options.attachTimeout, patienceMs);
  const details = [`sent ${encoded.packet.topic}`];
  const failed = (found: string, answer: string): Finding => ({
    ...{ outcome: "fail", found, details, causes: rankCauses(diagnosis, { stage: "attach", answer }) },
  });

  const error = probe
    .heard((packet) => {
      const decoded = upstream.decode("down", packet);
      if (decoded.kind !== "messages") return undefined;
      return decoded.messages.find((one): one is ErrorReport => one.kind === "error" && one.device === named.id);
    })
    .then(({ code, description }) => failed(`the cloud says ${code}: ${description}`, code));
  const ended = probe.ended.then(({ reason, detail }) => failed(detail, reason));
  const taken = probe.publish(encoded.packet);
  const first = await within<Finding | number>(timeoutMs, taken, error, ended);
  if (first === undefined) return failed(`neither PUBACK nor error within ${timeoutMs / 1000} s`, "silent");
  if (typeof first !== "number") return first;
  if (first >= 0x80) return failed(`the cloud refused it with PUBACK ${first}`, `puback-${first}`);
  // Where errors come on a topic, one can still come after the PUBACK.
  const settleMs = upstream.filtersFor("error").length === 0 ? 0 : config.upstream.options.settle;
  const late = await within(settleMs, error, ended);
  const isTold = config.upstream.dialect.traits.errors === "topic" || probe.protocol === 5;
  const doubt =
    "the cloud acknowledged it, which at MQTT 3.1.1 it does also where it could not attach; MQTT 5 would tell";
  return late ?? { outcome: "ok", found: isTold ? `attached as "${named.id}"` : doubt, details };
}

/** What a running bridge knows of the device's attachment. */
export function attachedByBridge({ devices }: GatewayReport, { upstream }: Config, device: string): Finding {
  const known = devices.find(({ name }) => name === device);
  if (known === undefined) {
    return { outcome: "warn", found: "the running bridge has not heard of it since it was started" };
  }
  const { state, reason } = known;
  const found = `the running bridge says: ${state}${reason === undefined ? "" : `, ${reason}`}`;
  if (state === "attached") return { outcome: "ok", found };
  if (state !== "held") return { outcome: "warn", found };
  const answer = reason?.split(/[:,; ]/)[0] ?? "default";
  return { outcome: "fail", found, causes: rankCauses(upstream.dialect.diagnosis, { stage: "attach", answer }) };
}
