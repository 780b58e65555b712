import { createPublicKey } from "node:crypto";
import { join } from "node:path";
import { jwtVerify, SignJWT } from "jose";
import { expect, test } from "vitest";
import { runProgram } from "../../src/cli/program.ts";
import { reportLines } from "../../src/cli/token.ts";
import { inspectToken } from "../../src/upstream/token.ts";
import { configText, createWorkspace, keyFiles, tokenFile } from "../config/workspace.ts";
import { testIo } from "./test-io.ts";

const upstream =
  "{ dialect: clearblade, project: acme-iot, location: us-central1, registry: plant-1, tokenLifetime: 10m }";
const key = "privateKey: file:keys/p256.pem, algorithm: ES256";
const gateways = `[
  { id: plant-gw, local: { token: file:token }, upstream: { gateway: gw-01, ${key} } },
  { id: other-gw, local: { username: other }, upstream: { ${key} } }
]`;

async function token(args: readonly string[], sections: Readonly<Record<string, string>> = {}, stdin?: string) {
  const folder = createWorkspace({ ...tokenFile, "dragoman.yaml": configText({ upstream, ...sections }) });
  const io = testIo(stdin === undefined ? {} : { stdin });
  const code = await runProgram(["token", join(folder, "dragoman.yaml"), ...args], io);
  return { code, out: io.out(), err: io.err().replaceAll(`${folder}/`, "") };
}

test("token makes the JWT that the gateway would log in with", async () => {
  const { code, out, err } = await token([]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const publicKey = createPublicKey(keyFiles["keys/p256.pub.pem"] ?? "");
  const { payload, protectedHeader } = await jwtVerify(out.trim(), publicKey, { audience: "acme-iot" });
  expect(protectedHeader).toEqual({ alg: "ES256", typ: "JWT" });
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(600);
});

test("token --login prints all that the gateway connects with", async () => {
  const { code, out } = await token(["--login", "--gateway", "plant-gw"], { gateways });
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual({
    url: expect.stringMatching(/^mqtts:\/\/us-central1-mqtt\.clearblade\.com/),
    clientId: "projects/acme-iot/locations/us-central1/registries/plant-1/devices/gw-01",
    username: expect.any(String),
    password: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
    expiresAtMs: expect.any(Number),
  });
});

test("token wants to know which gateway where there are several", async () => {
  expect(await token([], { gateways })).toEqual({
    code: 2,
    out: "",
    err: 'dragoman: Cannot choose a gateway of "dragoman.yaml": found 2, wanted --gateway with one of "plant-gw", "other-gw"\n',
  });
  expect(await token(["--gateway", "none"], { gateways })).toEqual({
    code: 2,
    out: "",
    err: 'dragoman: Cannot choose gateway "none" of "dragoman.yaml": found no such gateway, wanted one of "plant-gw", "other-gw"\n',
  });
});

test("token tells mistakes in the configuration on stderr", async () => {
  expect(await token([], { log: "{ levl: info }" })).toEqual({
    code: 2,
    out: "",
    err: 'dragoman.yaml:4:8: log.levl: unknown key, did you mean "level"?\n',
  });
});

test("token --inspect - reads what token made", async () => {
  const made = await token([]);
  const { code, out } = await token(["--inspect", "-"], {}, `Bearer ${made.out}`);
  expect(code).toBe(0);
  expect(out).toContain("audience  acme-iot\n");
  expect(out).toContain("verdict   nothing to object to\n");
});

test("token --inspect says in human terms what is wrong, and ends with 1", async () => {
  const nowMs = Date.UTC(2026, 0, 2, 12);
  const iat = Date.UTC(2026, 0, 1, 10) / 1000;
  const jwt = await new SignJWT({ iat, exp: iat + 3600, aud: "acme" })
    .setProtectedHeader({ alg: "ES256", typ: "JWT" })
    .sign(
      await import("node:crypto").then(({ createPrivateKey }) => createPrivateKey(keyFiles["keys/p256.pem"] ?? "")),
    );
  expect(reportLines(inspectToken(jwt, nowMs), nowMs)).toEqual([
    'header    {"alg":"ES256","typ":"JWT"}',
    `claims    {"iat":${iat},"exp":${iat + 3600},"aud":"acme"}`,
    "audience  acme",
    "issued    2026-01-01T10:00:00Z (1d 2h ago)",
    "expires   2026-01-01T11:00:00Z (1d 1h ago)",
    "lifetime  1h 0m",
    "clock     2026-01-02T12:00:00Z on this machine; the clouds tolerate 10 minutes of difference",
    "signature not verified",
    "objection it has expired, more than 10 min ago",
  ]);
  expect((await token(["--inspect", jwt])).code).toBe(1);
});

test("token --inspect shows nothing of what is no token", async () => {
  expect(await token(["--inspect", "hunter2"])).toEqual({
    code: 2,
    out: "",
    err: "dragoman: Cannot read token: found no JWT, wanted three base64url parts joined by dots\n",
  });
});
