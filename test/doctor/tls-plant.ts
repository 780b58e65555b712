import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openPlant, type Plant, type PlantOptions } from "../bridge/harness.ts";
import type { Authority, IssueOptions } from "../local/certificates.ts";

export interface TlsPlantOptions extends PlantOptions {
  /** Who vouches for the cloud. */
  readonly authority: Authority;
  /** Who is believed to; the same if left out. */
  readonly trusted?: Authority;
  readonly certificate?: IssueOptions;
}

/** A stand-in cloud behind TLS, and a configuration that trusts its authority. */
export async function openTlsPlant({
  authority,
  trusted = authority,
  certificate,
  ...options
}: TlsPlantOptions): Promise<Plant> {
  const tls = authority.issue("cloud", certificate);
  const plant = await openPlant({
    ...options,
    cloud: { listen: ["mqtts://127.0.0.1:0"], tls, ...options.cloud },
    upstream: { tls: { ca: "file:ca.pem" }, ...options.upstream },
  });
  writeFileSync(join(plant.folder, "ca.pem"), trusted.certificate);
  return plant;
}
