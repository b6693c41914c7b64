// The proxy's process: state store, lease, nodes, HTTP. Says where it listens in one JSON line on stdout.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { pathToFileURL } from 'node:url';
import { TemporalChanges } from '../shared/io/changes.js';
import { type Config, ConfigError, configFileOf, loadConfig } from '../shared/io/config.js';
import { loadHash } from '../shared/io/hash.js';
import { createLogger } from '../shared/io/observe.js';
import { openStore } from '../shared/io/open-store.js';
import { OPEN_CHANGES } from '../shared/io/store-changes.js';
import { StoreUnavailable } from '../shared/io/store-failure.js';
import { TemporalVerifications } from '../shared/io/verifications.js';
import { buildApp } from './app.js';
import type { ProxyContext } from './context.js';
import { Hedging } from './hedging.js';
import { TopologyNodePool } from './node-pool.js';
import { registerAdminRoutes } from './routes/admin.js';
import { registerDocumentRoutes } from './routes/documents.js';
import { registerSearchRoutes } from './routes/search.js';
import { SearchTurns } from './search/search-turns.js';
import { positionsOf, StatisticsCache } from './search/statistics-cache.js';
import { LeasedTopology } from './topology-watcher.js';

export interface RunningProxy {
  /** Where it listens, like http://127.0.0.1:7700. */
  readonly url: string;
  /** Stops accepting, lets requests finish, gives the lease back and closes everything. */
  stop(): Promise<void>;
}

/** How long requests may still take once the proxy was told to stop. */
const DRAIN_MS = 30_000;

/** Starts a proxy in this process and waits until it listens and holds its lease. */
export async function runProxy(config: Config): Promise<RunningProxy> {
  const log = createLogger({ name: 'miroir-proxy', level: config.logLevel });
  const store = await openStore(config.storeUrl, {
    // Nothing can be done without it; whoever supervises this process starts it again.
    onLost: (error) => {
      log.fatal({ err: error }, 'the proxy ends');
      process.exit(1);
    },
  });
  await store.initialize({
    clusterId: config.clusterId,
    replicationFactor: config.replicationFactor,
    defaultShardCount: config.defaultShardCount,
  });
  const nowMs = () => performance.now();
  const nodes = new TopologyNodePool({
    readSecrets: () => store.readNodeSecrets(),
    fallbackAdminKey: config.nodeMasterKey,
    nowMs,
    log,
  });
  const proxyId = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  const watcher = new LeasedTopology({
    store,
    clock: { nowMs },
    log,
    proxyId,
    url: config.publicUrl ?? null,
    ttlMs: config.leaseTtlMs,
    graceMs: config.leaseGraceMs,
    onTopology: (topology) => nodes.adopt(topology),
  });
  await watcher.start();

  const ctx: ProxyContext = {
    store,
    watcher,
    nodes,
    searches: new SearchTurns(),
    hedging: new Hedging(nowMs),
    hash: await loadHash(),
    statistics: new StatisticsCache(positionsOf(store)),
    options: {
      proxyId,
      masterKey: config.masterKey,
      adminApiKey: config.adminApiKey,
      searchDeadlineMs: config.searchDeadlineMs,
      unavailable: config.unavailable,
      payloadLimitBytes: config.payloadLimitBytes,
    },
    log,
  };
  const temporal = {
    address: config.temporalAddress,
    namespace: config.temporalNamespace,
    taskQueue: config.taskQueue,
    clusterId: config.clusterId,
  };
  const changes = new TemporalChanges(temporal, async () => {
    const latest = await store.readLatestChange();
    return latest === null || !OPEN_CHANGES.has(latest.status);
  });
  const verifications = new TemporalVerifications(
    changes,
    config,
    async () => (await store.readLatestVerification())?.status === 'running',
  );
  const app = await buildApp(ctx, [
    registerDocumentRoutes,
    registerSearchRoutes,
    (scope) => registerAdminRoutes(scope, { ...ctx, changes, verifications }),
  ]);
  const url = await app.listen({ host: config.host, port: config.port });
  watcher.announce(config.publicUrl ?? url);
  log.info({ url, proxyId, cluster: config.clusterId }, 'the proxy listens');

  let stopping: Promise<void> | null = null;
  const stop = async () => {
    await app.close();
    await watcher.stop().catch((error) => log.warn({ err: error }, 'the lease could not be given back'));
    await Promise.all([changes.close(), nodes.close()]);
    await store.close();
  };
  return { url, stop: () => (stopping ??= stop()) };
}

/** Runs a proxy until SIGTERM or SIGINT. */
export async function main(args: readonly string[]): Promise<void> {
  const proxy = await runProxy(loadConfig({ file: configFileOf(args) }));
  process.stdout.write(`${JSON.stringify({ listening: proxy.url })}\n`);
  const end = () => {
    setTimeout(() => process.exit(1), DRAIN_MS).unref();
    proxy.stop().then(
      () => process.exit(0),
      (error) => {
        process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main(process.argv.slice(2)).catch((error) => {
    const readable =
      error instanceof ConfigError || error instanceof StoreUnavailable
        ? error.message
        : error instanceof Error
          ? error.stack
          : error;
    process.stderr.write(`${readable}\n`);
    process.exit(error instanceof ConfigError ? 2 : 1);
  });
}
