import type { Arrival, GatewaySpool, SpoolRecord } from "../../src/spool/spool.ts";

/** Appends and resolves with the record once it is synced; rejects where it is refused. */
export function append(gateway: GatewaySpool, arrival: Arrival): Promise<SpoolRecord> {
  return new Promise((resolve, reject) => {
    gateway.append(arrival, (record, error) => (record === undefined ? reject(error) : resolve(record)));
  });
}
