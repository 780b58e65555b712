import type { Command } from "commander";
import { Option } from "commander";
import { DragomanError } from "../errors.ts";
import { accessToken, isIotCore } from "./demo/identity.ts";
import { runDemoScript } from "./demo/script.ts";
import { traceLine } from "./demo/trace.ts";
import { type DemoWorld, openDemo } from "./demo/world.ts";
import type { Io } from "./io.ts";
import { openLog } from "./log.ts";
import { manual } from "./manual.ts";

interface DemoFlags {
  readonly pair: readonly [local: string, upstream: string];
  readonly port: number;
  readonly folder: string;
  readonly script: boolean;
}

/** `dragoman demo`: the bridge and a stand-in cloud in one process, for a first look. */
export function addDemoCommand(program: Command, io: Io): void {
  const port = new Option("--port <number>", "port for the gateway, 0 for any").env("PORT").argParser(parsePort);
  program
    .command("demo")
    .description("run the bridge in front of a stand-in cloud, and show each message as it was and as it became")
    .addOption(
      new Option("--pair <local:upstream>", "dialects of the gateway and of the cloud")
        .default(["thingsboard", "clearblade"], "thingsboard:clearblade")
        .argParser(parsePair),
    )
    .addOption(port.default(1883))
    .option("--folder <path>", "where the example configuration goes", "data/demo")
    .option("--script", "let a simulated gateway go through everything, then end", false)
    .addHelpText(
      "after",
      manual({
        examples: [
          "dragoman demo --port 1884",
          ["dragoman demo --pair google:thingsboard", "a gateway of Google IoT Core, a ThingsBoard behind"],
          ["dragoman demo --script", "all by itself, and then ends"],
        ],
        exitCodes: { 0: "ended as asked", 1: "could not run, or something did not arrive", 2: "wrong use" },
      }),
    )
    .action(async ({ pair: [local, upstream], port, folder, script }: DemoFlags) => {
      const world = await openDemo({
        local,
        upstream,
        folder,
        port: script ? 0 : port,
        log: openLog({ level: "warn" }, io),
        trace: (event) => void io.stdout.write(traceLine(event)),
      }).catch((error: unknown) => explainPort(error, port));
      try {
        if (script) io.exitCode = await runDemoScript(world, io);
        else await serve(world, { local, upstream, io });
      } finally {
        await world.close();
      }
    });
}

interface Serving {
  readonly local: string;
  readonly upstream: string;
  readonly io: Io;
}

async function serve(world: DemoWorld, { local, upstream, io }: Serving): Promise<void> {
  const http = await world.cloud.serve();
  const gateway = isIotCore(local) ? await world.connectGateway() : undefined;
  try {
    const stopped = new Promise<void>((resolve) => {
      io.onSignal("SIGINT", resolve);
      io.onSignal("SIGTERM", resolve);
    });
    const [listen = ""] = world.bridge.listen;
    io.stdout.write(`
dragoman stands between a gateway that speaks ${local} (${listen}) and a stand-in cloud that speaks ${upstream}.
Its configuration: ${world.configFile}
Its dashboard:     ${world.bridge.admin}/#trace
                   (open it first: the trace shows what passes while you look)
${gateway === undefined ? gatewayLines(new URL(listen).port) : simulatedLines}
Send a configuration and a command from the cloud (from another terminal):

${http.lines.map((line) => `  ${line}\n`).join("")}
What passes, as it was and as it became (Ctrl+C ends):

`);
    await gateway?.connectDevice();
    await gateway?.telemetry();
    await gateway?.state();
    await stopped;
  } finally {
    await gateway?.end();
    await http.close();
  }
}

const simulatedLines = "\nIts passwords are signed tokens, so a simulated gateway has connected for you.\n";

function gatewayLines(port: string): string {
  const publish = `npx mqtt pub -p ${port} -u ${accessToken} -q 1`;
  return `
Speak to it as a gateway would, in another terminal in this folder:

  ${publish} -t v1/gateway/connect -m '{"device":"Device A"}'
  ${publish} -t v1/gateway/telemetry -m '{"Device A":[{"ts":1483228800000,"values":{"t":42}}]}'

To hear what the cloud sends, stay connected as the gateway:

  npx mqtt sub -p ${port} -u ${accessToken} -q 1 -t v1/gateway/attributes -t v1/gateway/rpc
`;
}

function parsePair(text: string): readonly [string, string] {
  const [local, upstream, ...more] = text.split(":");
  if (local && upstream && more.length === 0) return [local, upstream];
  throw new DragomanError("ERR_USAGE", `Cannot show pair "${text}": wanted two dialects, such as "google:thingsboard"`);
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65535) return port;
  throw new DragomanError("ERR_USAGE", `Cannot use port "${text}": wanted a number from 0 to 65535`);
}

function explainPort(error: unknown, port: number): never {
  if (!(error instanceof DragomanError) || error.code !== "ERR_LISTEN") throw error;
  const usual = port === 1883 ? " (MQTT's usual port: a broker may run there)" : "";
  throw new DragomanError(
    "ERR_LISTEN",
    `Cannot listen on port ${port}: it is taken by another program${usual}; take another one with "npm start -- --port 1884" or "PORT=1884 npm start"`,
    { cause: error },
  );
}
