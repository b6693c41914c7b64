// The first step of a change: its input is judged before anything is touched, for the plain Temporal CLI starts
// workflows too. Every refusal says what is wrong and what to do.
import { z } from 'zod';
import { NODE_ID, NODE_ID_RULE, nodeUrlProblem, normalizeNodeUrl } from '../../shared/core/node-address.js';
import type { NodeId, Topology } from '../../shared/core/topology.js';
import type { ChangeInput, ChangeNode, ValidatedChange } from '../../workflows/messages.js';
import type { ActivityDeps } from '../deps.js';
import { finalFailure } from '../failures.js';
import { requireRollback } from './rollback.js';

const nodeId = z.string().regex(NODE_ID, NODE_ID_RULE);
const nodeUrl = z.string().superRefine((text, ctx) => {
  const problem = nodeUrlProblem(text);
  if (problem !== null) ctx.addIssue(problem);
});
const newNode = z.strictObject({
  id: nodeId,
  url: nodeUrl,
  zone: z.string().min(1).nullable().optional(),
  weight: z.number().positive().max(1_000).optional(),
});
const options = z.strictObject({
  retentionMs: z.number().int().min(0).optional(),
  concurrency: z.number().int().min(1).max(64).optional(),
  copyChunkDocuments: z.number().int().min(1).max(100_000).optional(),
  copyDocumentsPerSecond: z.number().positive().optional(),
  nodeConcurrency: z.number().int().min(1).max(64).optional(),
  approve: z.boolean().optional(),
  stepDeadlineMs: z.number().int().min(1_000).optional(),
});
const input = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('add'), nodes: z.array(newNode).min(1), options: options.optional() }),
  z.strictObject({ kind: z.literal('remove'), nodes: z.array(nodeId).min(1), options: options.optional() }),
  z.strictObject({ kind: z.literal('drain'), nodes: z.array(nodeId).min(1), options: options.optional() }),
  z.strictObject({
    kind: z.literal('rebalance'),
    nodes: z.array(nodeId).max(0).default([]),
    options: options.optional(),
  }),
  z.strictObject({
    kind: z.literal('rollback'),
    nodes: z.array(nodeId).max(0).default([]),
    change: z.string().min(1).optional(),
    move: z.string().min(1).optional(),
    options: options.optional(),
  }),
]);

export interface ChangeDefaults {
  retentionMs: number;
  concurrency: number;
  stepDeadlineMs: number;
  /** Whether the Temporal server knows Miroir's search attributes. */
  searchable: boolean;
}

/** Judges the input and opens the change. Throws InvalidInput, which fails the workflow at once. */
export async function validateChange(
  deps: ActivityDeps,
  defaults: ChangeDefaults,
  run: { workflowId: string; changeId: string; input: unknown },
): Promise<ValidatedChange> {
  const topology = await deps.store.readTopology();
  const expectedId = `miroir/topology/${topology.clusterId}`;
  if (run.workflowId !== expectedId)
    throw invalid(
      `the workflow id must be "${expectedId}", for one change runs at a time; it is "${run.workflowId}"`,
    );
  const parsed = input.safeParse(run.input);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.join('.') || 'input'}: ${issue.message}`,
    );
    throw invalid(
      `${problems.join('; ')}. Expected {"kind":"add","nodes":[{"id":"n4","url":"http://…"}]}, {"kind":"remove"|"drain","nodes":["n4"]}, {"kind":"rebalance"} or {"kind":"rollback","change":"…"} (or "move":"…")`,
    );
  }
  const change = parsed.data;
  const added = change.kind === 'add' ? change.nodes : [];
  const removed = change.kind === 'remove' || change.kind === 'drain' ? change.nodes : [];
  requireDistinct(added, removed);
  for (const node of added) requireNew(topology, node);
  for (const id of removed) requireKnown(topology, id);
  requireCapacity(topology, change.kind, added, removed);
  const rollback = change.kind === 'rollback' ? await requireRollback(deps, change) : null;
  await deps.store.openChange({
    id: run.changeId,
    kind: change.kind,
    input: change as unknown as Record<string, unknown>,
    runId: run.changeId,
  });
  await deps.store.recordEvent({
    changeId: run.changeId,
    event: 'opened',
    moveId: null,
    by: null,
    detail: { epoch: topology.epoch },
  });
  return {
    changeId: run.changeId,
    kind: change.kind,
    added: added.map((node) => ({ ...node, url: normalizeNodeUrl(node.url) })),
    removed,
    rollback,
    searchable: defaults.searchable,
    options: {
      retentionMs: change.options?.retentionMs ?? defaults.retentionMs,
      concurrency: change.options?.concurrency ?? defaults.concurrency,
      stepDeadlineMs: change.options?.stepDeadlineMs ?? defaults.stepDeadlineMs,
      approve: change.options?.approve ?? false,
      nodeConcurrency: change.options?.nodeConcurrency ?? null,
      copyChunkDocuments: change.options?.copyChunkDocuments ?? null,
      copyDocumentsPerSecond: change.options?.copyDocumentsPerSecond ?? null,
    },
  };
}

function invalid(message: string) {
  return finalFailure('InvalidInput', message);
}

function requireDistinct(added: readonly ChangeNode[], removed: readonly NodeId[]): void {
  const ids = [...added.map((node) => node.id), ...removed];
  const twin = ids.find((id, position) => ids.indexOf(id) !== position);
  if (twin !== undefined) throw invalid(`node "${twin}" is named twice`);
  const urls = added.map((node) => normalizeNodeUrl(node.url));
  const twinUrl = urls.find((url, position) => urls.indexOf(url) !== position);
  if (twinUrl !== undefined) throw invalid(`two nodes have the same URL ${twinUrl}`);
}

/** A node that a dead run has left `joining` may be added again. */
function requireNew(topology: Topology, node: ChangeNode): void {
  const url = normalizeNodeUrl(node.url);
  const sameId = topology.nodes.find((known) => known.id === node.id);
  if (sameId && !(sameId.state === 'joining' && sameId.url === url))
    throw invalid(
      `node "${node.id}" is already in the topology, at ${sameId.url} (${sameId.state}): choose another id`,
    );
  const sameUrl = topology.nodes.find((known) => known.url === url && known.id !== node.id);
  if (sameUrl) throw invalid(`the node at ${url} is already in the topology, as "${sameUrl.id}"`);
}

function requireKnown(topology: Topology, id: NodeId): void {
  if (topology.nodes.some((node) => node.id === id)) return;
  const known = topology.nodes.map((node) => node.id).join(', ') || 'none';
  throw invalid(`node "${id}" is not in the topology; known nodes: ${known}`);
}

function requireCapacity(
  topology: Topology,
  kind: ChangeInput['kind'],
  added: readonly ChangeNode[],
  removed: readonly NodeId[],
): void {
  const live = topology.indexes.filter((index) => index.deletedSeq === null);
  const needed = Math.max(topology.replicationFactor, ...live.map((index) => index.replicationFactor));
  const gone = new Set(removed);
  const left =
    topology.nodes.filter((node) => node.state === 'active' && !gone.has(node.id)).length + added.length;
  if ((kind === 'remove' || kind === 'drain') && left < needed) {
    throw invalid(
      `without ${removed.join(', ')} only ${left} active nodes would remain, and replication factor ${needed} needs ${needed}: add ${needed - left} more first`,
    );
  }
}
