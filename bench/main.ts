import { cpSync, readdirSync } from "node:fs";
import { cpus, release } from "node:os";
import { type BacklogFigure, measureBacklog } from "./pipeline/backlog.ts";
import { type IdleFigure, idleBaselineName, measureIdle } from "./pipeline/idle.ts";
import { baselineName, measurePipeline, type PipelineFigure } from "./pipeline/pipeline.ts";
import { measureSoak } from "./pipeline/soak.ts";
import { figure, tableText } from "./table.ts";
import type { Timing } from "./timing.ts";

/** Which of them to run, and of that which: `npm run bench -- micro dialect`, `npm run bench -- pipeline dragoman`. */
const [which = "all", ...only] = process.argv.slice(2);
if (!["all", "micro", "pipeline", "backlog", "idle", "soak"].includes(which)) {
  process.stderr.write(
    "bench: wanted nothing, micro [NAME…], pipeline [NAME], backlog [MESSAGES], idle [GATEWAYS] or soak [SECONDS [MESSAGES/s]]\n",
  );
  process.exit(2);
}

process.stdout.write(`Node ${process.version}, ${release()}, ${cpus().length} x ${cpus()[0]?.model ?? "?"}\n`);
process.stdout.write(
  "Compare within this run only: the ratios say something of the code, the figures of the machine.\n",
);
if (which === "all" || which === "micro") await runMicro();
if (which === "all" || which === "pipeline") await runPipeline();
if (which === "all" || which === "backlog") await runBacklog(Number((which === "backlog" && only[0]) || 1_000_000));
if (which === "all" || which === "idle") await runIdle(Number((which === "idle" && only[0]) || 1000));
if (which === "soak") await runSoak(Number(only[0] ?? 60), Number(only[1] ?? 10_000));

async function runMicro(): Promise<void> {
  // What the parts read from beside `src/`, for the copy that is measured here.
  for (const name of ["mappings", "package.json"]) {
    cpSync(new URL(`../../../${name}`, import.meta.url), new URL(`../${name}`, import.meta.url), { recursive: true });
  }
  const modules = readdirSync(new URL("./micro/", import.meta.url)).filter((name) => name.endsWith(".js"));
  for (const name of modules) {
    if (only.length > 0 && !only.includes(name.replace(/\.js$/, ""))) continue;
    const { measure } = (await import(new URL(`./micro/${name}`, import.meta.url).href)) as {
      measure(): Promise<readonly Timing[]>;
    };
    const timings = await measure();
    const rows = timings.map(({ name: operation, ns, against }) => {
      const measureNs = timings.find((timing) => timing.name === against)?.ns;
      return [operation, figure(ns / 1000), figure(1e9 / ns), measureNs === undefined ? "" : figure(ns / measureNs)];
    });
    const heads = [name.replace(/\.js$/, ""), "µs", "per second", "time ratio"];
    process.stdout.write(`\n${tableText(heads, rows)}`);
  }
}

async function runPipeline(): Promise<void> {
  const how = { only: only[0] ?? "", report: progress };
  const steady = { pace: { rate: 2000 }, warmUpMs: 2000, durationMs: 5000 };
  for (const upstream of ["up", "down"] as const) {
    const figures = await measurePipeline(upstream, steady, how);
    process.stdout.write(`\n2,000 messages/s from 20 gateways for 5 s, upstream ${upstream}\n${latencyTable(figures)}`);
  }
  for (const devices of [1, 10]) {
    const flat = { pace: { window: 50 }, warmUpMs: 2000, durationMs: 4000, devices };
    const figures = await measurePipeline("up", flat, how);
    const what = devices === 1 ? "one device per packet" : `${devices} devices per packet`;
    process.stdout.write(
      `\nAs fast as it goes: 20 gateways, 50 unacknowledged each, ${what}, for 4 s\n${rateTable(figures)}`,
    );
  }
}

async function runBacklog(messages: number): Promise<void> {
  const figures = await measureBacklog(messages, ({ upstream }) =>
    process.stderr.write(`bench: backlog, ${upstream}\n`),
  );
  const rows = figures.map((one: BacklogFigure) => [
    one.upstream,
    figure(one.readyMs / 1000),
    figure(one.peakBytes / 2 ** 20),
    figure(one.drainedPerSecond),
    figure(one.p99),
  ]);
  const heads = ["upstream", "ready after s", "peak memory MiB", "arrived/s", "PUBACK p99 ms"];
  process.stdout.write(
    `\n${messages} messages wait when dragoman run starts, of 20 gateways\n${tableText(heads, rows)}`,
  );
}

async function runIdle(gateways: number): Promise<void> {
  const figures = await measureIdle(gateways, ({ subject }) => process.stderr.write(`bench: idle, ${subject}\n`));
  const base = figures.find(({ subject }) => subject === idleBaselineName);
  const rows = figures.map((one: IdleFigure) => [
    one.subject,
    figure(one.bytesPerGateway / 1024),
    figure(one.bytesPerGateway / (base?.bytesPerGateway ?? Number.NaN)),
    figure(one.cpuShare * 100),
  ]);
  const heads = ["", "KiB per gateway", "ratio", "CPU % of a core"];
  process.stdout.write(
    `\n${gateways} gateways that say nothing, each with its connection upstream\n${tableText(heads, rows)}`,
  );
}

async function runSoak(seconds: number, rate: number): Promise<void> {
  const { sent, acknowledged, arrived, earlyBytes, lateBytes, note } = await measureSoak(rate, seconds);
  const rows = [
    ["dragoman run", `${acknowledged} of ${sent}`, `${arrived} of ${sent}`]
      .concat([earlyBytes, lateBytes].map((bytes) => figure(bytes / 2 ** 20)))
      .concat(figure((lateBytes / earlyBytes - 1) * 100)),
  ];
  const heads = ["", "acknowledged", "arrived", "memory MiB, warm", "at the end", "growth %"];
  process.stdout.write(`\n${rate} messages/s for ${seconds} s; ${note}\n${tableText(heads, rows)}`);
}

function progress({ subject, upstream, note }: PipelineFigure): void {
  process.stderr.write(`bench: ${subject}, upstream ${upstream}${note === "" ? "" : `: ${note}`}\n`);
}

function latencyTable(figures: readonly PipelineFigure[]): string {
  const base = figures.find(({ subject }) => subject === baselineName);
  const rows = figures.map((one) => [
    one.subject,
    figure(one.p50),
    figure(one.p99),
    figure(one.max),
    figure((one.p99 ?? Number.NaN) / (base?.p99 ?? Number.NaN)),
    `${one.acknowledged} of ${one.sent}`,
    figure(one.e2eP50),
    figure(one.e2eP99),
    figure((one.e2eP99 ?? Number.NaN) / (base?.e2eP99 ?? Number.NaN)),
    one.upstream === "up" ? `${one.arrived} of ${one.sent}` : "-",
    figure(one.cpuMicros),
  ]);
  const heads = ["", "PUBACK p50 ms", "p99 ms", "max ms", "p99 ratio", "acknowledged"];
  heads.push("arrival p50 ms", "p99 ms", "p99 ratio", "arrived", "CPU µs");
  return tableText(heads, rows);
}

function rateTable(figures: readonly PipelineFigure[]): string {
  const base = figures.find(({ subject }) => subject === baselineName);
  const rows = figures.map((one) => [
    one.subject,
    figure(one.acknowledgedPerSecond),
    figure(one.arrivedPerSecond),
    figure(one.arrivedPerSecond / (base?.arrivedPerSecond ?? Number.NaN)),
    figure(one.p99),
    figure(one.cpuMicros),
    figure(one.cpuMicros / (base?.cpuMicros ?? Number.NaN)),
  ]);
  const heads = [
    "",
    "packets acknowledged/s",
    "readings arrived/s",
    "ratio",
    "PUBACK p99 ms",
    "CPU µs per reading",
    "ratio",
  ];
  return tableText(heads, rows);
}
