import type { Command } from "commander";
import { adminSchema } from "../admin/options.ts";
import { messageKinds } from "../dialect/vocabulary.ts";
import { DragomanError } from "../errors.ts";
import type { BridgeStatus } from "../message/status.ts";
import type { TraceFilter, TraceLine } from "../message/trace.ts";
import { adminUrl, askAdmin, whyRefused, whyUnreachable } from "./admin-client.ts";
import type { Io } from "./io.ts";
import { manual } from "./manual.ts";
import { type ServerEvent, serverEvents } from "./server-events.ts";
import { tracedText } from "./tail-text.ts";

interface TailFlags extends TraceFilter {
  readonly url: string;
  readonly token?: string;
  readonly json?: boolean;
}

/** Adds `dragoman tail`: every packet of a running bridge as it passes. */
export function addTailCommand(program: Command, io: Io): void {
  program
    .command("tail")
    .description("show packets of a running bridge as they pass, what they mean, and which rules read and print them")
    .option("--gateway <id>", "only packets of this gateway")
    .option("--device <name>", "only packets about this device, by its local name")
    .option("--kind <kind>", `only messages of this kind: ${messageKinds.join(", ")}`)
    .option("--json", "print a JSON line for each packet")
    .option("--url <url>", "where its admin server listens", adminSchema.properties.listen.default)
    .option("--token <token>", "its token; DRAGOMAN_ADMIN_TOKEN keeps it out of process lists")
    .addHelpText(
      "after",
      manual({
        notes: `Secrets are masked as •••, and so is what nobody understood. Packets beyond some hundred a second are counted, not shown.`,
        examples: ["dragoman tail", 'dragoman tail --device "Device A" --kind telemetry'],
        exitCodes: {
          0: "interrupted",
          1: "not reachable, or the bridge has ended",
          2: "no such gateway or kind, or wrong use",
        },
      }),
    )
    .action(async (flags: TailFlags) => tail(flags, io));
}

async function tail(flags: TailFlags, io: Io): Promise<void> {
  const { gateway, device, kind } = flags;
  if (kind !== undefined && !messageKinds.some((known) => known === kind)) {
    throw new DragomanError("ERR_USAGE", `Cannot show kind "${kind}": wanted one of ${messageKinds.join(", ")}`);
  }
  const stopped = new AbortController();
  const stop = () => stopped.abort();
  const offs = [io.onSignal("SIGINT", stop), io.onSignal("SIGTERM", stop)];
  try {
    const body = await openTrace(flags, { gateway, device, kind }, io, stopped.signal);
    for await (const event of serverEvents(body)) show(event, flags, io);
  } catch (error) {
    if (stopped.signal.aborted) return;
    if (error instanceof DragomanError) throw error;
    throw new DragomanError("ERR_ADMIN", `Cannot go on reading from "${flags.url}": ${whyUnreachable(error)}`, {
      cause: error,
    });
  } finally {
    for (const off of offs) off();
  }
  if (stopped.signal.aborted) return;
  throw new DragomanError("ERR_ADMIN", `Cannot go on reading from "${flags.url}": the bridge has ended the connection`);
}

async function openTrace(
  { url: base, token = "" }: TailFlags,
  filter: { readonly [key in keyof TraceFilter]: string | undefined },
  io: Io,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const url = adminUrl(base, "/events");
  url.searchParams.set("trace", "1");
  for (const [name, value] of Object.entries(filter)) if (value !== undefined) url.searchParams.set(name, value);
  const given = token || io.env["DRAGOMAN_ADMIN_TOKEN"] || undefined;
  const attempt = `Cannot read the trace from "${base}"`;
  const response = await askAdmin(url, { token: given, signal }).catch((error: unknown) => {
    throw new DragomanError("ERR_ADMIN", `${attempt}: ${whyUnreachable(error)}`, { cause: error });
  });
  const refusal = whyRefused(response.status, given);
  if (refusal !== undefined) throw new DragomanError("ERR_ADMIN", `${attempt}: ${refusal}`);
  const isEvents = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
  if (isEvents && response.body !== null) return response.body;
  throw new DragomanError("ERR_ADMIN", `${attempt}: what answers there is not the admin server of a dragoman`);
}

function show({ event, data }: ServerEvent, { gateway, json }: TailFlags, io: Io): void {
  switch (event) {
    case "status":
      if (gateway !== undefined) checkGateway(gateway, JSON.parse(data) as BridgeStatus);
      return;
    case "trace":
      for (const line of JSON.parse(data) as readonly TraceLine[]) {
        const isColoured = io.stdout.isTTY === true && !io.env["NO_COLOR"];
        io.stdout.write(json ? `${JSON.stringify(line)}\n` : tracedText(line, { isColoured }));
      }
      return;
    case "missed":
      io.stderr.write(`dragoman: ${(JSON.parse(data) as { count: number }).count} packets are not shown: too many\n`);
  }
}

/** A slip in the name would show nothing, for ever. */
function checkGateway(id: string, { gateways }: BridgeStatus): void {
  if (gateways.some((gateway) => gateway.id === id)) return;
  const known = gateways.map((gateway) => `"${gateway.id}"`).join(", ");
  throw new DragomanError("ERR_USAGE", `Cannot find gateway "${id}": wanted one of ${known}`);
}
