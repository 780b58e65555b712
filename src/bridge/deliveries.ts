import type { DeploymentSession } from "../dialect/deployment/deployment.ts";
import type { BoundDialect } from "../dialect/dialect.ts";
import type { DeliveryOutcome, GatewayEffect } from "../gateway/event.ts";
import type { LocalListener } from "../local/listener.ts";
import type { Log } from "../message/log.ts";
import type { DeviceId } from "../message/message.ts";
import type { LinkTrace } from "./link-trace.ts";

type Deliver = Extract<GatewayEffect, { kind: "deliver" }>;

export interface DeliveriesParts {
  /** The gateway's. */
  readonly id: string;
  readonly mapping?: DeploymentSession | undefined;
  readonly deliver: LocalListener["deliver"];
  readonly revoke: LocalListener["revoke"];
  readonly log: Log;
  readonly trace: LinkTrace;
  /** Counts what is on its way. */
  readonly underWay: { deliveries: number };
  /** The dialect as the connected gateway speaks it. */
  readonly dialect: () => BoundDialect;
  readonly delivered: (token: number, outcome: DeliveryOutcome) => void;
  readonly failed: (effect: Deliver, error: unknown) => void;
}

/** What goes to the gateway: put into its words, printed, and handed to the listener. */
export class Deliveries {
  readonly #parts: DeliveriesParts;

  constructor(parts: DeliveriesParts) {
    this.#parts = parts;
  }

  give(effect: Deliver): void {
    const { deliver, delivered, dialect, failed, id, log, mapping, trace, underWay } = this.#parts;
    const { token } = effect;
    const inward = mapping?.inward(effect.message) ?? effect;
    if (inward.kind === "nothing") {
      delivered(token, "written");
      return;
    }
    const encoded = inward.kind === "unrepresentable" ? inward : dialect().encode(inward.message);
    if (encoded.kind === "unrepresentable") {
      log.warn({ gateway: id, reason: encoded.reason }, "not-representable");
      delivered(token, "unrepresentable");
      return;
    }
    trace.goesDown(encoded, "message" in inward ? inward.message : effect.message);
    const options = {
      needsSubscription: encoded.needsSubscription,
      ...(effect.connection === undefined ? {} : { connection: effect.connection }),
    };
    underWay.deliveries += 1;
    deliver(id, encoded.packet, options)
      .then(
        (outcome) => delivered(token, outcome),
        (error: unknown) => failed(effect, error),
      )
      .finally(() => {
        underWay.deliveries -= 1;
      });
    for (const topic of encoded.copies ?? []) {
      deliver(id, { ...encoded.packet, topic }, { ...options, needsSubscription: true }).catch(() => undefined);
    }
  }

  /** The gateway hears nothing more of these devices until it subscribes again. */
  revoke(devices: readonly DeviceId[]): void {
    const dialect = this.#parts.dialect();
    this.#parts.revoke(this.#parts.id, (filter) => {
      const device = dialect.subscribable(filter)?.device;
      return device !== undefined && devices.includes(device);
    });
  }
}
