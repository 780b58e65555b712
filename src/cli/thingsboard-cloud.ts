import {
  isThingsBoardReceived,
  type ThingsBoardReceived,
  type ThingsBoardRecord,
} from "../cloud/thingsboard/records.ts";
import { openThingsBoard, type ThingsBoardOptions } from "../cloud/thingsboard/thingsboard-cloud.ts";
import { serveThingsBoardHttp } from "../cloud/thingsboard/thingsboard-http.ts";
import { DragomanError } from "../errors.ts";
import { type JsonText, objectText, scalarText } from "../message/json.ts";
import { type CloudFlags, tlsFrom } from "./cloud-flags.ts";
import type { Io } from "./io.ts";
import { openLog } from "./log.ts";
import { runStandIn } from "./stand-in.ts";
import { runThingsBoardOrder } from "./thingsboard-order.ts";

/** Records that are held; all have been printed as they came. */
const keepRecords = 100;

/**
 * Runs `dragoman cloud --dialect thingsboard`.
 *
 * @throws {DragomanError} `ERR_USAGE`, `ERR_LISTEN`.
 */
export async function runThingsBoard(flags: CloudFlags, io: Io): Promise<void> {
  const options = await optionsFrom(flags);
  const log = openLog({ level: flags.verbose ? "debug" : "info" }, io);
  const onRecord = (record: ThingsBoardRecord) => {
    if (isThingsBoardReceived(record)) io.stdout.write(`${lineOf(record)}\n`);
    else logHappening(log, record);
  };
  const cloud = await openThingsBoard({ ...options, keepRecords, onRecord });
  await runStandIn(
    {
      cloud,
      ready: { gateways: options.devices.map(({ name }) => name) },
      ...(flags.http === undefined ? {} : { http: flags.http }),
      serveHttp: (url) => serveThingsBoardHttp(cloud, url),
      runOrder: (line) => runThingsBoardOrder(line, cloud),
    },
    { log, io },
  );
}

async function optionsFrom(flags: CloudFlags): Promise<ThingsBoardOptions> {
  for (const [flag, value] of Object.entries({
    "--gateway": flags.gateway,
    "--public-key": flags.publicKey,
    "--token-key": flags.tokenKey,
    "--device": flags.device,
  })) {
    if (value === undefined) continue;
    throw usage(
      `Cannot use "${flag}" with "thingsboard": gateways have tokens, and devices appear as they are attached`,
    );
  }
  if (flags.token === undefined) throw usage('Cannot stand in for "thingsboard": wanted "--token GATEWAY=TOKEN"');
  const tls = await tlsFrom(flags);
  return {
    ...(flags.listen === undefined ? {} : { listen: flags.listen }),
    ...(tls === undefined ? {} : { tls }),
    devices: flags.token.map((entry) => {
      const [, name, token] = /^([^=]+)=(.+)$/.exec(entry) ?? [];
      if (name === undefined || token === undefined) throw usage('Cannot use "--token": wanted GATEWAY=TOKEN');
      return { name, gateway: true, credentials: { kind: "token", token } };
    }),
  };
}

/** One received thing as it is printed. A claim's secret is not. */
function lineOf(record: ThingsBoardReceived): string {
  const { kind, at, connection: _connection, gateway, device, ...rest } = record;
  const members: [string, JsonText][] = [["at", scalarText(at)]];
  if (gateway !== undefined) members.push(["gateway", scalarText(gateway)]);
  members.push(["device", scalarText(device)], ["kind", scalarText(kind)]);
  for (const [name, value] of Object.entries(rest)) {
    if (name === "stored") continue;
    const isText = name === "values" || name === "params";
    const shown = name === "secretKey" && value !== "" ? "(hidden)" : value;
    members.push([name, isText ? (value as JsonText) : (JSON.stringify(shown) as JsonText)]);
  }
  return objectText(members);
}

function logHappening(log: ReturnType<typeof openLog>, record: Exclude<ThingsBoardRecord, ThingsBoardReceived>): void {
  const { kind, at: _at, ...fields } = record;
  switch (record.kind) {
    case "connected": {
      // The client id may be all a gateway proves itself with.
      const { connection, device, protocol, clean } = record;
      log.info({ connection, device, protocol, clean }, kind);
      return;
    }
    case "closed":
      log.info(fields, kind);
      return;
    case "refused":
    case "mishap":
      log.warn(fields, kind);
      return;
    case "sent": {
      const { payload, connection, to, topic, qos } = record;
      log.debug({ connection, to, topic, qos, bytes: payload.length }, kind);
      return;
    }
    default:
      log.debug(fields, kind);
  }
}

function usage(message: string): DragomanError {
  return new DragomanError("ERR_USAGE", message);
}
