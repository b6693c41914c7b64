// Search attributes of a change, where the server has them: an unregistered one would stop the workflow task for ever,
// so that the worker says with the validated input whether they may be used.
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { ValidatedChange } from './messages.js';

const CLUSTER = defineSearchAttributeKey('MiroirCluster', SearchAttributeType.KEYWORD);
const OPERATION = defineSearchAttributeKey('MiroirOp', SearchAttributeType.KEYWORD);
const PHASE = defineSearchAttributeKey('MiroirPhase', SearchAttributeType.KEYWORD);
const NODES = defineSearchAttributeKey('MiroirNodes', SearchAttributeType.KEYWORD_LIST);

export function showPhase(change: ValidatedChange, phase: string): void {
  if (!change.searchable) return;
  upsertSearchAttributes([
    { key: CLUSTER, value: workflowInfo().workflowId.replace('miroir/topology/', '') },
    { key: OPERATION, value: change.kind },
    { key: PHASE, value: phase },
    { key: NODES, value: [...change.removed, ...change.added.map((node) => node.id)] },
  ]);
}
