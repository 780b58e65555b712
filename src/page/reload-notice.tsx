import type { ReloadStatus } from "../message/status.ts";
import { ago, dateAndTime } from "./format.ts";

const looks: Readonly<Record<ReloadStatus["outcome"], { readonly grade: string; readonly text: string }>> = {
  applied: { grade: "good", text: "The changed configuration is in use" },
  "needs-restart": {
    grade: "warn",
    text: "The changed configuration is in use, but for what counts only after a restart",
  },
  refused: { grade: "bad", text: "The changed configuration was refused; the one before stays in use" },
};

/** What became of the last changed configuration, and where it is wrong. */
export function ReloadNotice({ reload, nowMs }: { reload: ReloadStatus; nowMs: number }) {
  const { outcome, atMs, mistakes = [], changes = [], needsRestart = [] } = reload;
  const { grade, text } = looks[outcome];
  return (
    <div class={`note ${grade}`}>
      <p>
        <b>{text}</b>, <time title={dateAndTime(atMs)}>{ago(atMs, nowMs)}</time>.
      </p>
      <Lines name="Mistakes" lines={mistakes} />
      <Lines name="Needs a restart" lines={needsRestart} />
      {mistakes.length === 0 && <Lines name="Changed" lines={changes.filter((one) => !needsRestart.includes(one))} />}
    </div>
  );
}

function Lines({ name, lines }: { name: string; lines: readonly string[] }) {
  if (lines.length === 0) return null;
  return (
    <div class="fact">
      <span class="quiet">{name}</span>
      <ul class="reasons">
        {lines.map((line) => (
          <li key={line}>
            <code>{line}</code>
          </li>
        ))}
      </ul>
    </div>
  );
}
