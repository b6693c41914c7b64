// The end of a change. What its moves keep for a rollback outlives it: then the change is `retaining`, and the next one
// may begin.
import { releasedNodes } from '../../shared/core/change-edits.js';
import type { ValidatedChange } from '../../workflows/messages.js';
import type { ActivityDeps } from '../deps.js';
import { releaseNodes } from './nodes.js';
import { abandonRollback, finishRollback } from './rollback.js';

export async function finishChange(deps: ActivityDeps, change: ValidatedChange): Promise<void> {
  const { store } = deps;
  const { changeId, edits } = change;
  if (change.rollback !== null) await finishRollback(deps, change, change.rollback);
  const leaving = releasedNodes(edits);
  // What it serves was not moved: the node cannot go.
  const { kept, serving } = await store.countReplicas(leaving);
  const isKept = (await store.readRetention(changeId)).sources > 0 || (kept > 0 && serving === 0);
  if (!isKept) await releaseNodes(deps, changeId, leaving);
  else for (const id of leaving) await store.setNodeState(id, 'drained', `change ${changeId} drained ${id}`);
  for (const id of edits.drain) await store.setNodeState(id, 'drained', `change ${changeId} drained ${id}`);
  const status = isKept ? 'retaining' : 'done';
  await store.setChangeStatus(changeId, status);
  await store.recordEvent({ changeId, event: status, moveId: null, by: null, detail: {} });
  await store.collectGarbage();
}

/** What a change that will not go on has edited becomes what it was before. */
export async function abandonChange(
  deps: ActivityDeps,
  change: ValidatedChange,
  status: 'aborted' | 'failed',
  reason: string | null = null,
): Promise<void> {
  const { store } = deps;
  const { changeId } = change;
  if (change.rollback !== null) await abandonRollback(deps, change, change.rollback);
  await store.takeBackEdits(changeId);
  await store.recordEvent({
    changeId,
    event: status,
    moveId: null,
    by: null,
    detail: reason === null ? {} : { reason },
  });
  await store.setChangeStatus(changeId, status);
}
