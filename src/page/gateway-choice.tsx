import type { BridgeStatus } from "../message/status.ts";
import { Choice } from "./choice.tsx";

/** Chooses one gateway, or all (empty). */
export function GatewayChoice(props: { status: BridgeStatus; value: string; onChoose: (gateway: string) => void }) {
  const { status, value, onChoose } = props;
  const ids = status.gateways.map(({ id }) => id);
  const values = value === "" || ids.includes(value) ? ids : [...ids, value];
  return <Choice label="Gateway" all="all" {...{ values, value, onChoose }} />;
}
