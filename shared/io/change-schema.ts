// The shapes of what starts a change: of the workflow's input and, with keys beside the nodes, of the admin API.
import { z } from 'zod';
import { NODE_ID, NODE_ID_RULE, nodeUrlProblem, normalizeNodeUrl } from '../core/node-address.js';

export const nodeIdSchema = z.string().regex(NODE_ID, NODE_ID_RULE);

const nodeUrl = z.string().transform((text, ctx) => {
  const problem = nodeUrlProblem(text);
  if (problem !== null) {
    ctx.addIssue(problem);
    return z.NEVER;
  }
  return normalizeNodeUrl(text);
});

const zone = z.string().min(1).max(64).nullable().optional();
const weight = z.number().positive().max(1_000).optional();

export const newNodeSchema = z.strictObject({ id: nodeIdSchema, url: nodeUrl, zone, weight });

export const replacementSchema = newNodeSchema.extend({ replaces: nodeIdSchema });

export const nodeSettingSchema = z
  .strictObject({ id: nodeIdSchema, zone, weight })
  .refine((node) => node.zone !== undefined || node.weight !== undefined, 'must set `zone` or `weight`');

export const replicationSchema = z.strictObject({
  index: z.string().min(1).nullable(),
  factor: z.number().int().min(1).max(16),
});

export const optionFields = {
  retentionMs: z.number().int().min(0).optional(),
  concurrency: z.number().int().min(1).max(64).optional(),
  copyChunkDocuments: z.number().int().min(1).max(100_000).optional(),
  copyDocumentsPerSecond: z.number().positive().optional(),
  nodeConcurrency: z.number().int().min(1).max(64).optional(),
  approve: z.boolean().optional(),
  stepDeadlineMs: z.number().int().min(1_000).optional(),
  allowFewerZones: z.boolean().optional(),
};

/** Several edits of one change; `node` and `replacement` say what is known of nodes that come. */
export function editsSchema<N extends z.ZodType, R extends z.ZodType>(node: N, replacement: R) {
  return z.strictObject({
    add: z.array(node).optional(),
    remove: z.array(nodeIdSchema).optional(),
    drain: z.array(nodeIdSchema).optional(),
    replace: z.array(replacement).optional(),
    set: z.array(nodeSettingSchema).optional(),
    replication: z.array(replicationSchema).optional(),
  });
}

/** Who asks, for the record. */
export const bySchema = z.string().min(1).max(200).optional();

const options = z.strictObject(optionFields).optional();
const by = bySchema;

/** The input of the workflow `topologyChange`. */
export const changeSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('add'), nodes: z.array(newNodeSchema).min(1), options, by }),
  z.strictObject({ kind: z.literal('remove'), nodes: z.array(nodeIdSchema).min(1), options, by }),
  z.strictObject({ kind: z.literal('drain'), nodes: z.array(nodeIdSchema).min(1), options, by }),
  z.strictObject({ kind: z.literal('replace'), nodes: z.array(replacementSchema).min(1), options, by }),
  z.strictObject({ kind: z.literal('set'), nodes: z.array(nodeSettingSchema).min(1), options, by }),
  z.strictObject({
    kind: z.literal('set-replication'),
    replication: z.array(replicationSchema).min(1),
    options,
    by,
  }),
  z
    .strictObject({
      kind: z.literal('rebalance'),
      nodes: z.array(nodeIdSchema).max(0).default([]),
      edits: editsSchema(newNodeSchema, replacementSchema).optional(),
      plan: z.string().min(1).optional(),
      options,
      by,
    })
    .refine((one) => one.plan === undefined || one.edits === undefined, 'a plan brings its own edits'),
  z.strictObject({
    kind: z.literal('heal'),
    nodes: z.array(nodeIdSchema).max(0).default([]),
    cause: z.string().max(1_000).optional(),
    options,
    by,
  }),
  z.strictObject({
    kind: z.literal('rollback'),
    nodes: z.array(nodeIdSchema).max(0).default([]),
    change: z.string().min(1).optional(),
    move: z.string().min(1).optional(),
    options,
    by,
  }),
]);
