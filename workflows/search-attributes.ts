// Search attributes of a change, where the server has them: an unregistered one would stop the workflow task for ever,
// so that the worker says with the validated input whether they may be used.
import { upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { ValidatedChange } from './messages.js';

// defineSearchAttributeKey is not exported to workflows; a key is this and nothing more.
const CLUSTER = { name: 'MiroirCluster', type: 'KEYWORD' } as const;
const OPERATION = { name: 'MiroirOp', type: 'KEYWORD' } as const;
const PHASE = { name: 'MiroirPhase', type: 'KEYWORD' } as const;
const NODES = { name: 'MiroirNodes', type: 'KEYWORD_LIST' } as const;

export function showPhase(change: ValidatedChange, phase: string): void {
  if (!change.searchable) return;
  upsertSearchAttributes([
    { key: CLUSTER, value: workflowInfo().workflowId.replace('miroir/topology/', '') },
    { key: OPERATION, value: change.kind },
    { key: PHASE, value: phase },
    { key: NODES, value: [...change.removed, ...change.added.map((node) => node.id)] },
  ]);
}
