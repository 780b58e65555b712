import { describe, expect, onTestFinished, test } from "vitest";
import { type Identity, mintToken, type TokenRecipe } from "../cloud/identity.ts";
import { errorsIn, gatewayRsa, identityOf, publish, subscribe } from "../cloud/plant.ts";
import { openRawClient } from "../cloud/raw-client.ts";
import { openRegistryPlant, type RegistryPlant } from "./registry-plant.ts";

const hour = 3600;
const settling = 60_000;

/** Tokens that prove nothing, each made from what would be a good one of `owner`. */
function forgeriesOf(owner: string, aud: string): Readonly<Record<string, string>> {
  const mint = (recipe: TokenRecipe = {}, identity: Identity = identityOf(owner)) =>
    mintToken(identity, { aud, ...recipe });
  const [head = "", body = "", signature = ""] = mint().split(".");
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const unsigned = encode({ alg: "none", typ: "JWT" });
  const flipped = `${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
  return {
    none: `${unsigned}.${body}.`,
    "none, in other letters": `${encode({ alg: "nOnE", typ: "JWT" })}.${body}.`,
    "none, under a good signature": `${unsigned}.${body}.${signature}`,
    "HS256 with the public key as secret": mint({ alg: "HS256" }),
    "another's key": mint({}, identityOf(owner === "gw-01" ? "sensor-7" : "gw-01")),
    "another gateway's key": mint({}, identityOf("gw-02")),
    "a key of its own in the header": mint(
      { header: { jwk: identityOf("gw-02").privateKey.export({ format: "jwk" }), kid: "gw-01" } },
      identityOf("gw-02"),
    ),
    "expired, over the tolerance": mint({ iat: -2 * hour, exp: -660 }),
    "from the future": mint({ iat: 660, exp: hour }),
    "for 25 hours": mint({ exp: 25 * hour }),
    "without an end": mint({ claims: { exp: undefined } }),
    "without a signature": `${head}.${body}.`,
    "without a signature and its dot": `${head}.${body}`,
    "a signature of zeros": `${head}.${body}.${Buffer.alloc(64).toString("base64url")}`,
    "another signature": `${head}.${body}.${flipped}`,
    "other claims under a good signature": `${head}.${encode({ aud, iat: now, exp: now + hour + 1 })}.${signature}`,
    "huge, and signed": mint({ claims: { padding: "A".repeat(20_000) } }),
    "huge, and nothing": "A".repeat(60_000),
    nothing: "",
  };
}

/** What only some of the clouds object to. */
const objections = {
  google: ["another's audience", "no audience"],
  clearblade: ["another's audience", "no audience", "padded base64"],
  omnicore: [],
} as const;
const refusals = { google: 5, clearblade: 4, omnicore: 5 } as const;

function oddities(owner: string, aud: string): Readonly<Record<string, string>> {
  const mint = (recipe: TokenRecipe) => mintToken(identityOf(owner), { aud, ...recipe });
  return {
    "another's audience": mint({ aud: "another-project" }),
    "no audience": mint({ aud: null }),
    "padded base64": mint({ padded: true }),
  };
}

async function answerTo(plant: RegistryPlant, password: string): Promise<number | undefined> {
  const client = await openRawClient(plant.bridge.url);
  onTestFinished(() => client.end());
  const fields = { clientId: plant.clientIdOf("gw-01"), username: "unused", keepalive: 60, clean: true };
  client.send({ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, ...fields, password: Buffer.from(password) });
  const { returnCode } = await client.next("connack");
  if (returnCode !== 0) await client.closed;
  return returnCode;
}

describe.each(["google", "clearblade", "omnicore"] as const)("in the place of %s", (local) => {
  const aud = local === "omnicore" ? "sub-77" : "acme-iot";
  const refused: readonly string[] = objections[local];

  test("no forged token lets anybody in, nor ends the connection of who is there", async () => {
    const plant = await openRegistryPlant({ local });
    const rightful = await plant.connect("gw-01");
    const forgeries = forgeriesOf("gw-01", aud);
    for (const [what, password] of Object.entries({
      ...forgeries,
      "RS256 key, said to be ES256": mintToken(gatewayRsa, { aud, header: { alg: "ES256" } }),
    })) {
      expect([what, await answerTo(plant, password)]).toEqual([what, refusals[local]]);
    }
    const odd = Object.entries(oddities("gw-01", aud));
    for (const [what, password] of odd.filter(([name]) => refused.includes(name))) {
      expect([what, await answerTo(plant, password)]).toEqual([what, refusals[local]]);
    }
    await rightful.settle();
    expect(rightful.isClosed()).toBe(false);
    expectUntold(plant, Object.values(forgeries));
    for (const [what, password] of odd.filter(([name]) => !refused.includes(name))) {
      expect([what, await answerTo(plant, password)]).toEqual([what, 0]);
    }
    expect(await answerTo(plant, mintToken(gatewayRsa, { aud, alg: "RS256" }))).toBe(0);
    await rightful.closed;
  });

  test("no forged token attaches a device", async () => {
    const plant = await openRegistryPlant({ local, gateway: { authMethod: "DEVICE_AUTH_TOKEN_ONLY" } });
    const { topic } = plant;
    const gateway = await plant.connect("gw-01");
    gateway.send(subscribe(1, [topic("gw-01", "errors"), 0]));
    await gateway.next("suback");
    const odd = Object.entries(oddities("sensor-7", aud)).filter(([what]) => refused.includes(what));
    const tokens = [...Object.values(forgeriesOf("sensor-7", aud)), ...odd.map(([, token]) => token)];
    for (const [at, authorization] of tokens.entries()) {
      gateway.send(publish(topic("sensor-7", "attach"), JSON.stringify({ authorization }), 1000 + at));
      gateway.send(publish(topic("sensor-7", "attach"), `{ 'authorization' : ${authorization} }`, 2000 + at));
    }
    gateway.send(publish(topic("sensor-7", "events"), "x", 3000));
    gateway.send(publish(topic("gw-01", "events"), "settled", settling));
    while ((await gateway.next("puback")).messageId !== settling);
    const pubacks = gateway.heard.filter(({ cmd }) => cmd === "puback").map(({ messageId }) => messageId);
    expect(pubacks).toEqual([settling]);
    expect(errorsIn(gateway.heard).map((error) => [error["error_type"], error["packet_id"]])).toEqual([
      ...tokens.flatMap((_, at) => [
        ["GATEWAY_ATTACHMENT_ERROR", 1000 + at],
        ["GATEWAY_ATTACHMENT_ERROR", 2000 + at],
      ]),
      ["GATEWAY_DEVICE_NOT_FOUND", 3000],
    ]);
    const good = mintToken(identityOf("sensor-7"), { aud });
    gateway.send(publish(topic("sensor-7", "attach"), `{ 'authorization' : ${good} }`, 4000));
    expect(await gateway.next("puback")).toMatchObject({ messageId: 4000 });
    expect(await plant.cloud.next("attach")).toMatchObject({ device: "sensor-7", gateway: "gw-01" });
    expect(plant.cloud.records.filter(({ kind }) => kind === "attach")).toHaveLength(1);
    expectUntold(plant, [...tokens, good]);
  });
});

/** No part of a token may be in the log. */
function expectUntold({ bridge }: RegistryPlant, tokens: readonly string[]): void {
  const told = JSON.stringify(bridge.log.all);
  for (const part of tokens.flatMap((token) => token.split("."))) {
    if (part.length > 20) expect(told).not.toContain(part.slice(0, 200));
  }
}
