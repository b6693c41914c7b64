// The first step of a verification: its input is judged, its comparisons are written down.
import { z } from 'zod';
import type { NewVerificationItem, VerificationInput } from '../../shared/io/store-verifications.js';
import type { ActivityDeps } from '../deps.js';
import { finalFailure } from '../failures.js';

const schema = z.strictObject({
  index: z.string().min(1).nullable().default(null),
  repair: z.boolean().default(false),
  from: z.string().min(1).nullable().default(null),
  documentsPerSecond: z.number().positive().nullable().default(null),
});

/** The one workflow id that a cluster's verifications may have. */
export function verifyWorkflowId(clusterId: string): string {
  return `miroir/verify/${clusterId}`;
}

/** Judges the input and opens the verification. Throws InvalidInput, which fails the workflow at once. */
export async function openVerification(
  deps: ActivityDeps,
  run: { workflowId: string; verificationId: string; input: unknown },
): Promise<VerificationInput> {
  const topology = await deps.store.readTopology();
  const expectedId = verifyWorkflowId(topology.clusterId);
  if (run.workflowId !== expectedId)
    throw invalid(
      `the workflow id must be "${expectedId}", for one verification runs at a time; it is "${run.workflowId}"`,
    );
  const parsed = schema.safeParse(run.input ?? {});
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.join('.') || 'input'}: ${issue.message}`,
    );
    throw invalid(
      `${problems.join('; ')}. Expected {"index":"movies","repair":true,"from":"n1"}, each of them optional`,
    );
  }
  const input = parsed.data;
  const indexes = topology.indexes.filter(
    (index) => index.deletedSeq === null && (input.index === null || index.uid === input.index),
  );
  if (input.index !== null && indexes.length === 0) throw invalid(`there is no index "${input.index}"`);
  if (input.from !== null && !input.repair)
    throw invalid('from: says which node is right when repairing: set repair');
  if (input.from !== null && !topology.nodes.some((node) => node.id === input.from))
    throw invalid(`there is no node "${input.from}"`);
  const items = indexes.flatMap((index): NewVerificationItem[] => {
    const of = { indexUid: index.uid, incarnation: index.incarnation, shard: null, node: null };
    return [
      { ...of, kind: 'settings' },
      ...Object.keys(index.physicalNames)
        .sort()
        .map((node): NewVerificationItem => ({ ...of, kind: 'strays', node })),
      ...index.shards.map((_replicas, shard): NewVerificationItem => ({ ...of, kind: 'shard', shard })),
    ];
  });
  await deps.store.openVerification(run.verificationId, input, items);
  return input;
}

function invalid(message: string) {
  return finalFailure('InvalidInput', message);
}
