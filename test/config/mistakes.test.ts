// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to the environment are what is tested.
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config.ts";
import { dialectNamed } from "../../src/mappings.ts";
import { configText, mistakesIn, type Situation, tokenFile } from "./workspace.ts";

/** What a right configuration needs besides itself. */
const right: Situation = { files: tokenFile };

interface Case extends Situation {
  /** The whole file, or sections that stand in a right one. */
  readonly text?: string;
  readonly sections?: Readonly<Record<string, string>>;
  readonly says: readonly string[];
}

function each(cases: Readonly<Record<string, Case>>): void {
  test.each(Object.entries(cases))("%s", async (_, { text, sections = {}, says, files, env }) => {
    const situation = { files: { ...right.files, ...files }, ...(env === undefined ? {} : { env }) };
    expect(await mistakesIn(text ?? configText(sections), situation)).toEqual(says);
  });
}

const upstreamOf = (more: string) =>
  `{ dialect: clearblade, project: acme-iot, location: us-central1, registry: plant-1, ${more} }`;
const gateway = (local: string, upstream = "privateKey: file:keys/p256.pem, algorithm: ES256") =>
  `[{ id: gw-01, local: { ${local} }, upstream: { ${upstream} } }]`;
const twoGateways = (first: string, second: string) =>
  [first, second]
    .map(
      (local, index) =>
        `\n- id: gw-0${index + 1}\n  local: { ${local} }\n  upstream: { privateKey: file:keys/p256.pem, algorithm: ES256 }`,
    )
    .join("");
const idPattern = dialectNamed("clearblade").ids.pattern;
const parameter = (dialect: string, name: string) =>
  dialectNamed(dialect).parameters.find((candidate) => candidate.name === name)?.describe;

test("a right configuration has no mistakes", async () => {
  expect(await mistakesIn(configText(), right)).toEqual([]);
});

describe("the file", () => {
  test("missing", async () => {
    const loaded = await loadConfig(join("no", "such.yaml"), { env: {} });
    expect(loaded).toEqual({
      files: [resolve("no/such.yaml")],
      mistakes: [
        {
          file: "no/such.yaml",
          line: 1,
          column: 1,
          message: 'cannot read "no/such.yaml": no such file; "dragoman init" writes a first configuration',
        },
      ],
    });
  });
  each({
    "not YAML at all": {
      text: "local: {\n  dialect: [\n",
      says: [
        "dragoman.yaml:3:1: not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
        "dragoman.yaml:3:1: not YAML: Flow map in block collection must be sufficiently indented and end with a }",
      ],
    },
    "a line indented too far": {
      text: "local:\n  dialect: thingsboard\n   listen: []\nupstream:\n\tdialect: clearblade\n",
      says: [
        'dragoman.yaml:2:12: not YAML: found a second ":" in this value: indent the line below as its neighbours, or quote the value',
        "dragoman.yaml:5:1: not YAML: Tabs are not allowed as indentation",
      ],
    },
    "a first line that is indented": {
      text: `  local: {}\n${"upstream: {}\n".repeat(9)}`,
      says: ["dragoman.yaml:2:1: not YAML: found more behind the end of a value: indent this line as its neighbours"],
    },
    empty: { text: "", says: ["dragoman.yaml:1:1: found nothing, wanted a mapping"] },
    "a list": { text: "- 1\n", says: ["dragoman.yaml:1:1: found a list, wanted a mapping"] },
    "a text": { text: "hello", says: ['dragoman.yaml:1:1: found "hello", wanted a mapping'] },
    "two documents": {
      text: "a: 1\n---\nb: 2\n",
      says: ['dragoman.yaml:2:1: found a second document after "---", wanted one'],
    },
    "a key twice": {
      sections: { rules: "{ detachAfter: 1m, detachAfter: 2m }", log: "\n  level: info\n  level: info" },
      says: [
        'dragoman.yaml:4:27: rules.detachAfter: key "detachAfter" stands twice, first in line 4',
        'dragoman.yaml:7:3: log.level: key "level" stands twice, first in line 6',
      ],
    },
    "a key that is a list": {
      sections: { rules: "{ ? [a] : 1 }" },
      says: ['dragoman.yaml:4:12: rules["?"]: found a key that is not text, wanted text'],
    },
    "a tag": {
      sections: { log: "{ level: !secret level }" },
      says: ["dragoman.yaml:4:15: not YAML: Unresolved tag: !secret"],
    },
    "an alias without anchor": {
      sections: { rules: "*no" },
      says: ['dragoman.yaml:4:8: rules: alias "*no" has no anchor'],
    },
    "an alias that contains itself": {
      sections: { rules: "&a { telemetry: *a }" },
      says: ["dragoman.yaml:4:24: rules.telemetry: nested deeper than 32 levels, wanted fewer"],
    },
  });
});

describe("keys and values", () => {
  each({
    "needed keys are missing": {
      text: "log: {}\n",
      says: [
        'dragoman.yaml:1:1: missing key "local": The side that gateways connect to.',
        'dragoman.yaml:1:1: missing key "upstream": The cloud we talk to.',
        'dragoman.yaml:1:1: missing key "gateways": The gateways that may connect, or file:PATH of a YAML file that holds just this list.',
      ],
    },
    "an unknown key": {
      sections: { colour: "blue", rules: "{ __proto__: 1 }" },
      says: [
        'dragoman.yaml:4:1: colour: unknown key, wanted one of "local", "upstream", "gateways", "spool", "rules", "mapping", "admin", "log", "reload", "allowInlineSecrets"',
        'dragoman.yaml:5:10: rules.__proto__: unknown key, wanted one of "telemetry", "state", "config", "commands", "attributes", "claims", "detachAfter"',
      ],
    },
    "nearly a key": {
      sections: { "log ": "{}", spol: "{}", rules: "{ detach_after: 1m, telemtry: {} }" },
      says: [
        'dragoman.yaml:5:1: spol: unknown key, did you mean "spool"?',
        'dragoman.yaml:6:10: rules.detach_after: unknown key, did you mean "detachAfter"?',
        'dragoman.yaml:6:28: rules.telemtry: unknown key, did you mean "telemetry"?',
      ],
    },
    "a wrong type": {
      sections: { local: "[]", rules: "5", log: "{ level: 3 }", allowInlineSecrets: "maybe" },
      says: [
        "dragoman.yaml:1:8: local: found an empty list, wanted a mapping",
        "dragoman.yaml:4:8: rules: found 5, wanted a mapping",
        'dragoman.yaml:5:15: log.level: found 3, wanted one of "trace", "debug", "info", "warn", "error", "fatal", "silent"',
        'dragoman.yaml:6:21: allowInlineSecrets: found "maybe", wanted true or false',
      ],
    },
    "nothing where something belongs": {
      sections: { local: "", rules: "" },
      says: [
        "dragoman.yaml:1:8: local: found nothing, wanted a mapping",
        "dragoman.yaml:4:8: rules: found nothing, wanted a mapping",
      ],
    },
    "a number where quotes are missing": {
      sections: { upstream: upstreamOf("audience: 12") },
      says: ["dragoman.yaml:2:105: upstream.audience: found 12, wanted text; put it in quotes"],
    },
    "not one of the words": {
      sections: { spool: "{ whenFull: drop-oldest }", log: "{ level: verbose }" },
      says: [
        'dragoman.yaml:4:20: spool.whenFull: found "drop-oldest", wanted one of "refuse", "dropOldest", did you mean "dropOldest"?',
        'dragoman.yaml:5:15: log.level: found "verbose", wanted one of "trace", "debug", "info", "warn", "error", "fatal", "silent"',
      ],
    },
    "a duration": {
      sections: { rules: "{ detachAfter: 10, state: { interval: 1 minute } }" },
      says: [
        'dragoman.yaml:4:23: rules.detachAfter: found 10, wanted a duration such as "500ms", "90s" or "15m"',
        'dragoman.yaml:4:46: rules.state.interval: found "1 minute", wanted a duration such as "500ms", "90s" or "15m"',
      ],
    },
    "a size": {
      sections: { spool: "{ maxBytes: 1G }" },
      says: ['dragoman.yaml:4:20: spool.maxBytes: found "1G", wanted a size such as "512KB", "64KiB" or "1GiB"'],
    },
    "too small and too large": {
      sections: {
        upstream: upstreamOf(
          "keepalive: 10ms, tokenLifetime: 25h, inFlight: 0, limits: { messagesPerSecond: 0, attached: 1.5 }",
        ),
        local: "{ dialect: thingsboard, maxConnections: 0, maxPacketSize: 1GiB }",
      },
      says: [
        "dragoman.yaml:1:48: local.maxConnections: found 0, wanted at least 1",
        'dragoman.yaml:1:66: local.maxPacketSize: found "1GiB", wanted at most 256MiB',
        'dragoman.yaml:2:106: upstream.keepalive: found "10ms", wanted at least 1s',
        'dragoman.yaml:2:127: upstream.tokenLifetime: found "25h", wanted at most 24h',
        "dragoman.yaml:2:142: upstream.inFlight: found 0, wanted at least 1",
        "dragoman.yaml:2:174: upstream.limits.messagesPerSecond: found 0, wanted more than 0",
        "dragoman.yaml:2:187: upstream.limits.attached: found 1.5, wanted a whole number",
      ],
    },
    "a folder": {
      sections: { rules: "{ commands: { responses: /a, replies: 'a/#' } }" },
      says: [
        'dragoman.yaml:4:33: rules.commands.responses: found "/a", wanted a folder such as "responses" or "a/b", without "+", "#" and empty levels',
        'dragoman.yaml:4:46: rules.commands.replies: found "a/#", wanted a folder such as "responses" or "a/b", without "+", "#" and empty levels',
      ],
    },
    "an item twice": {
      sections: { rules: "{ config: { keys: [a, b, a] } }" },
      says: ["dragoman.yaml:4:33: rules.config.keys[2]: found an item twice, wanted each once"],
    },
    "an empty list": {
      sections: { gateways: "[]" },
      says: ["dragoman.yaml:3:11: gateways: found an empty list, wanted at least 1 item"],
    },
    "neither alternative": {
      sections: { admin: "true", rules: "{ telemetry: { folderKey: true } }" },
      says: [
        "dragoman.yaml:4:8: admin: found true, wanted a mapping or false",
        "dragoman.yaml:5:34: rules.telemetry.folderKey: found true, wanted text or false",
      ],
    },
    "the alternative that was meant": {
      sections: { admin: "{ listn: 1 }" },
      says: ['dragoman.yaml:4:10: admin.listn: unknown key, did you mean "listen"?'],
    },
    "a mapping file that is not there": {
      sections: { mapping: "mappings/plant.yaml" },
      says: ['dragoman.yaml:4:10: mapping: cannot read "mappings/plant.yaml": no such file'],
    },
    "mistakes of a mapping file, in their own place": {
      sections: { mapping: "mappings/plant.yaml", spol: "{}" },
      files: { "mappings/plant.yaml": "mapping: plant\nrules:\n  r: { drop: [a] }\n" },
      says: [
        'dragoman.yaml:5:1: spol: unknown key, did you mean "spool"?',
        'mappings/plant.yaml:3:3: The rule "r" loses the keys "a", wanted "lossy: REASON" that says why',
      ],
    },
    "an alias that is no id": {
      sections: { mapping: "plant.yaml" },
      files: { "plant.yaml": "mapping: plant\nnames:\n  - { local: Device A, upstream: Boiler Room }\n" },
      says: ['plant.yaml:3:5: "Boiler Room" is no id in clearblade, wanted one that it allows'],
    },
  });
});

describe("references", () => {
  each({
    "an environment variable that is not set": {
      sections: { gateways: gateway('token: "${NO_TOKEN}"') },
      says: ['dragoman.yaml:3:41: gateways[0].local.token: environment variable "NO_TOKEN" is not set'],
    },
    "an environment variable that is empty": {
      sections: { gateways: gateway('token: "${TOKEN}"') },
      env: { TOKEN: "" },
      says: ['dragoman.yaml:3:41: gateways[0].local.token: found empty text, wanted "${NAME}" or "file:PATH"'],
    },
    "not the name of a variable": {
      sections: { gateways: gateway('token: "a${b c}"') },
      says: [
        'dragoman.yaml:3:41: gateways[0].local.token: found "${b c}", wanted the name of an environment variable, or "$${" for a plain "${"',
      ],
    },
    "a brace that is not closed": {
      sections: { gateways: gateway('token: "${TOKEN"') },
      says: [
        'dragoman.yaml:3:41: gateways[0].local.token: found "${" without "}", wanted "${NAME}", or "$${" for a plain "${"',
      ],
    },
    "a value from elsewhere is not shown": {
      sections: { upstream: upstreamOf('url: "${URL}"'), log: '{ level: "file:token" }' },
      env: { URL: "http://user:hunter2@example.com" },
      says: [
        'dragoman.yaml:2:100: upstream.url: found the scheme http://, wanted an address such as "mqtt://127.0.0.1:1883" or "mqtts://HOST:8883"',
        'dragoman.yaml:4:15: log.level: found what the file holds, wanted one of "trace", "debug", "info", "warn", "error", "fatal", "silent"',
      ],
    },
    "a file that is missing": {
      sections: { gateways: gateway("token: file:no/token") },
      says: ['dragoman.yaml:3:41: gateways[0].local.token: cannot read "no/token": no such file'],
    },
    "a folder in place of a file": {
      sections: { gateways: gateway("token: file:keys") },
      says: ['dragoman.yaml:3:41: gateways[0].local.token: cannot read "keys": it is a folder'],
    },
    "gateways in a file that is missing": {
      sections: { gateways: "file:gateways.yaml" },
      says: ['dragoman.yaml:3:11: gateways: cannot read "gateways.yaml": no such file'],
    },
    "mistakes in a file of gateways": {
      sections: { gateways: "file:more/gateways.yaml" },
      files: {
        "more/gateways.yaml":
          "- id: gw-01\n  local: { tokn: file:token }\n  upstream: { privateKey: file:keys/p384.pem, algorithm: ES256 }\n",
      },
      says: [
        'more/gateways.yaml:2:12: gateways[0].local.tokn: unknown key, did you mean "token"?',
        "more/gateways.yaml:3:27: gateways[0].upstream.privateKey: an EC key on secp384r1 does not fit ES256, wanted EC P-256",
      ],
    },
    "a file of gateways that is not YAML": {
      sections: { gateways: "file:gateways.yaml" },
      files: { "gateways.yaml": "- id: [\n" },
      says: [
        "gateways.yaml:2:1: gateways: not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
      ],
    },
    "a file of gateways that holds more than the list": {
      sections: { gateways: "file:gateways.yaml" },
      files: { "gateways.yaml": "gateways: []\n" },
      says: ["gateways.yaml:1:1: gateways: found a mapping, wanted a list"],
    },
  });
});

describe("dialects", () => {
  each({
    "an unknown dialect": {
      sections: { upstream: "{ dialect: clearblad, project: a, registry: plant-1, shard: 1 }" },
      says: [
        'dragoman.yaml:2:22: upstream.dialect: found "clearblad", wanted one of "clearblade", "google", "omnicore", "thingsboard", did you mean "clearblade"?',
        'dragoman.yaml:2:64: upstream.shard: unknown key, wanted one of "project", "location", "registry", "subscription", "dialect", "url", "tls", "protocol", "audience", "keepalive", "connectTimeout", "tokenLifetime", "inFlight", "attachTimeout", "settle", "limits", "allowPlaintext"',
      ],
    },
    "parameters that are missing": {
      sections: { upstream: "{ dialect: omnicore, url: mqtts://x.mqtt.korewireless.com }" },
      says: [
        `dragoman.yaml:2:11: upstream: missing key "registry": ${parameter("omnicore", "registry")}`,
        `dragoman.yaml:2:11: upstream: missing key "subscription": ${parameter("omnicore", "subscription")}`,
      ],
    },
    "a parameter of another dialect": {
      sections: { upstream: upstreamOf("subscription: s1") },
      says: [
        'dragoman.yaml:2:95: upstream.subscription: unknown key, wanted one of "project", "location", "registry", "dialect", "url", "tls", "protocol", "audience", "keepalive", "connectTimeout", "tokenLifetime", "inFlight", "attachTimeout", "settle", "limits", "allowPlaintext"',
      ],
    },
    "no address where the dialect has none": {
      sections: { upstream: "{ dialect: omnicore, subscription: s1, registry: plant-1 }" },
      says: ['dragoman.yaml:2:11: upstream: missing key "url": dialect "omnicore" has no address of its own'],
    },
  });
});

describe("ids", () => {
  each({
    "two gateways of one id": {
      sections: { gateways: twoGateways("token: file:token", "token: file:tls/ca.pem").replace("gw-02", "gw-01") },
      says: ['dragoman.yaml:7:7: gateways[1].id: found "gw-01", the id of gateways[0] too, wanted another'],
    },
    "two gateways of one id in the cloud": {
      sections: {
        gateways: twoGateways("token: file:token", "token: file:tls/ca.pem").replace(/}$/, ", gateway: gw-01 }"),
      },
      says: [
        'dragoman.yaml:9:75: gateways[1].upstream.gateway: found "gw-01", the id of gateways[0] in the cloud too, which lets only one of them connect',
      ],
    },
    "ids that cannot stand in a topic": {
      sections: {
        upstream: "{ dialect: clearblade, project: acme/iot, location: l, registry: plant+1 }",
        gateways: gateway("token: file:token").replace("gw-01", "gw+01"),
      },
      says: [
        'dragoman.yaml:2:43: upstream.project: found "acme/iot", wanted an id of up to 255 characters without "/", "+", "#" and control characters',
        'dragoman.yaml:2:76: upstream.registry: found "plant+1", wanted an id of up to 255 characters without "/", "+", "#" and control characters',
        'dragoman.yaml:3:18: gateways[0].id: found "gw+01", wanted an id of up to 255 characters without "/", "+", "#" and control characters',
      ],
    },
    "ids that the cloud forbids": {
      sections: {
        upstream: "{ dialect: clearblade, project: acme-iot, location: l, registry: Google1 }",
        gateways: gateway("token: file:token").replace("gw-01", "1st gateway"),
      },
      says: [
        'dragoman.yaml:2:76: upstream.registry: found "Google1", wanted an id that does not start with "goog" (dialect "clearblade")',
        `dragoman.yaml:3:18: gateways[0].id: found "1st gateway", wanted an id that matches ${idPattern} (dialect "clearblade")`,
      ],
    },
    "an id that is too short": {
      sections: {
        gateways: gateway("token: file:token", "gateway: gw, privateKey: file:keys/p256.pem, algorithm: ES256"),
      },
      says: [
        'dragoman.yaml:3:76: gateways[0].upstream.gateway: found "gw", wanted an id of 3 to 255 characters (dialect "clearblade")',
      ],
    },
  });
});

describe("addresses", () => {
  each({
    "a port out of range": {
      sections: {
        local: "{ dialect: thingsboard, listen: ['mqtt://127.0.0.1:65536', 'mqtt://127.0.0.1:x'] }",
        upstream: upstreamOf("url: 'mqtts://h:0'"),
      },
      says: [
        'dragoman.yaml:1:41: local.listen[0]: found port 65536, which is out of range (0 to 65535), wanted an address such as "mqtt://127.0.0.1:1883" or "mqtts://HOST:8883"',
        'dragoman.yaml:1:67: local.listen[1]: found a port that is not a number, wanted an address such as "mqtt://127.0.0.1:1883" or "mqtts://HOST:8883"',
        "dragoman.yaml:2:100: upstream.url: found port 0, wanted 1 to 65535",
      ],
    },
    "not an address": {
      sections: {
        local:
          "{ dialect: thingsboard, listen: [localhost, 'tcp://localhost', 'mqtt://', 'mqtt://[::g]', 'mqtt://localhost/x'] }",
        upstream: upstreamOf("url: 'mqtts://me:hunter2@h'"),
        admin: "{ listen: 'https://localhost' }",
      },
      says: [
        'dragoman.yaml:1:41: local.listen[0]: found no scheme and host, wanted an address such as "mqtt://127.0.0.1:1883" or "mqtts://HOST:8883"',
        'dragoman.yaml:1:52: local.listen[1]: found the scheme tcp://, wanted an address such as "mqtt://127.0.0.1:1883" or "mqtts://HOST:8883"',
        'dragoman.yaml:1:71: local.listen[2]: found no host name or IP address, wanted an address such as "mqtt://127.0.0.1:1883" or "mqtts://HOST:8883"',
        'dragoman.yaml:1:82: local.listen[3]: found no host name or IP address, wanted an address such as "mqtt://127.0.0.1:1883" or "mqtts://HOST:8883"',
        'dragoman.yaml:1:98: local.listen[4]: found something behind the port, wanted an address such as "mqtt://127.0.0.1:1883" or "mqtts://HOST:8883"',
        'dragoman.yaml:2:100: upstream.url: found a user name or password in it, wanted an address such as "mqtt://127.0.0.1:1883" or "mqtts://HOST:8883"',
        'dragoman.yaml:4:18: admin.listen: found the scheme https://, wanted an address such as "http://127.0.0.1:9464"',
      ],
    },
    "plain text beyond loopback": {
      sections: {
        local: "{ dialect: thingsboard, listen: ['mqtt://0.0.0.0'] }",
        upstream: upstreamOf("url: mqtt://mqtt.example.com"),
      },
      says: [
        'dragoman.yaml:1:41: local.listen[0]: found mqtt:// on an address that is not loopback, wanted mqtts://, or "local.allowPlaintext: true" if credentials and data may be read on the way',
        'dragoman.yaml:2:100: upstream.url: found mqtt:// to a host that is not loopback, wanted mqtts://, or "upstream.allowPlaintext: true" if credentials and data may be read on the way',
      ],
    },
    "plain text to a name that anyone may resolve": {
      sections: {
        local: "{ dialect: thingsboard, listen: ['mqtt://my.localhost', 'mqtt://[0:0:0:0:0:0:0:1]'] }",
        admin: "{ listen: 'http://my.localhost:9464' }",
      },
      says: [
        'dragoman.yaml:1:41: local.listen[0]: found mqtt:// on an address that is not loopback, wanted mqtts://, or "local.allowPlaintext: true" if credentials and data may be read on the way',
        'dragoman.yaml:4:18: admin.listen: found an address that is not loopback, wanted "admin.token" as well',
      ],
    },
    "TLS without a certificate": {
      sections: { local: "{ dialect: thingsboard, listen: ['mqtts://127.0.0.1'] }" },
      says: ['dragoman.yaml:1:41: local.listen[0]: found mqtts:// without a certificate, wanted "local.tls" as well'],
    },
    "an address twice": {
      sections: {
        local: "{ dialect: thingsboard, listen: ['mqtt://127.0.0.1', 'mqtt://127.0.0.1:1883'] }",
        admin: "{ listen: 'http://127.0.0.1:1883' }",
      },
      says: [
        "dragoman.yaml:1:61: local.listen[1]: found port 1883 of 127.0.0.1 twice, wanted each address once",
        "dragoman.yaml:4:18: admin.listen: found the port of local.listen, wanted another",
      ],
    },
    "admin beyond loopback without a token": {
      sections: { admin: "{ listen: 'http://0.0.0.0:9464' }" },
      says: ['dragoman.yaml:4:18: admin.listen: found an address that is not loopback, wanted "admin.token" as well'],
    },
  });
});

describe("certificates and keys", () => {
  each({
    "not PEM": {
      sections: {
        local:
          "{ dialect: thingsboard, tls: { certificate: tls/server.pem, key: file:token, clientCa: file:keys/p256.pub.pem } }",
        upstream: upstreamOf("tls: { ca: file:tls/server.key }"),
      },
      says: [
        "dragoman.yaml:1:52: local.tls.certificate: found text that is not PEM, wanted a certificate in PEM, most often as file:PATH",
        "dragoman.yaml:1:73: local.tls.key: found text that is not PEM, wanted a private key in PEM without a passphrase, most often as file:PATH",
        "dragoman.yaml:1:95: local.tls.clientCa: found PEM of type PUBLIC KEY, wanted a certificate in PEM",
        "dragoman.yaml:2:106: upstream.tls.ca: found a private key, wanted a certificate in PEM",
      ],
    },
    "a damaged certificate and a damaged key": {
      sections: { local: "{ dialect: thingsboard, tls: { certificate: file:bad.pem, key: file:bad.key } }" },
      files: {
        "bad.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "bad.key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
      },
      says: [
        "dragoman.yaml:1:52: local.tls.certificate: found a certificate that cannot be decoded, wanted a certificate in PEM",
        "dragoman.yaml:1:71: local.tls.key: found a private key that cannot be decoded, wanted a private key in PEM without a passphrase",
      ],
    },
    "the key of another certificate": {
      sections: {
        local: "{ dialect: thingsboard, tls: { certificate: file:tls/server.pem, key: file:tls/client.key } }",
      },
      says: ['dragoman.yaml:1:78: local.tls.key: found the key of another certificate, wanted that of "certificate"'],
    },
    "a key with a passphrase": {
      sections: {
        local: "{ dialect: thingsboard, tls: { certificate: file:tls/server.pem, key: file:keys/locked.pem } }",
      },
      says: [
        "dragoman.yaml:1:78: local.tls.key: found a private key with a passphrase, wanted a private key in PEM without a passphrase",
      ],
    },
    "a key that does not fit its algorithm": {
      sections: { gateways: gateway("token: file:token", "privateKey: file:keys/rsa.pem, algorithm: ES256") },
      says: ["dragoman.yaml:3:79: gateways[0].upstream.privateKey: an RSA key does not fit ES256, wanted EC P-256"],
    },
    "a curve that no cloud takes": {
      sections: { gateways: gateway("token: file:token", "privateKey: file:keys/p384.pem, algorithm: ES256") },
      says: [
        "dragoman.yaml:3:79: gateways[0].upstream.privateKey: an EC key on secp384r1 does not fit ES256, wanted EC P-256",
      ],
    },
    "an RSA key that is too short": {
      sections: { gateways: gateway("token: file:token", "privateKey: file:keys/short-rsa.pem, algorithm: RS256") },
      says: [
        "dragoman.yaml:3:79: gateways[0].upstream.privateKey: found an RSA key of only 1024 bits, wanted an RSA key of 2048 bits or more in PEM for RS256",
      ],
    },
    "a path in place of a private key": {
      sections: {
        gateways: gateway("token: file:token", "privateKey: keys/p256.pem, algorithm: ES256"),
        allowInlineSecrets: "true",
      },
      says: [
        "dragoman.yaml:3:79: gateways[0].upstream.privateKey: found no PEM block, wanted EC P-256 in PEM for ES256, most often as file:PATH",
      ],
    },
    "a public key in place of a private one": {
      sections: { gateways: gateway("token: file:token", "privateKey: file:keys/p256.pub.pem, algorithm: ES256") },
      says: [
        "dragoman.yaml:3:79: gateways[0].upstream.privateKey: found a public key, wanted EC P-256 in PEM for ES256",
      ],
    },
    "a key without its algorithm": {
      sections: { gateways: gateway("token: file:token", "privateKey: file:keys/p384.pem") },
      says: [
        'dragoman.yaml:3:65: gateways[0].upstream: missing key "algorithm", which dialect "clearblade" needs',
        "dragoman.yaml:3:79: gateways[0].upstream.privateKey: found an EC key on curve secp384r1, wanted an EC key on curve prime256v1 or an RSA key of at least 2048 bits",
      ],
    },
  });
});

describe("credentials", () => {
  each({
    "a secret in clear": {
      sections: {
        gateways: gateway("username: me, password: hunter2", "privateKey: hunter2, algorithm: ES256"),
        admin: "{ token: hunter2 }",
      },
      says: [
        'dragoman.yaml:3:58: gateways[0].local.password: found a secret in clear, wanted "${NAME}" or "file:PATH", or "allowInlineSecrets: true" for trying things out',
        'dragoman.yaml:3:93: gateways[0].upstream.privateKey: found a secret in clear, wanted "${NAME}" or "file:PATH", or "allowInlineSecrets: true" for trying things out',
        'dragoman.yaml:4:17: admin.token: found a secret in clear, wanted "${NAME}" or "file:PATH", or "allowInlineSecrets: true" for trying things out',
      ],
    },
    "a secret of a wrong type": {
      sections: { gateways: gateway("token: 123456", "privateKey: [hunter2], algorithm: ES256") },
      says: [
        'dragoman.yaml:3:41: gateways[0].local.token: found a number, wanted "${NAME}" or "file:PATH"; put it in quotes',
        'dragoman.yaml:3:75: gateways[0].upstream.privateKey: found a list, wanted "${NAME}" or "file:PATH"',
      ],
    },
    "a secret under a wrong key": {
      sections: { gateways: gateway("tokn: hunter2", "privateKey: file:keys/p256.pem, algorithm: hunter2") },
      says: [
        'dragoman.yaml:3:34: gateways[0].local.tokn: unknown key, did you mean "token"?',
        'dragoman.yaml:3:106: gateways[0].upstream.algorithm: found "hunter2", wanted one of "ES256", "RS256"',
      ],
    },
    none: {
      sections: { gateways: gateway("", "") },
      says: [
        'dragoman.yaml:3:32: gateways[0].local: found no credentials, wanted one of "token", "certificate", or "username" with "password" and "clientId"',
        'dragoman.yaml:3:48: gateways[0].upstream: missing key "privateKey", which dialect "clearblade" needs',
        'dragoman.yaml:3:48: gateways[0].upstream: missing key "algorithm", which dialect "clearblade" needs',
      ],
    },
    "too many": {
      sections: { gateways: gateway("token: file:token, username: me, certificate: file:tls/client.pem") },
      says: [
        'dragoman.yaml:3:32: gateways[0].local: found "token" and "certificate" and "username" together, wanted one of "token", "certificate", or "username" with "password" and "clientId"',
      ],
    },
    "a password alone": {
      sections: { gateways: gateway("password: file:token") },
      says: [
        'dragoman.yaml:3:44: gateways[0].local.password: found a password alone, wanted "username" or "clientId" as well',
      ],
    },
    "no password beyond loopback": {
      sections: {
        local:
          "{ dialect: thingsboard, listen: ['mqtts://0.0.0.0'], tls: { certificate: file:tls/server.pem, key: file:tls/server.key } }",
        gateways: gateway("clientId: me"),
      },
      says: [
        'dragoman.yaml:3:32: gateways[0].local: found no password though gateways connect from elsewhere, wanted "password", or "local.allowPasswordless: true" if anyone may connect who knows the name',
      ],
    },
    "a certificate where there is no TLS": {
      sections: { gateways: gateway("certificate: file:tls/client.pem") },
      says: [
        'dragoman.yaml:3:47: gateways[0].local.certificate: found a client certificate where no address has TLS, wanted an mqtts:// address in "local.listen"',
      ],
    },
    "one token for two gateways": {
      sections: { gateways: twoGateways("token: file:token", "token: file:token") },
      says: ["dragoman.yaml:8:19: gateways[1].local.token: found the credential of gateways[0], wanted one of its own"],
    },
    "one user name for two gateways": {
      sections: {
        gateways: twoGateways("username: me, password: file:token", "username: me, password: file:tls/ca.pem"),
      },
      says: [
        "dragoman.yaml:8:22: gateways[1].local.username: found the credential of gateways[0], wanted one of its own",
      ],
    },
    "a token that is another's user name": {
      sections: { gateways: twoGateways("token: file:token", 'username: "${NAME}"') },
      env: { NAME: "s3cret-token" },
      says: [
        "dragoman.yaml:8:22: gateways[1].local.username: found the credential of gateways[0], wanted one of its own",
      ],
    },
    "one certificate for two gateways": {
      sections: {
        local:
          "{ dialect: thingsboard, listen: ['mqtts://127.0.0.1'], tls: { certificate: file:tls/server.pem, key: file:tls/server.key } }",
        gateways: twoGateways("certificate: file:tls/client.pem", "certificate: file:tls/client.pem"),
      },
      says: [
        "dragoman.yaml:8:25: gateways[1].local.certificate: found the credential of gateways[0], wanted one of its own",
      ],
    },
    "keys of another kind of cloud": {
      sections: {
        gateways: gateway(
          "token: file:token, publicKeys: [file:keys/p256.pub.pem]",
          "privateKey: file:keys/p256.pem, algorithm: ES256, token: file:token",
        ),
      },
      says: [
        'dragoman.yaml:3:53: gateways[0].local.publicKeys: found a key that dialect "thingsboard" has no use for, wanted it left out',
        'dragoman.yaml:3:155: gateways[0].upstream.token: found a key that dialect "clearblade" has no use for, wanted it left out',
      ],
    },
  });
});

describe("a registry (IoT Core in front)", () => {
  const file = (local: string, upstream = "token: file:token", more = "") =>
    `local: { dialect: google, project: acme-iot, location: l, registry: plant-1 }
upstream: { dialect: thingsboard, url: mqtts://tb.example.com }
gateways:
- id: gw-01
  upstream: { ${upstream} }
  local: { ${local} }
${more}`;
  const keys = "publicKeys: [file:keys/p256.pub.pem]";
  each({
    "is right": {
      text: file(`${keys}, devices: { sensor-7: {}, dev-1001: { ${keys}, numericId: "258" } }`),
      says: [],
    },
    "no public keys": {
      text: file(""),
      says: ['dragoman.yaml:6:10: gateways[0].local: found no credentials, wanted "publicKeys"'],
    },
    "public keys that are none": {
      text: file("publicKeys: [file:keys/p256.pem, keys/p256.pub.pem, file:keys/p384.pub.pem]"),
      says: [
        "dragoman.yaml:6:25: gateways[0].local.publicKeys[0]: found a private key, wanted a public key or certificate in PEM",
        "dragoman.yaml:6:45: gateways[0].local.publicKeys[1]: found text that is not PEM, wanted a public key or certificate in PEM, most often as file:PATH",
        "dragoman.yaml:6:64: gateways[0].local.publicKeys[2]: found an EC key on curve secp384r1, wanted an EC key on curve prime256v1 or an RSA key of at least 2048 bits",
      ],
    },
    "public keys with an end that are none, or have no end": {
      text: file(
        "publicKeys: [{ key: file:keys/p384.pub.pem, expires: 2027-02-30 }, { expires: 2027-01-01 }, { key: file:keys/p256.pub.pem, expires: 2027-01-01 }]",
      ),
      says: [
        "dragoman.yaml:6:32: gateways[0].local.publicKeys[0].key: found an EC key on curve secp384r1, wanted an EC key on curve prime256v1 or an RSA key of at least 2048 bits",
        'dragoman.yaml:6:65: gateways[0].local.publicKeys[0].expires: found "2027-02-30", wanted a date such as "2027-12-31" or a time such as "2027-12-31T23:59:59Z"',
        'dragoman.yaml:6:79: gateways[0].local.publicKeys[1]: missing key "key": The public key or certificate in PEM, as file:PATH.',
      ],
    },
    "more than three public keys": {
      text: file("publicKeys: [a, b, c, d]"),
      says: [
        "dragoman.yaml:6:24: gateways[0].local.publicKeys: found 4 items, wanted at most 3",
        "dragoman.yaml:6:25: gateways[0].local.publicKeys[0]: found text that is not PEM, wanted a public key or certificate in PEM, most often as file:PATH",
        "dragoman.yaml:6:28: gateways[0].local.publicKeys[1]: found text that is not PEM, wanted a public key or certificate in PEM, most often as file:PATH",
        "dragoman.yaml:6:31: gateways[0].local.publicKeys[2]: found text that is not PEM, wanted a public key or certificate in PEM, most often as file:PATH",
        "dragoman.yaml:6:34: gateways[0].local.publicKeys[3]: found text that is not PEM, wanted a public key or certificate in PEM, most often as file:PATH",
      ],
    },
    "two gateways with one number": {
      text: file(
        `${keys}, numericId: "258"`,
        "token: file:token",
        `- { id: gw-02, local: { ${keys}, numericId: "258" }, upstream: { token: file:token } }\n`,
      ),
      says: [
        'dragoman.yaml:7:74: gateways[1].local.numericId: found "258", the numericId of gateways[0] too, wanted another',
      ],
    },
    "device tokens without devices": {
      text: file(`${keys}, authMethod: DEVICE_AUTH_TOKEN_ONLY`),
      says: [
        'dragoman.yaml:6:62: gateways[0].local.authMethod: found DEVICE_AUTH_TOKEN_ONLY without "devices", wanted the devices and their public keys as well',
      ],
    },
    "a plain device with devices": {
      text: file(`${keys}, gateway: false, devices: {}`),
      says: [
        'dragoman.yaml:6:66: gateways[0].local.devices: found "devices" for a plain device, wanted it only without "gateway: false"',
      ],
    },
    "device ids that the cloud forbids": {
      text: file(`${keys}, devices: { 7up: {}, "a b": {}, goog: { numericId: 5 } }`),
      says: [
        `dragoman.yaml:6:61: gateways[0].local.devices["7up"]: found "7up", wanted an id that matches ${idPattern} (dialect "google")`,
        `dragoman.yaml:6:70: gateways[0].local.devices["a b"]: found "a b", wanted an id that matches ${idPattern} (dialect "google")`,
        'dragoman.yaml:6:81: gateways[0].local.devices.goog: found "goog", wanted an id that does not start with "goog" (dialect "google")',
        "dragoman.yaml:6:100: gateways[0].local.devices.goog.numericId: found 5, wanted a number of up to 20 digits; put it in quotes",
      ],
    },
    "one number for two": {
      text: file(
        `${keys}, numericId: "1", devices: { one: { numericId: "2" }, two: { numericId: "2" }, three: { numericId: "1" } }`,
      ),
      says: [
        'dragoman.yaml:6:120: gateways[0].local.devices.two.numericId: found "2", the numericId of device "one" too, wanted another',
        'dragoman.yaml:6:147: gateways[0].local.devices.three.numericId: found "1", the numericId of the gateway itself too, wanted another',
      ],
    },
    "a token where keys belong": {
      text: file(`${keys}, token: file:token`, "privateKey: file:keys/p256.pem"),
      says: [
        'dragoman.yaml:5:15: gateways[0].upstream.privateKey: found a key that dialect "thingsboard" has no use for, wanted it left out',
        'dragoman.yaml:6:50: gateways[0].local.token: found a key that dialect "google" has no use for, wanted it left out',
      ],
    },
    "upstream credentials of two kinds": {
      text: file(keys, "token: file:token, tls: { certificate: file:tls/client.pem, key: file:tls/server.key }"),
      says: [
        'dragoman.yaml:5:13: gateways[0].upstream: found "token" and "tls" together, wanted one of "token", "tls", or "username" with "password" and "clientId"',
        'dragoman.yaml:5:80: gateways[0].upstream.tls.key: found the key of another certificate, wanted that of "certificate"',
      ],
    },
  });
});

test("a level of MQTT that the cloud does not speak", async () => {
  const text = configText({
    upstream: "{ dialect: google, project: acme-iot, location: l, registry: plant-1, protocol: 5 }",
  });
  expect(await mistakesIn(text, right)).toEqual([
    'dragoman.yaml:2:91: upstream.protocol: found 5, wanted 4 (dialect "google")',
  ]);
});
