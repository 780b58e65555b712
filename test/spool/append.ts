import type { Arrival, GatewaySpool, SpoolRecord } from "../../src/spool/spool.ts";

/** Appends and resolves with the record once it is synced; rejects where it is refused. */
export function append(gateway: GatewaySpool, arrival: Arrival): Promise<SpoolRecord> {
  return new Promise((resolve, reject) => {
    const record = gateway.append(arrival, (error) => {
      if (error === undefined && record !== undefined) resolve(record);
      else reject(error);
    });
  });
}
