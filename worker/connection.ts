// Connecting to Temporal: waits for a server that is not up yet, and says so.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import type { Log } from '../activities/deps.js';
import { SEARCH_ATTRIBUTES } from '../shared/io/temporal-server.js';

const RETRY_MS = 1_000;

/** Connects both ways; tries again for as long as it takes. */
export async function connectTemporal(
  target: { address: string; namespace: string },
  log: Log,
  connect: { native: () => Promise<NativeConnection>; client: () => Promise<Connection> },
): Promise<{ native: NativeConnection; connection: Connection }> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const connection = await connect.client();
      return { native: await connect.native(), connection };
    } catch (error) {
      log.warn(
        { attempt },
        `Temporal at ${target.address} does not answer (${error instanceof Error ? error.message : String(error)}): trying again; set TEMPORAL_ADDRESS, or start it`,
      );
      await sleep(RETRY_MS);
    }
  }
}

const VALUE_TYPES = { Keyword: 2, KeywordList: 7 } as const;

/** Registers Miroir's search attributes; false where that is not allowed, and changes then go without them. */
export async function hasSearchAttributes(
  connection: Connection,
  namespace: string,
  log: Log,
): Promise<boolean> {
  try {
    const listed = await connection.operatorService.listSearchAttributes({ namespace });
    const missing = Object.entries(SEARCH_ATTRIBUTES).filter(
      ([name]) => !(name in (listed.customAttributes ?? {})),
    );
    if (missing.length > 0) {
      await connection.operatorService.addSearchAttributes({
        namespace,
        searchAttributes: Object.fromEntries(missing.map(([name, type]) => [name, VALUE_TYPES[type]])),
      });
    }
    return true;
  } catch (error) {
    log.warn(
      {},
      `search attributes cannot be registered, changes go without them: ${(error as Error).message}`,
    );
    return false;
  }
}
