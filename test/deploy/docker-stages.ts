import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { type Copy, DockerfileParser, type From, type Instruction } from "dockerfile-ast";

const root = join(import.meta.dirname, "..", "..");

/** What `docker build` would be given: of the whole repository, what the ignore file lets through. */
export function copyContext(ignoreFile: string, folder: string): void {
  const patterns = readFileSync(ignoreFile, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("!"))
    .map((line) => new RegExp(`^${line.slice(1).replaceAll(".", "\\.").replaceAll("*", ".*")}$`));
  for (const name of readdirSync(root)) {
    if (patterns.some((pattern) => pattern.test(name)))
      cpSync(join(root, name), join(folder, name), { recursive: true });
  }
}

/**
 * Does what a Dockerfile says, without containers: each stage has a folder that stands for its root, and all programs are
 * those of this machine. In the last stage `RUN` is left out, as it changes a system; and what `npm ci` has installed here
 * is taken as it is.
 *
 * @returns The folder of the last stage.
 */
export async function runStages(
  dockerfile: string,
  { context, folder }: { readonly context: string; readonly folder: string },
): Promise<string> {
  const instructions = DockerfileParser.parse(readFileSync(dockerfile, "utf8")).getInstructions();
  const stages = instructions.filter((instruction) => instruction.getKeyword() === "FROM") as From[];
  const last = stages.at(-1);
  const roots = new Map<string, string>();
  let stage = "";
  let isLast = false;
  let cwd = "/";
  for (const instruction of instructions) {
    const text = instruction.getArgumentsContent() ?? "";
    switch (instruction.getKeyword()) {
      case "FROM":
        stage = join(folder, (instruction as From).getBuildStage() ?? "last");
        roots.set(basename(stage), stage);
        isLast = instruction.getRange().start.line === last?.getRange().start.line;
        break;
      case "WORKDIR":
        cwd = text;
        mkdirSync(join(stage, cwd), { recursive: true });
        break;
      case "COPY":
        copy(instruction as Copy, { from: (name) => roots.get(name) ?? context, to: join(stage, cwd) });
        break;
      case "RUN":
        if (isLast) break;
        if (text === installAll) symlinkSync(join(root, "node_modules"), join(stage, cwd, "node_modules"));
        else await run("sh", ["-ec", text], { cwd: join(stage, cwd), env: environment() });
        break;
    }
  }
  return stage;
}

const installAll = "npm ci --no-audit --no-fund";
const run = promisify(execFile);

function copy(instruction: Copy, { from, to }: { from: (name: string) => string; to: string }): void {
  const flag = instruction.getFromFlag();
  const source = from(flag?.getValue() ?? "");
  const paths = argumentsOf(instruction);
  const target = join(to, paths.pop() ?? "");
  for (const path of paths) {
    const isIntoFolder = paths.length > 1 || (existsSync(target) && statSync(target).isDirectory());
    const isFile = statSync(join(source, path)).isFile();
    cpSync(join(source, path), isIntoFolder && isFile ? join(target, basename(path)) : target, { recursive: true });
  }
}

function argumentsOf(instruction: Instruction): string[] {
  return instruction
    .getArguments()
    .map((argument) => argument.getValue())
    .filter((value) => !value.startsWith("--"));
}

/** As in a fresh container, but for the packages that npm has fetched before. */
function environment(): Record<string, string> {
  const { PATH = "", HOME = "" } = process.env;
  return { PATH, HOME, npm_config_prefer_offline: "true", npm_config_update_notifier: "false" };
}
