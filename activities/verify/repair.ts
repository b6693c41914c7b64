// Repairing what a verification has found: strays and settings through the node's stream, wrong replicas by a mark that
// the next healing change acts upon. Where evidence does not tell who is wrong, nothing is touched.
import { findNode } from '../../shared/core/topology.js';
import type { VerificationItem } from '../../shared/io/store-verifications.js';
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { awaitControl, ControlFailed, requestControl } from '../moves/controls.js';
import { comparableReplicas, liveIndex } from './replicas.js';

/** For so long a node's stream may leave a repair undone before it is given up. */
const CONTROL_MS = 60_000;
const MOST_ITEMS = 100_000;

/** Repairs what can be; answers how many replicas wait to be copied anew. */
export async function repairFindings(
  deps: ActivityDeps,
  verificationId: string,
  round: number,
  beat: Beat,
): Promise<{ waiting: number }> {
  const items = await deps.store.listVerificationItems(verificationId, ['different'], MOST_ITEMS);
  let waiting = 0;
  for (const item of items) {
    beat.report({ repairing: item.kind, index: item.indexUid, shard: item.shard, node: item.node });
    const key = `verify/${verificationId}/${round}/${item.ordinal}`;
    if (item.kind === 'shard') waiting += await markWrong(deps, item);
    if (item.kind === 'strays') await askStream(deps, item, 'sweep', item.node!, key, beat);
    if (item.kind === 'settings')
      for (const node of Object.keys(item.detail.drift ?? {}))
        await askStream(deps, item, 'settings', node, `${key}/${node}`, beat);
    await deps.faults.reach('verification.repaired');
  }
  return { waiting };
}

/**
 * Marks the wrong replicas of a shard. Not while something about it is undecided or could not be compared, and never
 * when no in-sync replica is right about everything: a copy would carry the wrong documents on.
 */
async function markWrong(deps: ActivityDeps, item: VerificationItem): Promise<number> {
  const { wrong = [], unchecked = [] } = item.detail;
  const index = liveIndex(await deps.store.readTopology(), item.incarnation);
  if (index === null || item.undecided || unchecked.length > 0 || item.detail.reason !== undefined) return 0;
  const isRight = comparableReplicas(index, item.shard!).some(
    (replica) => replica.state === 'in-sync' && !wrong.some(({ node }) => node === replica.node),
  );
  if (!isRight) return 0;
  let marked = 0;
  for (const { node, evidence } of wrong) {
    const cause = `node ${node} is wrong about shard ${item.shard} of ${item.indexUid}: ${evidence}`;
    if (await deps.store.markReplica(node, item.incarnation, item.shard!, 'verification', cause)) marked += 1;
  }
  return marked;
}

async function askStream(
  deps: ActivityDeps,
  item: VerificationItem,
  kind: 'sweep' | 'settings',
  node: string,
  key: string,
  beat: Beat,
): Promise<void> {
  if (!findNode(await deps.store.readTopology(), node)) return;
  const { incarnation } = item;
  try {
    const control = { node, kind, key, moveId: null, incarnation, shard: null, args: {} };
    await awaitControl(
      deps,
      await requestControl(deps.store, control),
      beat,
      deps.clock.nowMs() + CONTROL_MS,
    );
  } catch (error) {
    // Its node is away or has lost the index: the finding stays, and says so.
    if (!(error instanceof ControlFailed || (error as { type?: string }).type === 'Stalled')) throw error;
    deps.log.warn({ node, index: item.indexUid }, `${kind} was not carried out: ${(error as Error).message}`);
  }
}
