import { type ChildProcess, spawn } from "node:child_process";
import { pbkdf2Sync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Aedes } from "aedes";

/** Another people's broker, with one user. */
export interface TestBroker {
  readonly url: string;
  /** Goes away with all its connections; what it knew is gone. */
  stop(): Promise<void>;
}

export interface TestBrokerOptions {
  /** The port of an earlier one, to come back on. */
  readonly port?: number;
}

export const user = { username: "gateway", password: "correct horse" } as const;

/** aedes, in this process. */
export async function startAedes({ port = 0 }: TestBrokerOptions = {}): Promise<TestBroker> {
  const broker = await Aedes.createBroker({
    authenticate: (_client, username, password, done) => {
      const isRight = username === user.username && password?.toString() === user.password;
      done(isRight ? null : Object.assign(new Error("not authorized"), { returnCode: 5 }), isRight);
    },
  });
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    broker.handle(socket);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      await new Promise<void>((resolve) => broker.close(resolve));
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Where mosquitto is installed, if it is. */
export const mosquittoPath = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto"].find(
  (path) => existsSync(path),
);

/** mosquitto, in a process of its own. It allows ten unacknowledged publishes and packets of 64 KiB. */
export async function startMosquitto({ port }: TestBrokerOptions = {}): Promise<TestBroker> {
  if (mosquittoPath === undefined) throw new Error("Cannot start mosquitto: it is not installed");
  const folder = await mkdtemp(join(tmpdir(), "dragoman-mosquitto-"));
  const listenPort = port ?? (await freePort());
  await writeFile(join(folder, "users"), `${user.username}:${hash(user.password)}\n`);
  const lines = [
    `listener ${listenPort} 127.0.0.1`,
    ...["allow_anonymous false", `password_file ${join(folder, "users")}`],
    ...["persistence false", "max_inflight_messages 10", "max_packet_size 65536", "max_queued_messages 0"],
    ...(process.getuid?.() === 0 ? ["user root"] : []),
  ];
  await writeFile(join(folder, "mosquitto.conf"), `${lines.join("\n")}\n`);
  const child = spawn(mosquittoPath, ["-c", join(folder, "mosquitto.conf"), "-v"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  await running(child);
  return {
    url: `mqtt://127.0.0.1:${listenPort}`,
    async stop() {
      const exited = once(child, "exit");
      if (child.exitCode === null && child.kill("SIGKILL")) await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function running(child: ChildProcess): Promise<void> {
  let log = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes("running")) resolve();
    });
    child.once("exit", () => reject(new Error(`Cannot start mosquitto: ${log}`)));
  });
}

/** As mosquitto_passwd writes it: PBKDF2 with SHA-512. */
function hash(password: string): string {
  const salt = randomBytes(12);
  return `$7$101$${salt.toString("base64")}$${pbkdf2Sync(password, salt, 101, 64, "sha512").toString("base64")}`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
