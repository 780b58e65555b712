import { expect, test } from "vitest";
import { publish } from "../cloud/plant.ts";
import { openRawClient } from "../cloud/raw-client.ts";
import { start, stderrEvent } from "./start-cloud.ts";

test("dragoman cloud --dialect thingsboard prints what it receives and does what it is told on stdin and over HTTP", async () => {
  const cloud = start(
    ...["--dialect", "thingsboard", "--token", "gw-01=hush-hush", "--http", "http://127.0.0.1:0", "--verbose"],
  );
  await cloud.until(() => stderrEvent(cloud.logged, "ready") !== undefined);
  const ready = stderrEvent(cloud.logged, "ready") as { listen: string[]; http: string; gateways: string[] };
  expect(ready.gateways).toEqual(["gw-01"]);

  const client = await openRawClient(ready.listen[0] ?? "");
  client.send({ cmd: "connect", clientId: "c", username: "hush-hush", keepalive: 60, clean: true });
  await client.next("connack");
  client.send(publish("v1/gateway/connect", '{"device":"Device A","type":"pump"}', 1));
  client.send(publish("v1/gateway/telemetry", '{"Device A":[{"ts":5,"values":{"n":9007199254740993}}]}', 2));
  client.send(publish("v1/gateway/claim", '{"Device A":{"secretKey":"do not tell"}}', 3));
  client.send(publish("v1/gateway/elsewhere", "{}", 4));
  await cloud.until(() => cloud.printed.length === 3);
  const about = `"gateway":"gw-01","device":"Device A"`;
  expect(cloud.printed.map((line) => line.replace(/"at":"[^"]+",/, ""))).toEqual([
    `{${about},"kind":"attach","type":"pump","isImplied":false,"isNew":true,"isArmed":true}`,
    `{${about},"kind":"telemetry","tsMs":5,"isServerTime":false,"values":{"n":9007199254740993}}`,
    `{${about},"kind":"claim","secretKey":"(hidden)","durationMs":0}`,
  ]);
  await cloud.until(() => stderrEvent(cloud.logged, "mishap") !== undefined);

  cloud.stdin.write('{"shared":{"device":"Device A","values":{"interval":30}}}\n');
  expect((await client.next("publish")).payload.toString()).toBe('{"device":"Device A","data":{"interval":30}}');
  cloud.stdin.write('{"delete":{"device":"Device A","keys":["interval"]}}\n');
  expect((await client.next("publish")).payload.toString()).toBe(
    '{"device":"Device A","data":{"deleted":["interval"]}}',
  );
  cloud.stdin.write('{"rpc":{"device":"Device A","method":"setLed","params":12345678901234567890}}\n');
  expect((await client.next("publish")).payload.toString()).toBe(
    '{"device":"Device A","data":{"id":0,"method":"setLed","params":12345678901234567890}}',
  );
  client.send(publish("v1/gateway/rpc", '{"device":"Device A","id":0,"data":"ok"}', 5));
  await cloud.until(() => stderrEvent(cloud.logged, "command answered") !== undefined);
  expect(stderrEvent(cloud.logged, "command answered")).toMatchObject({ method: "setLed", reply: '"ok"' });
  cloud.stdin.write('{"rename":{"device":"Device A","to":"Device B"}}\n{"remove":{"device":"Device B"}}\n');
  cloud.stdin.write('nonsense\n{"rpc":{"device":"Device B"}}\n{"remove":{"device":"Device B"}}\n');
  await cloud.until(() => stderrEvent(cloud.logged, "order refused") !== undefined);
  expect(stderrEvent(cloud.logged, "order refused")).toMatchObject({
    reason: 'Cannot remove "Device B": no such device',
  });
  expect(cloud.logged.filter((line) => line.includes("order not understood"))).toHaveLength(2);

  const response = await fetch(`${ready.http}/devices/gw-01/shared`, { method: "PUT", body: '{"k":1.50}' });
  expect([response.status, await response.text()]).toEqual([200, '{"k":1.5}']);

  cloud.stop();
  await cloud.done;
  await client.closed;
  expect(cloud.io.exitCode).toBe(0);
  expect([...cloud.printed, ...cloud.logged].join("\n")).not.toMatch(/hush-hush|do not tell/);
});

test.each<[string, readonly string[], string]>([
  ["no token", [], 'Cannot stand in for "thingsboard": wanted "--token GATEWAY=TOKEN"'],
  ["a token without a gateway", ["--token", "hush-hush"], 'Cannot use "--token": wanted GATEWAY=TOKEN'],
  [
    "what belongs to other dialects",
    ["--token", "gw-01=t", "--device", "d"],
    'Cannot use "--device" with "thingsboard": gateways have tokens, and devices appear as they are attached',
  ],
])("dragoman cloud --dialect thingsboard refuses %s", async (_name, args, message) => {
  await expect(start("--dialect", "thingsboard", ...args).done).rejects.toMatchObject({ code: "ERR_USAGE", message });
});
