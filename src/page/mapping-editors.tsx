import { useRef } from "preact/hooks";
import type { PlaygroundDialect, PlaygroundMistake, PlaygroundText } from "../message/playground.ts";
import { shortPath } from "./format.ts";

/** Texts that are tried in place of the dialects' own. */
export type MappingTexts = Readonly<Partial<Record<PlaygroundText, string>>>;

export interface MappingEditorsProps {
  readonly local: PlaygroundDialect | undefined;
  readonly upstream: PlaygroundDialect | undefined;
  readonly texts: MappingTexts;
  readonly mistakes: readonly PlaygroundMistake[];
  readonly onChange: (texts: MappingTexts) => void;
}

/** The mapping texts, to be changed and tried. Nothing of it reaches the running bridge. */
export function MappingEditors({ local, upstream, texts, mistakes, onChange }: MappingEditorsProps) {
  const set = (where: PlaygroundText, text: string, original: string) => {
    const { [where]: _, ...others } = texts;
    onChange(text === original ? others : { ...others, [where]: text });
  };
  const editors: readonly { where: PlaygroundText; title: string; original: string }[] = [
    {
      where: "local",
      title: `The gateway's dialect: ${shortPath(local?.file ?? "none")}`,
      original: local?.mapping ?? "",
    },
    {
      where: "upstream",
      title: `The cloud's dialect: ${shortPath(upstream?.file ?? "none")}`,
      original: upstream?.mapping ?? "",
    },
    { where: "deployment", title: "Your plant's own mapping", original: "" },
  ];
  return (
    <>
      <h3>Change the mapping and see</h3>
      <p class="quiet">Only what is tried here changes; the running bridge keeps its own.</p>
      {editors.map(({ where, title, original }) => (
        <MappingEditor
          key={where}
          {...{ title, original }}
          text={texts[where] ?? original}
          mistakes={mistakes.filter((mistake) => mistake.where === where)}
          onChange={(text) => set(where, text, original)}
        />
      ))}
    </>
  );
}

interface MappingEditorProps {
  readonly title: string;
  readonly text: string;
  readonly original: string;
  readonly mistakes: readonly PlaygroundMistake[];
  readonly onChange: (text: string) => void;
}

function MappingEditor({ title, text, original, mistakes, onChange }: MappingEditorProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  const goTo = ({ line, column }: PlaygroundMistake) => {
    const before = text.split("\n").slice(0, line - 1);
    const at = before.reduce((sum, one) => sum + one.length + 1, 0) + column - 1;
    const { current } = area;
    if (current === null) return;
    current.focus();
    current.setSelectionRange(at, at + 1);
    current.scrollTop = (current.scrollHeight / text.split("\n").length) * Math.max(0, line - 4);
  };
  return (
    <details class="panel editor">
      <summary>
        {title} {text !== original && <span class="badge warn">changed</span>}{" "}
        {mistakes.length > 0 && <span class="badge bad">{mistakes.length} to look at</span>}
      </summary>
      {mistakes.length > 0 && (
        <ul class="mistakes">
          {mistakes.map((mistake) => (
            <li key={`${mistake.line}:${mistake.column} ${mistake.message}`}>
              <button type="button" class="link" onClick={() => goTo(mistake)}>
                {mistake.line}:{mistake.column}
              </button>{" "}
              {mistake.message}
            </li>
          ))}
        </ul>
      )}
      <textarea
        ref={area}
        class="mono"
        rows={20}
        spellcheck={false}
        wrap="off"
        aria-label={title}
        value={text}
        onInput={({ currentTarget }) => onChange(currentTarget.value)}
      />
      {text !== original && (
        <button type="button" onClick={() => onChange(original)}>
          Back to the original
        </button>
      )}
    </details>
  );
}
