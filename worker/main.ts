// The worker's process: runs workflows and activities, keeps a stream running for every node. Says when it is ready
// in one JSON line on stdout.

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { pathToFileURL } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { DEFAULT_ACTIVITY_OPTIONS } from '../activities/deps.js';
import { createActivities } from '../activities/index.js';
import { REAL_CLOCK } from '../shared/io/clock.js';
import { type Config, ConfigError, configFileOf, loadConfig } from '../shared/io/config.js';
import { parseFaults } from '../shared/io/faults.js';
import { loadHash } from '../shared/io/hash.js';
import { createNodeDirectory } from '../shared/io/node-directory.js';
import { createLogger } from '../shared/io/observe.js';
import { openStore } from '../shared/io/open-store.js';
import { StoreUnavailable } from '../shared/io/store-failure.js';
import { loadWorkflows, WORKFLOW_CODE_LIMIT } from './bundle.js';
import { connectTemporal, hasSearchAttributes } from './connection.js';
import { keepRetention } from './retention-keeper.js';
import { keepSchedule } from './schedule.js';
import { StreamKeeper } from './stream-keeper.js';

export interface RunningWorker {
  /** Resolves when the worker has stopped. */
  stopped: Promise<void>;
  /** Stops taking work, ends the streams between two groups, closes everything. */
  stop(): Promise<void>;
}

const SHUTDOWN_GRACE_MS = 10_000;
const GARBAGE_MS = 10_000;

/** Starts a worker in this process; resolves when it takes work. */
export async function runWorker(config: Config): Promise<RunningWorker> {
  const log = createLogger({ name: 'miroir-worker', level: config.logLevel });
  Runtime.install({ logger: new DefaultLogger('WARN'), shutdownSignals: [] });
  const store = await openStore(config.storeUrl, {
    // Nothing can be done without it; whoever supervises this process starts it again.
    onLost: (error) => {
      log.fatal({ err: error }, 'the worker ends');
      process.exit(1);
    },
  });
  await store.initialize({
    clusterId: config.clusterId,
    replicationFactor: config.replicationFactor,
    defaultShardCount: config.defaultShardCount,
  });
  const target = { address: config.temporalAddress, namespace: config.temporalNamespace };
  const { native, connection } = await connectTemporal(target, log, {
    native: () => NativeConnection.connect({ address: target.address }),
    client: () => Connection.connect({ address: target.address, connectTimeout: 4_000 }),
  });
  const client = new Client({ connection, namespace: target.namespace });
  const nodes = createNodeDirectory(store);
  const keeper = new StreamKeeper({
    store,
    client,
    log,
    taskQueue: config.taskQueue,
    clusterId: config.clusterId,
  });
  const ending = { requested: false };
  const activities = createActivities({
    store,
    nodes,
    hash: await loadHash(),
    log,
    options: {
      ...DEFAULT_ACTIVITY_OPTIONS,
      copyChunkDocuments: config.copyChunkDocuments,
      nodeMasterKey: config.nodeMasterKey,
      demoteAfterMs: config.demoteAfterMs,
      verifyDocumentsPerSecond: config.verifyDocumentsPerSecond,
      health: {
        ...DEFAULT_ACTIVITY_OPTIONS.health,
        downAfterMs: config.nodeDownAfterMs,
        recoverAfterMs: config.nodeRecoverAfterMs,
        lostAfterMs: config.healAfterMs,
      },
    },
    faults: parseFaults(process.env.MIROIR_FAULT),
    clock: REAL_CLOCK,
    isEnding: () => ending.requested,
    holder: `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`,
    defaults: {
      retentionMs: config.retentionMs,
      concurrency: config.concurrency,
      stepDeadlineMs: config.stepDeadlineMs,
      searchable: await hasSearchAttributes(connection, target.namespace, log),
    },
    heartbeatIntervalMs: config.heartbeatIntervalMs,
    startStream: (node) => keeper.start(node),
  });
  const worker = await Worker.create({
    connection: native,
    namespace: target.namespace,
    taskQueue: config.taskQueue,
    activities,
    ...loadWorkflows(),
    ...WORKFLOW_CODE_LIMIT,
    // Every node's stream holds a slot for as long as it runs.
    maxConcurrentActivityTaskExecutions: 2_000,
    maxCachedWorkflows: 200,
    maxHeartbeatThrottleInterval: config.heartbeatIntervalMs,
    defaultHeartbeatThrottleInterval: config.heartbeatIntervalMs,
    shutdownGraceTime: SHUTDOWN_GRACE_MS,
  });
  const running = worker.run();
  keeper.begin();
  const retention = keepRetention({
    store,
    client,
    log,
    taskQueue: config.taskQueue,
    clusterId: config.clusterId,
  });
  await keepSchedule(client, config, log);
  const garbage = setInterval(() => {
    store
      .collectGarbage()
      .catch((error: Error) => log.warn({}, `could not collect garbage: ${error.message}`));
  }, GARBAGE_MS);

  const stopped = running.finally(async () => {
    clearInterval(garbage);
    retention.stop();
    keeper.end();
    await nodes.close();
    await store.close();
    await connection.close();
    await native.close();
  });
  return {
    stopped,
    async stop() {
      ending.requested = true;
      retention.stop();
      keeper.end();
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await stopped;
    },
  };
}

async function main(): Promise<void> {
  const config = loadConfig({ file: configFileOf(process.argv.slice(2)) });
  const worker = await runWorker(config);
  process.stdout.write(`${JSON.stringify({ worker: 'ready', pid: process.pid })}\n`);
  const stop = () => {
    worker.stop().catch((error: unknown) => {
      process.stderr.write(`miroir worker: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 1;
    });
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  await worker.stopped;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main().then(
    () => process.exit(),
    (error: unknown) => {
      const message =
        error instanceof ConfigError || error instanceof StoreUnavailable
          ? error.message
          : error instanceof Error
            ? error.stack
            : String(error);
      process.stderr.write(`miroir worker: ${message}\n`);
      process.exit(1);
    },
  );
}
