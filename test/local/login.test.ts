import { afterEach, expect, test } from "vitest";
import { createCredentials, type Login, type LoginDecision } from "../../src/local/credentials.ts";
import { connectPacket, gateway, openRaw, secret, start, stopAll } from "./harness.ts";

afterEach(stopAll);

const gateways = [
  gateway("token", { token: secret("TOKEN") }),
  gateway("basic", { username: "user", password: secret("pass") }),
  gateway("pair", { username: "user", password: secret("pair"), clientId: "client" }),
  gateway("named", { clientId: "lonely" }),
  gateway("open", { username: "anybody" }),
];

function login(fields: {
  clientId?: string;
  username?: string;
  password?: string;
}): LoginDecision | Promise<LoginDecision> {
  const asked: Login = {
    protocol: 4,
    clientId: fields.clientId ?? "c",
    ...(fields.username !== undefined && { username: fields.username }),
    ...(fields.password !== undefined && { password: Buffer.from(fields.password) }),
  };
  return createCredentials(gateways, undefined, Date.now).authenticate(asked);
}

test.each([
  ["a token, whatever the password and client id", { username: "TOKEN", password: "x", clientId: "any" }, "token"],
  ["a token without a password", { username: "TOKEN" }, "token"],
  ["a user name and its password", { username: "user", password: "pass" }, "basic"],
  ["a user name of a certain client id", { username: "user", password: "pair", clientId: "client" }, "pair"],
  ["a client id alone", { clientId: "lonely" }, "named"],
  ["a client id alone, with an empty user name", { clientId: "lonely", username: "" }, "named"],
  ["a user name that has no password", { username: "anybody", password: "x" }, "open"],
])("the login of ThingsBoard accepts %s", (_what, fields, id) => {
  expect(login(fields)).toEqual({ kind: "accepted", gateway: id });
});

const wrong = { v3: 5, v5: 0x86 };
const notAuthorized = { v3: 5, v5: 0x87 };

test.each([
  ["a wrong token", { username: "TOKENX" }, wrong],
  ["a token as a client id", { clientId: "TOKEN" }, { v3: 2, v5: 0x85 }],
  ["a wrong password", { username: "user", password: "no" }, wrong],
  ["no password where there is one", { username: "user" }, wrong],
  [
    "the other credential of the user name, where the client id decides",
    { username: "user", password: "pass", clientId: "client" },
    wrong,
  ],
  ["a password alone", { password: "TOKEN", clientId: "" }, wrong],
  ["a client id alone that nobody has", { clientId: "stranger" }, { v3: 2, v5: 0x85 }],
  ["nothing", { clientId: " " }, notAuthorized],
  ["a request to be provisioned", { username: "provision", clientId: "" }, notAuthorized],
])("the login of ThingsBoard refuses %s", (_what, fields, connack) => {
  expect(login(fields)).toEqual({ kind: "refused", reason: expect.any(String), connack });
});

test("the login of ThingsBoard names no secret when it refuses", () => {
  for (const fields of [
    { username: "TOKENX", password: "PASSX" },
    { username: "user", password: "PASSX" },
  ]) {
    expect(JSON.stringify(login(fields))).not.toMatch(/TOKENX|PASSX/);
  }
});

test("createCredentials() refuses credentials that nobody could use", () => {
  expect(() => createCredentials([gateway("g", {})], undefined, Date.now)).toThrow(
    'Cannot let gateway "g" connect: found no credentials, wanted a token, a username, a clientId or a certificate',
  );
  expect(() => createCredentials([gateway("g", { certificate: "nonsense" })], undefined, Date.now)).toThrow(
    'Cannot read the certificate of gateway "g": not a certificate, wanted X.509 in PEM',
  );
});

test.each([
  [3, { username: "wrong" }, { returnCode: 5 }],
  [4, { username: "wrong" }, { returnCode: 5 }],
  [5, { username: "wrong" }, { reasonCode: 0x86 }],
  [4, { username: "wrong", password: Buffer.from("x") }, { returnCode: 5 }],
  [4, { clientId: "stranger" }, { returnCode: 2 }],
  [5, { clientId: "stranger" }, { reasonCode: 0x85 }],
  [5, { clientId: "" }, { reasonCode: 0x87 }],
  [4, { clientId: "" }, { returnCode: 5 }],
  [5, { username: "provision" }, { reasonCode: 0x87 }],
] as const)("openListener() refuses level %i %o with CONNACK and closes", async (protocol, fields, connack) => {
  const { port, told, heard } = await start();
  const client = openRaw(port, { protocol });
  client.send(connectPacket(protocol, fields));
  expect(await client.closed).toMatchObject([{ cmd: "connack", sessionPresent: false, ...connack }]);
  await heard("refused");
  expect(told.map(({ kind }) => kind)).toEqual(["refused"]);
});

test("openListener() lets a refused client's packets behind CONNECT come to nothing", async () => {
  const { port, told } = await start();
  const client = openRaw(port);
  client.socket.cork();
  client.send(connectPacket(4, { username: "wrong" }));
  client.send({
    cmd: "publish",
    topic: "v1/gateway/telemetry",
    payload: "x",
    qos: 1,
    messageId: 1,
    dup: false,
    retain: false,
  });
  client.socket.uncork();
  expect(await client.closed).toMatchObject([{ cmd: "connack", returnCode: 5 }]);
  expect(told.map(({ kind }) => kind)).toEqual(["refused"]);
});

test("openListener() leaves the gateway alone whose credentials another one guesses", async () => {
  const { port, heard, listener } = await start();
  const good = openRaw(port);
  good.send(connectPacket(4, { username: "T1", clientId: "same" }));
  await heard("connected");
  const bad = openRaw(port);
  bad.send(connectPacket(4, { username: "wrong", clientId: "same" }));
  await bad.closed;
  expect(listener.clients()).toHaveLength(1);
});
