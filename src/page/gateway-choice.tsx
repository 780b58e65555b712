import type { BridgeStatus } from "../message/status.ts";

/** Chooses one gateway, or all (empty). */
export function GatewayChoice(props: { status: BridgeStatus; value: string; onChoose: (gateway: string) => void }) {
  const { status, value, onChoose } = props;
  const ids = status.gateways.map(({ id }) => id);
  return (
    <label class="inline">
      Gateway
      <select value={value} onChange={({ currentTarget }) => onChoose(currentTarget.value)}>
        <option value="">all</option>
        {(value === "" || ids.includes(value) ? ids : [...ids, value]).map((id) => (
          <option key={id} value={id}>
            {id}
          </option>
        ))}
      </select>
    </label>
  );
}
