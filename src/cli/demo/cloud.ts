import { openCloud } from "../../cloud/cloud.ts";
import { serveHttp } from "../../cloud/http.ts";
import { openThingsBoard } from "../../cloud/thingsboard/thingsboard-cloud.ts";
import { serveThingsBoardHttp } from "../../cloud/thingsboard/thingsboard-http.ts";
import { accessToken, gatewayId, type IotCoreDialect, place } from "./identity.ts";

/** A stand-in cloud, as far as the demo goes. Each promise resolves when the cloud has seen what it is about. */
export interface DemoCloud {
  readonly url: string;
  attached(): Promise<unknown>;
  telemetry(): Promise<unknown>;
  state(): Promise<unknown>;
  /** Sends a configuration. */
  configure(): void;
  /** Whether the gateway's acknowledgement of it comes back, in this cloud. */
  configured(): Promise<unknown>;
  /** Sends a command. */
  command(): void;
  /** The answer to it, as far as this cloud's commands have one. */
  answered(): Promise<unknown>;
  /** Lets configurations and commands be sent over HTTP; gives what to paste for that. */
  serve(): Promise<{ readonly lines: readonly string[]; close(): Promise<void> }>;
  close(): Promise<void>;
}

/**
 * A stand-in of the IoT Core family.
 *
 * @param device The id that the demo's device has there.
 * @param isAnswered Whether the gateway answers commands, so that the answer comes up as telemetry.
 */
export async function openIotCoreDemo(
  dialect: IotCoreDialect,
  {
    publicKey,
    device,
    isAnswered,
  }: { readonly publicKey: string; readonly device: string; readonly isAnswered: boolean },
): Promise<DemoCloud> {
  const devices = [{ id: gatewayId, gateway: {}, publicKeys: [publicKey] }];
  const cloud = await openCloud({ dialect, ...place, devices, anyDevice: true });
  const isOurs = (record: { readonly device: string }) => record.device === device;
  return {
    url: cloud.urls[0] ?? "",
    attached: () => cloud.next("attach", isOurs),
    telemetry: () => cloud.next("telemetry", isOurs),
    state: () => cloud.next("state", isOurs),
    configure: () => void cloud.setConfig(device, '{"interval":30}'),
    configured: () =>
      cloud.next("acknowledged", (record) => isOurs(record) && record.what === "config" && record.version === 2),
    command: () => void cloud.sendCommand(device, '{"method":"setLed","params":{"on":true},"id":"c-1"}'),
    answered: () =>
      isAnswered
        ? cloud.next("telemetry", (record) => isOurs(record) && record.folder === "responses")
        : cloud.next("acknowledged", (record) => isOurs(record) && record.what === "command"),
    async serve() {
      const http = await serveHttp(cloud, "http://127.0.0.1:0");
      const path = `${http.url}/devices/${encodeURIComponent(device)}`;
      return {
        lines: [
          `curl -X PUT  ${path}/config -d '{"interval":30}'`,
          `curl -X POST ${path}/commands -d '{"method":"setLed","params":{"on":true}}'`,
        ],
        close: http.close,
      };
    },
    close: () => cloud.close(),
  };
}

/** A stand-in ThingsBoard. @param device The name of the demo's device. */
export async function openThingsBoardDemo({ device }: { readonly device: string }): Promise<DemoCloud> {
  const cloud = await openThingsBoard({
    devices: [{ name: gatewayId, gateway: true, credentials: { kind: "token", token: accessToken } }],
  });
  const isOurs = (record: { readonly device: string }) => record.device === device;
  let answer: Promise<unknown> = Promise.resolve();
  return {
    url: cloud.urls[0] ?? "",
    attached: () => cloud.next("attach", isOurs),
    telemetry: () => cloud.next("telemetry", isOurs),
    state: () => cloud.next("attributes", isOurs),
    configure: () => cloud.setShared(device, '{"interval":30}'),
    configured: async () => undefined,
    command() {
      answer = cloud.sendRpc(device, "setLed", '{"on":true}').then((outcome) => {
        if (outcome.kind !== "reply") throw new Error(`The command ended as "${outcome.kind}"`);
      });
      answer.catch(() => undefined);
    },
    answered: () => answer,
    async serve() {
      const http = await serveThingsBoardHttp(cloud, "http://127.0.0.1:0");
      const path = `${http.url}/devices/${encodeURIComponent(device)}`;
      return {
        lines: [
          `curl -X PUT  ${path}/shared -d '{"interval":30}'`,
          `curl -X POST ${path}/rpc -d '{"method":"setLed","params":{"on":true}}'`,
        ],
        close: http.close,
      };
    },
    close: () => cloud.close(),
  };
}
