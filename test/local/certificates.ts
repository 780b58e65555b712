import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

export interface Authority {
  readonly folder: string;
  readonly certificate: string;
  /** Makes a certificate signed by this authority, or by itself. */
  issue(name: string, options?: IssueOptions): Identity;
  remove(): void;
}

export interface IssueOptions {
  readonly selfSigned?: boolean;
  /** How long it is valid; negative: it has expired so long ago. */
  readonly days?: number;
  /** What it is for, in OpenSSL's words; default this machine. */
  readonly names?: string;
}

/** A certificate authority in a temporary folder, made with the openssl command. */
export function createAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), "dragoman-tls-"));
  const openssl = (...args: string[]): void => {
    execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  };
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const read = (file: string): string => readFileSync(join(folder, file), "utf8");
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-subj",
    "/CN=test authority",
    "-days",
    "365",
  );
  return {
    folder,
    certificate: read("ca.pem"),
    issue(name, { selfSigned = false, days = 30, names = "DNS:localhost,IP:127.0.0.1" } = {}) {
      writeFileSync(join(folder, "san"), `subjectAltName=${names}\n`);
      openssl("req", "-new", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
      const signer = selfSigned
        ? ["-signkey", `${name}.key`]
        : ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
      const files = ["-in", `${name}.csr`, "-out", `${name}.pem`, "-extfile", "san"];
      openssl("x509", "-req", ...files, ...signer, "-days", `${days}`);
      return { certificate: read(`${name}.pem`), key: read(`${name}.key`) };
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}
