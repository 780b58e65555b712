import type { Ledger } from "../../src/message/fate.ts";
import { endOf, family, singleKey } from "../../src/spool/keys.ts";
import { openLmdbStore } from "../../src/spool/lmdb-store.ts";
import { decodeGateway, encodeStored } from "../../src/spool/stored.ts";

/** Makes a closed spool count wrongly, as a defect would. */
export async function miscount(directory: string, gateway: string, change: (ledger: Ledger) => void): Promise<void> {
  const store = openLmdbStore({ directory, mapBytes: 64 * 1024 * 1024, onDamage: () => {} });
  const gateways = singleKey(family.gateway);
  for (const [key, value] of [...store.scan(gateways, endOf(gateways))]) {
    const stored = decodeGateway(value);
    if (stored.id !== gateway) continue;
    change(stored.ledger);
    store.put(key, encodeStored(stored));
  }
  await store.commit();
  await store.close();
}
