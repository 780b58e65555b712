import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { DragomanError } from "../../errors.ts";

/** A server's certificate and the authority that signed it; all PEM. */
export interface MadeCertificate {
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
  readonly authorityKey: string;
}

const authorityDays = "3650";
/** The longest that common clients take. */
const serverDays = "825";

/**
 * Makes an authority and a certificate of it for these host names and IP addresses, with the `openssl` command: Node makes
 * keys, but no certificates.
 *
 * @throws {DragomanError} `ERR_USAGE` when there is no such command.
 */
export async function makeCertificate(names: readonly string[]): Promise<MadeCertificate> {
  const folder = await mkdtemp(join(tmpdir(), "dragoman-tls-"));
  const openssl = async (...args: string[]) => void (await run("openssl", args, { cwd: folder }));
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const text = (name: string) => readFile(join(folder, name), "utf8");
  try {
    const alternatives = names.map((name) => `${isIP(name) === 0 ? "DNS" : "IP"}:${name}`);
    await writeFile(join(folder, "san"), `subjectAltName=${alternatives.join(",")}\n`);
    const subject = ["-subj", `/CN=${(names[0] ?? "dragoman").slice(0, 64)}`];
    await openssl(
      ...["req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-days", authorityDays],
      ...["-subj", "/CN=dragoman local authority"],
    );
    await openssl("req", "-new", ...newKey, "-keyout", "server.key", "-out", "server.csr", ...subject);
    await openssl(
      ...["x509", "-req", "-in", "server.csr", "-out", "server.pem", "-days", serverDays, "-extfile", "san"],
      ...["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
    );
    const [certificate, key, authority, authorityKey] = await Promise.all(
      ["server.pem", "server.key", "ca.pem", "ca.key"].map(text),
    );
    return { certificate, key, authority, authorityKey } as MadeCertificate;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? 'found no "openssl" command, wanted it installed' : message;
    throw new DragomanError(
      "ERR_USAGE",
      `Cannot make a certificate for gateways: ${why}, or your own in "tls/server.pem" and "tls/server.key"`,
      { cause: error },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const run = promisify(execFile);
