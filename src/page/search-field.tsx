interface SearchFieldProps {
  readonly label: string;
  readonly value: string;
  /** Told of every letter. */
  readonly onType?: (text: string) => void;
  /** Told once the text is whole: at Enter, or when the field is left. */
  readonly onEnter?: (text: string) => void;
}

/** What a view is searched by. */
export function SearchField({ label, value, onType, onEnter }: SearchFieldProps) {
  return (
    <label class="inline">
      {label}
      <input
        type="search"
        value={value}
        onInput={({ currentTarget }) => onType?.(currentTarget.value)}
        onChange={({ currentTarget }) => onEnter?.(currentTarget.value)}
      />
    </label>
  );
}
