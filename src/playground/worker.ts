import { parentPort } from "node:worker_threads";
import { builtInMappings } from "../mappings.ts";
import type { WorkerMessage, WorkerRequest, WorkerResponse } from "./playground.ts";
import { tryMapping } from "./try-mapping.ts";
import { createWorkbench } from "./workbench.ts";

/** The thread in which mapping texts are compiled: one that takes long, or for ever, takes nobody else's time. */
const workbench = createWorkbench(builtInMappings());

parentPort?.on("message", ({ id, request }: WorkerRequest) => {
  const response: WorkerResponse = {
    id,
    answer: request === "dialects" ? workbench.dialects() : tryMapping(request, workbench),
  };
  parentPort?.postMessage(response);
});
parentPort?.postMessage("ready" satisfies WorkerMessage);
