import { useState } from "preact/hooks";
import type { RuleRef } from "../message/decoded.ts";
import type { Explained, Meaning, NearMiss, Reading } from "../message/explained.ts";
import { shortPath } from "./format.ts";

/** What a packet means to the rules, and what else nearly read it. */
export function ReadingInWords({ reading, mappedBy = [] }: { reading: Reading; mappedBy?: readonly RuleRef[] }) {
  const { rule, variables, messages, unread, nearMisses } = reading;
  const others = unread?.nearest === undefined ? nearMisses : nearMisses.slice(1);
  return (
    <>
      {unread !== undefined && <Unread unread={unread} />}
      <Meanings messages={messages} />
      <p class="quiet facts">
        {rule !== undefined && <RuleName rule={rule} />}
        {mappedBy.map((own) => (
          <RuleName key={`${own.file}:${own.line}`} rule={own} />
        ))}
      </p>
      <Variables variables={variables} />
      {others.length > 0 && (
        <details class="variables">
          <summary>other rules that nearly read it</summary>
          <ul class="plain">
            {others.map((miss) => (
              <li key={`${miss.file}:${miss.line}`}>
                <Near miss={miss} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

/** What a packet says, message by message. */
export function Meanings({ messages }: { messages: readonly Meaning[] }) {
  if (messages.length === 0) return null;
  return (
    <ul class="meanings">
      {messages.map(({ kind, device, text }, index) => (
        // By place: two messages may say the same.
        <li key={index}>
          <span class="badge kind">{kind}</span> {device !== undefined && <b>{device}</b>} <code>{text}</code>
        </li>
      ))}
    </ul>
  );
}

/** The rule that read or printed a packet, and where it stands. */
export function RuleName({ rule: { name, file, line } }: { rule: RuleRef }) {
  return (
    <span>
      rule <b>{name}</b> <Place {...{ file, line }} />
    </span>
  );
}

/** Where a rule stands: the file's name and folder, the whole path when pointed at. */
function Place({ file, line }: Pick<RuleRef, "file" | "line">) {
  return (
    <code title={`${file}:${line}`}>
      {shortPath(file)}:{line}
    </code>
  );
}

/** What the rule's variables were bound to. */
export function Variables({ variables }: { variables: Explained["variables"] | undefined }) {
  const [isOpen, setOpen] = useState(false);
  const entries = Object.entries(variables ?? {});
  if (entries.length === 0) return null;
  return (
    <details class="variables" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>variables</summary>
      <dl>
        {(isOpen ? entries : []).map(([name, value]) => (
          <div class="fact" key={name}>
            <dt>
              <code>{name}</code>
            </dt>
            <dd>
              <code>{value}</code>
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

/** Why a packet could not be read, and what nearly read it. */
export function Unread({ unread: { reason, nearest } }: { unread: NonNullable<Explained["unread"]> }) {
  return (
    <p class="note bad">
      {reason}
      {nearest !== undefined && (
        <>
          <br />
          nearest: <Near miss={nearest} />
        </>
      )}
    </p>
  );
}

/** A rule that nearly read it, and where they differ. */
function Near({ miss: { rule, file, line, topic, difference } }: { miss: NearMiss }) {
  return (
    <>
      rule <b>{rule}</b> <Place {...{ file, line }} /> <code>{topic}</code>: {difference}
    </>
  );
}
