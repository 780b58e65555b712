import type { Dialect } from "../dialect/dialect.ts";
import { type Address, parseAddress } from "./address.ts";
import type { Section } from "./section.ts";

/** Checks where we listen and where we connect: nothing unprotected beyond loopback unless it is allowed by name. */
export function checkAddresses(root: Section, upstreamDialect: Dialect | undefined): void {
  const taken = new Map<string, string>();
  checkListen(root.section("local"), taken);
  checkUpstreamUrl(root.section("upstream"), upstreamDialect);
  checkAdmin(root.section("admin"), taken);
}

function checkListen(local: Section, taken: Map<string, string>): void {
  for (const { text, report } of local.texts("listen")) {
    const address = addressIn(text, ["mqtt", "mqtts"]);
    if (address === undefined) continue;
    if (address.scheme === "mqtts" && !local.has("tls")) {
      report(`found mqtts:// without a certificate, wanted "local.tls" as well`);
    }
    if (address.scheme === "mqtt" && !address.isLoopback && !local.flag("allowPlaintext")) {
      report(
        `found mqtt:// on an address that is not loopback, wanted mqtts://, or "local.allowPlaintext: true" if credentials and data may be read on the way`,
      );
    }
    if (takenBy(address, "local.listen", taken) !== undefined)
      report(`found port ${address.port} of ${address.host} twice, wanted each address once`);
  }
}

function checkUpstreamUrl(upstream: Section, dialect: Dialect | undefined): void {
  if (!upstream.has("url")) {
    if (dialect !== undefined && dialect.connection.url === undefined) {
      upstream.report(`missing key "url": dialect "${dialect.name}" has no address of its own`);
    }
    return;
  }
  const address = addressIn(upstream.text("url"), ["mqtt", "mqtts"]);
  if (address === undefined) return;
  if (address.port === 0) upstream.report("found port 0, wanted 1 to 65535", "url");
  if (address.scheme === "mqtt" && !address.isLoopback && !upstream.flag("allowPlaintext")) {
    upstream.report(
      `found mqtt:// to a host that is not loopback, wanted mqtts://, or "upstream.allowPlaintext: true" if credentials and data may be read on the way`,
      "url",
    );
  }
}

function checkAdmin(admin: Section, taken: Map<string, string>): void {
  const address = addressIn(admin.text("listen"), ["http"]);
  if (address === undefined) return;
  if (!address.isLoopback && !admin.has("token")) {
    admin.report(`found an address that is not loopback, wanted "admin.token" as well`, "listen");
  }
  const other = takenBy(address, "admin.listen", taken);
  if (other !== undefined) admin.report(`found the port of ${other}, wanted another`, "listen");
}

function takenBy({ host, port }: Address, name: string, taken: Map<string, string>): string | undefined {
  if (port === 0) return undefined;
  const key = `${host} ${port}`;
  const other = taken.get(key);
  if (other === undefined) taken.set(key, name);
  return other;
}

function addressIn(text: string | undefined, schemes: readonly string[]): Address | undefined {
  const parsed = text === undefined ? undefined : parseAddress(text, schemes);
  return parsed === undefined || "fault" in parsed ? undefined : parsed;
}
