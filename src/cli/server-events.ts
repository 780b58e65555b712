/** One server-sent event (HTML Living Standard, 9.2). */
export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** The events of an answer as they come; ends with it. */
export async function* serverEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  let rest = "";
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const blocks = `${rest}${chunk}`.split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) yield eventIn(block);
  }
}

function eventIn(block: string): ServerEvent {
  const fields = block.split("\n").map((line) => /^([^:]*): ?(.*)$/.exec(line) ?? []);
  const all = (wanted: string) => fields.flatMap(([, name, value = ""]) => (name === wanted ? [value] : []));
  return { event: all("event").at(-1) ?? "message", data: all("data").join("\n") };
}
