import type { Command } from "commander";
import { readAttachToken } from "../cloud/attach.ts";
import { openCloud } from "../cloud/cloud.ts";
import { serveHttp } from "../cloud/http.ts";
import { type CloudRecord, isReceived, type Received } from "../cloud/records.ts";
import { authMethods } from "../cloud/registry.ts";
import { cloudDialects } from "../cloud/variant.ts";
import { textOrBase64 } from "../message/payload-text.ts";
import { type CloudFlags, cloudOptionsFrom } from "./cloud-flags.ts";
import { runOrder } from "./cloud-order.ts";
import type { Io } from "./io.ts";
import { openLog } from "./log.ts";
import { manual } from "./manual.ts";
import { runStandIn } from "./stand-in.ts";
import { runThingsBoard } from "./thingsboard-cloud.ts";

/** Records that are held; all have been printed as they came. */
const keepRecords = 100;

const collect = (value: string, previous: readonly string[] = []) => [...previous, value];

/** Adds `dragoman cloud`: a strict stand-in for a cloud, printing what it receives. */
export function addCloudCommand(program: Command, io: Io): void {
  program
    .command("cloud")
    .description("run a stand-in cloud that prints what it receives as JSON lines")
    .requiredOption("--dialect <dialect>", `which cloud: ${cloudDialects.join(", ")}, thingsboard`)
    .option(
      "--listen <url>",
      "where gateways connect, mqtt:// or mqtts://; repeatable (default mqtt://127.0.0.1:0)",
      collect,
    )
    .option("--project <id>", "project of the client ids (google, clearblade)")
    .option("--location <id>", "location of the client ids (google, clearblade)")
    .option("--registry <id>", "registry of the client ids, for omnicore also of the topics")
    .option("--subscription <id>", "subscription of the client ids (omnicore)")
    .option("--token <gateway=token>", "a gateway and its access token (thingsboard); repeatable", collect)
    .option("--gateway <id>", "the gateway that may connect (the others)")
    .option("--public-key <file>", "its public key or certificate, PEM; up to three", collect)
    .option("--device <id>", "a device bound to it; repeatable", collect)
    .option("--any-device", "create and bind whatever device is attached")
    .option("--auth-method <method>", `how devices are let in: ${authMethods.join(", ")}`, "ASSOCIATION_ONLY")
    .option("--token-key <device=file>", "public key of a device that attaches with a token; repeatable", collect)
    .option("--no-limits", "no limits on sizes, rates and attached devices")
    .option("--no-sink", "a registry without an event sink: the first event closes the connection")
    .option("--lenient", "answer a bad topic or filter with an error instead of closing")
    .option("--http <url>", "take configurations, attributes and commands over HTTP, http://HOST:PORT")
    .option("--tls-cert <file>", "certificate for mqtts://, PEM")
    .option("--tls-key <file>", "its private key, PEM")
    .option("--verbose", "log subscriptions, deliveries and acknowledgements too")
    .addHelpText("after", manual({ notes: orders, examples, exitCodes }))
    .action((flags: CloudFlags) =>
      flags.dialect === "thingsboard" ? runThingsBoard(flags, io) : runIotCore(flags, io),
    );
}

const orders = `What is received goes to stdout, what else happens to stderr. On stdin, one JSON object per line:
  {"config":{"device":"sensor-7","body":{"interval":30}}}
  {"command":{"device":"sensor-7","folder":"led","body":"on"}}
Over HTTP: GET /devices, PUT /devices/{id}/config, POST /devices/{id}/commands[/folder].

For thingsboard:
  {"shared":{"device":"Device A","values":{"interval":30}}}
  {"delete":{"device":"Device A","keys":["interval"]}}
  {"rpc":{"device":"Device A","method":"setLed","params":{"on":true},"timeout":5000}}
  {"rename":{"device":"Device A","to":"Device B"}}
  {"remove":{"device":"Device B"}}
Over HTTP: GET /devices, PUT /devices/{name}/shared, DELETE /devices/{name}/shared/{key}, POST /devices/{name}/rpc.`;

const examples = [
  "dragoman cloud --dialect clearblade --gateway gw-01 --public-key keys/gw-01.pub.pem --any-device --registry plant-1",
  "dragoman cloud --dialect thingsboard --token gw-01=a-token --listen mqtt://127.0.0.1:1884",
];

const exitCodes = { 0: "stopped as asked", 1: "could not run", 2: "wrong use" };

async function runIotCore(flags: CloudFlags, io: Io): Promise<void> {
  const options = await cloudOptionsFrom(flags);
  const log = openLog({ level: flags.verbose ? "debug" : "info" }, io);
  const onRecord = (record: CloudRecord) => {
    if (isReceived(record)) io.stdout.write(`${lineOf(record)}\n`);
    else logHappening(log, record);
  };
  const cloud = await openCloud({ ...options, keepRecords, onRecord });
  await runStandIn(
    {
      cloud,
      ready: { clientId: cloud.clientIdOf(flags.gateway ?? "") },
      ...(flags.http === undefined ? {} : { http: flags.http }),
      serveHttp: (url) => serveHttp(cloud, url),
      runOrder: (line) => runOrder(line, cloud),
    },
    { log, io },
  );
}

/** One received thing as it is printed. A device's token is not. */
function lineOf(record: Received): string {
  const { at, gateway, device, kind, folder, topic, payload } = record;
  const hidesToken = kind === "attach" && readAttachToken(payload) !== undefined;
  const body = hidesToken ? { payload: '{"authorization":"(hidden)"}' } : textOrBase64(payload);
  return JSON.stringify({ at, gateway, device, kind, folder, topic, ...body });
}

function logHappening(log: ReturnType<typeof openLog>, record: Exclude<CloudRecord, Received>): void {
  const { kind, at: _at, ...fields } = record;
  switch (record.kind) {
    case "connected":
    case "closed":
      log.info(fields, kind);
      return;
    case "refused":
    case "error":
    case "warning":
      log.warn(fields, kind);
      return;
    case "sent": {
      const { payload, connection, device, what, topic, qos, version } = record;
      log.debug({ connection, device, what, topic, qos, version, bytes: payload.length }, kind);
      return;
    }
    default:
      log.debug(fields, kind);
  }
}
