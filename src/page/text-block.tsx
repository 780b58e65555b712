import { laidOut } from "./format.ts";

/** A payload or a document, laid out where it is JSON. It scrolls when it is long, by keyboard too. */
export function TextBlock({ text, label }: { text: string; label: string }) {
  if (text === "") return <p class="quiet">(empty)</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <pre tabIndex={0} title={label}>
      {laidOut(text)}
    </pre>
  );
}
