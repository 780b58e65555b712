interface ChoiceProps {
  readonly label: string;
  /** What no choice is called. */
  readonly all: string;
  readonly values: readonly string[];
  /** Empty: no choice. */
  readonly value: string;
  readonly onChoose: (value: string) => void;
}

/** Chooses one of some values, or none of them. */
export function Choice({ label, all, values, value, onChoose }: ChoiceProps) {
  return (
    <label class="inline">
      {label}
      <select value={value} onChange={({ currentTarget }) => onChoose(currentTarget.value)}>
        <option value="">{all}</option>
        {values.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
    </label>
  );
}
