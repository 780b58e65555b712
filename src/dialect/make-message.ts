import type { Message, MessageKind } from "../message/message.ts";

/** Makes a message of the fields whose bits are set. */
export type MakeMessage = (slots: readonly unknown[], bits: number) => Message;

/**
 * Compiles what makes the messages of a rule. Each is a copy of one that has the same fields: to add them one by one to
 * every message takes several times as long, and as much memory again.
 */
export function compileMake(
  kind: MessageKind,
  fields: readonly { readonly name: string; readonly slot: number }[],
): MakeMessage {
  const forms = new Map<number, Record<string, unknown>>();
  return (slots, bits) => {
    let form = forms.get(bits);
    if (form === undefined) {
      form = { kind };
      for (const [index, { name }] of fields.entries()) if (bits & (1 << index)) form[name] = undefined;
      forms.set(bits, form);
    }
    const message = { ...form };
    for (let index = 0; index < fields.length; index++) {
      const { name, slot } = fields[index] as (typeof fields)[number];
      if (bits & (1 << index)) message[name] = slots[slot];
    }
    return message as unknown as Message;
  };
}
