// The end of a change. What its moves keep for a rollback outlives it: then the change is `retaining`, and the next one
// may begin.
import type { ValidatedChange } from '../../workflows/messages.js';
import type { ActivityDeps } from '../deps.js';
import { releaseNodes } from './nodes.js';
import { abandonRollback, finishRollback } from './rollback.js';

export async function finishChange(deps: ActivityDeps, change: ValidatedChange): Promise<void> {
  const { store } = deps;
  const { changeId, kind, removed } = change;
  if (change.rollback !== null) await finishRollback(deps, change, change.rollback);
  const leaving = kind === 'remove' ? removed : [];
  // What it serves was not moved: the node cannot go.
  const { kept, serving } = await store.countReplicas(leaving);
  const isKept = (await store.readRetention(changeId)).sources > 0 || (kept > 0 && serving === 0);
  if (!isKept) await releaseNodes(deps, changeId, leaving);
  else for (const id of leaving) await store.setNodeState(id, 'drained', `change ${changeId} drained ${id}`);
  if (kind === 'drain')
    for (const id of removed) await store.setNodeState(id, 'drained', `change ${changeId} drained ${id}`);
  const status = isKept ? 'retaining' : 'done';
  await store.setChangeStatus(changeId, status);
  await store.recordEvent({ changeId, event: status, moveId: null, by: null, detail: {} });
  await store.collectGarbage();
}

/** The nodes of a change that will not go on become ordinary members again. */
export async function abandonChange(
  deps: ActivityDeps,
  change: ValidatedChange,
  status: 'aborted' | 'failed',
): Promise<void> {
  const { store } = deps;
  const { changeId } = change;
  if (change.rollback !== null) await abandonRollback(deps, change, change.rollback);
  for (const id of change.removed) {
    const topology = await store.readTopology();
    if (topology.nodes.find((node) => node.id === id)?.state === 'draining')
      await store.setNodeState(id, 'active', `change ${changeId} was ${status}`);
  }
  await store.setChangeStatus(changeId, status);
  await store.recordEvent({ changeId, event: status, moveId: null, by: null, detail: {} });
}
