import { Document, isMap, isScalar, isSeq, type Node, type Scalar } from "yaml";
import { configSchema } from "../../config/schema.ts";
import type { OptionSchema } from "../../message/option-schema.ts";
import { files, tokenVariable } from "./files.ts";
import type { GatewayPlan, InitPlan } from "./plan.ts";

const comments = {
  head: ` Written by "dragoman init". "dragoman check" tells what is wrong with it, "dragoman schema --markdown" explains
 every option. \${NAME} reads the environment, file:PATH a file beside this one.`,
  width: 110,
};

/** What the keys of the gateways sign with, by the gateways' ids. */
export type Algorithms = ReadonlyMap<string, "ES256" | "RS256">;

/** The configuration as a user would write it, each key with what its schema says about it. */
export function configText(plan: InitPlan, algorithms: Algorithms): string {
  const { local, upstream } = plan;
  const schema = configSchema({ local: local.dialect.parameters, upstream: upstream.dialect.parameters });
  const { spool, admin, log } = schema.properties;
  const document = new Document({
    local: {
      dialect: local.dialect.name,
      listen: [local.listen],
      ...(needsTls(plan)
        ? { tls: { certificate: `file:${files.certificate}`, key: `file:${files.certificateKey}` } }
        : {}),
      ...(local.allowPlaintext ? { allowPlaintext: true } : {}),
      ...local.parameters,
    },
    upstream: {
      dialect: upstream.dialect.name,
      ...(upstream.url === undefined ? {} : { url: upstream.url }),
      ...(upstream.allowPlaintext ? { allowPlaintext: true } : {}),
      ...upstream.parameters,
    },
    gateways: plan.gateways.map((gateway) => gatewayEntry(plan, gateway, algorithms)),
    ...(hasDocuments(plan) ? { rules: { config: { keys: [] } } } : {}),
    spool: { ...defaultsOf(spool), ...(plan.spool === undefined ? {} : { directory: plan.spool }) },
    admin: defaultsOf(admin.anyOf[0]),
    log: defaultsOf(log),
  });
  document.commentBefore = comments.head;
  annotate(document.contents as Node | null, schema, "");
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

/** Whether gateways connect with TLS, so that a certificate is needed. */
export function needsTls({ local }: InitPlan): boolean {
  return local.listen.startsWith("mqtts:");
}

function gatewayEntry({ local, upstream }: InitPlan, { id }: GatewayPlan, algorithms: Algorithms): object {
  const isKeyed = (side: { dialect: InitPlan["local"]["dialect"] }) => side.dialect.connection.credentials === "jwt";
  return {
    id,
    local: isKeyed(local) ? { publicKeys: [`file:${files.gatewayPublicKey(id)}`] } : { token: reference(id, "local") },
    upstream: isKeyed(upstream)
      ? { privateKey: `file:${files.privateKey(id)}`, algorithm: algorithms.get(id) ?? "ES256" }
      : { token: reference(id, "upstream") },
  };
}

function reference(id: string, side: "local" | "upstream"): string {
  return `\${${tokenVariable(id, side)}}`;
}

/** Whether documents for the gateways are made of single attributes of the cloud, which is a guess without their names. */
function hasDocuments({ local, upstream }: InitPlan): boolean {
  return local.dialect.traits.config === "document" && upstream.dialect.traits.config === "changes";
}

function defaultsOf(schema: OptionSchema): object {
  const members = "properties" in schema ? Object.entries(schema.properties) : [];
  return Object.fromEntries(
    members.flatMap(([key, { default: usual }]) => (usual === undefined ? [] : [[key, usual]])),
  );
}

/** Puts each option's description above it; where a list has several of a kind, above the first. */
function annotate(node: Node | null, schema: OptionSchema, path: string): void {
  if (isSeq(node) && "items" in schema) {
    node.flow = node.items.every((item) => isScalar(item));
    annotate(node.items[0] as Node | null, schema.items, path);
  }
  if (!isMap(node)) return;
  const properties = propertiesOf(schema);
  for (const [index, { key, value }] of (node.items as { key: Scalar<string>; value: Node | null }[]).entries()) {
    const member = properties[key.value];
    if (member === undefined) continue;
    if (path === "" && index > 0) key.spaceBefore = true;
    // The first key of a list's item has the dash before it, where no comment can stand.
    if (!(path === "gateways" && index === 0)) key.commentBefore = wrap(member.description);
    annotate(value, member, path === "" ? key.value : `${path}.${key.value}`);
  }
}

function propertiesOf(schema: OptionSchema): Readonly<Record<string, OptionSchema & { readonly description: string }>> {
  if ("properties" in schema) return schema.properties;
  if (!("anyOf" in schema)) return {};
  const section = schema.anyOf.find((alternative) => "properties" in alternative);
  return section === undefined ? {} : propertiesOf(section);
}

function wrap(text: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = `${lines.at(-1)} ${word}`;
    if (line.length <= comments.width) lines[lines.length - 1] = line;
    else lines.push(` ${word}`);
  }
  return lines.join("\n");
}
