// A node's stream: the one writer beside which nothing changes documents on the node. Takeover, fence, then groups and
// controls in turn until it is told to stop or a newer generation takes over.
import type { NodeId } from '../../shared/core/topology.js';
import { NodeRefusal, NodeUnreachable } from '../../shared/io/node-client.js';
import { UnknownNode } from '../../shared/io/node-directory.js';
import type { ActivityDeps } from '../deps.js';
import { NodeLost, NodeTrouble, type StreamContext } from './context.js';
import { runControls } from './controls.js';
import { deliverGroup } from './delivery.js';
import { ensureIndex, fenceNode, loadIndexes } from './physical-index.js';
import { checkContent, requireContent } from './rebuild.js';

export interface StreamProgress {
  node: NodeId;
  generation: number;
  delivered: number;
  lastError: string | null;
}

export interface StreamRun {
  node: NodeId;
  holder: string;
  signal: AbortSignal;
  /** Ends the run in order when it answers true: between two groups, with nothing in flight. */
  isOver: () => boolean;
  report: (progress: StreamProgress) => void;
}

/** Runs the stream of a node; answers why it ended. Throws StaleGeneration when another holder took over. */
export async function runStream(deps: ActivityDeps, run: StreamRun): Promise<'over' | 'removed'> {
  const takeover = await deps.store.takeOverStream(run.node, run.holder);
  if (!takeover) return 'removed';
  await deps.faults.reach('stream.taken');
  const { clusterId } = await deps.store.readTopology();
  const context: StreamContext = {
    ...deps,
    node: run.node,
    clusterId,
    client: await deps.nodes.client(run.node),
    generation: takeover.generation,
    signal: run.signal,
    lastTaskUid: null,
    indexes: new Map(),
  };
  const progress: StreamProgress = {
    node: run.node,
    generation: takeover.generation,
    delivered: 0,
    lastError: null,
  };
  run.report(progress);
  const trouble = new Trouble(context, progress, run);
  // A wake-up after trouble begins like a takeover: what was in flight is unknown, so it is fenced.
  for (let unclean = takeover.unclean; ; unclean = true) {
    try {
      await prepare(context, unclean);
      // Nothing may be waiting whose confirmation would say so, and others wait for a node that is well.
      await deps.store.reportStream(run.node, takeover.generation, null);
      trouble.end();
      await deliverUntilOver(context, run, progress);
      return 'over';
    } catch (error) {
      if (run.signal.aborted) throw run.signal.reason ?? error;
      if (error instanceof UnknownNode) return 'removed';
      await trouble.wait(error);
      if (run.isOver()) return 'over';
    }
  }
}

async function prepare(context: StreamContext, unclean: boolean): Promise<void> {
  context.client = await context.nodes.client(context.node);
  const isRenamed = await requireContent(context);
  await loadIndexes(context);
  if (unclean || isRenamed) {
    // A death between the renaming and its record must not look like a clean node without its index.
    await context.store.setUnclean(context.node, context.generation, true);
    await fenceNode(context);
  }
  await provision(context);
  await context.store.setUnclean(context.node, context.generation, false);
}

/** A joining node gets every index of the topology, with the settings as of its position. */
async function provision(context: StreamContext): Promise<void> {
  const streams = await context.store.readStreams();
  const own = streams.find((stream) => stream.node === context.node);
  if (!own || own.provisioned) return;
  await context.store.setUnclean(context.node, context.generation, true);
  const topology = await context.store.readTopology();
  for (const index of topology.indexes) {
    if (index.deletedSeq !== null && index.deletedSeq <= own.position) continue;
    await ensureIndex(context, {
      incarnation: index.incarnation,
      uid: index.uid,
      primaryKey: index.primaryKey,
      seq: own.position,
    });
  }
  await context.store.setProvisioned(context.node, context.generation);
}

/** Without deliveries nobody would notice that an idle node has lost its disk. */
const IDLE_CHECK_MS = 2_000;

async function deliverUntilOver(
  context: StreamContext,
  run: StreamRun,
  progress: StreamProgress,
): Promise<void> {
  const { node, generation, store, options } = context;
  let caughtUp = false;
  let checkedMs = context.clock.nowMs();
  while (!run.isOver()) {
    run.signal.throwIfAborted();
    if (!(await store.hasWork(node, generation))) {
      if (!caughtUp) {
        await store.promoteNode(node, generation, `node ${node} has caught up`);
        caughtUp = true;
      }
      if (context.clock.nowMs() - checkedMs > IDLE_CHECK_MS) {
        checkedMs = context.clock.nowMs();
        await checkContent(context);
      }
      await context.clock.sleep(options.pollMs);
      continue;
    }
    const group = await store.readGroup(node, generation, {
      entries: options.groupEntries,
      bytes: options.groupBytes,
    });
    if (group) {
      await deliverGroup(context, group);
      progress.delivered += group.entries.length;
    }
    const controls = await store.nextControls(node, generation, 16);
    if (controls.length > 0) {
      await store.setUnclean(node, generation, true);
      await runControls(context, controls);
      await store.setUnclean(node, generation, false, context.lastTaskUid);
      // A replay that waits for its source would otherwise be asked for without a pause.
      if (!group) await context.clock.sleep(options.pollMs);
    }
  }
}

/** Waits out a node that does not answer or cannot index, and demotes it when that lasts. */
class Trouble {
  private sinceMs: number | null = null;
  private attempt = 0;
  constructor(
    private readonly context: StreamContext,
    private readonly progress: StreamProgress,
    private readonly run: StreamRun,
  ) {}

  end(): void {
    this.sinceMs = null;
    this.attempt = 0;
    this.progress.lastError = null;
  }

  async wait(error: unknown): Promise<void> {
    const { context, progress } = this;
    const known =
      error instanceof NodeUnreachable ||
      error instanceof NodeTrouble ||
      error instanceof NodeLost ||
      error instanceof NodeRefusal;
    if (!known) throw error;
    this.sinceMs ??= context.clock.nowMs();
    this.attempt += 1;
    progress.lastError = error.message;
    this.run.report(progress);
    context.log.warn({ node: context.node, attempt: this.attempt }, error.message);
    await context.store.reportStream(context.node, context.generation, error.message);
    const lost = error instanceof NodeLost;
    // Again and again: what was the last in-sync replica of a shard is not once another one has caught up.
    if (lost || context.clock.nowMs() - this.sinceMs >= context.options.demoteAfterMs)
      await context.store.demoteNode(context.node, error.message, lost);
    await context.clock.sleep(lost ? 2_000 : Math.min(50 * 2 ** this.attempt, 1_000));
  }
}
