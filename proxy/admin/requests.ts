// What the admin API accepts: shapes by zod, then what must hold against the topology. Refusals name what and why.
import { z } from 'zod';
import type { ChangeEdits } from '../../shared/core/change-edits.js';
import { ApiError } from '../../shared/core/errors.js';
import { judgeEdits } from '../../shared/core/judge-edits.js';
import type { Scoring, Topology } from '../../shared/core/topology.js';
import {
  bySchema,
  editsSchema,
  newNodeSchema,
  optionFields,
  replacementSchema,
  replicationSchema,
} from '../../shared/io/change-schema.js';

const key = z.string().min(1).nullish();
/** What every request that starts a change may carry. */
const startFields = { ...optionFields, by: bySchema };
const keyedNode = newNodeSchema.extend({ key });
const keyedReplacement = replacementSchema.extend({ key });
const addSchema = z.strictObject({
  nodes: z.array(keyedNode).min(1, 'must name at least one node'),
  ...startFields,
});
const replaceSchema = newNodeSchema.extend({ key, ...startFields });
const setSchema = z
  .strictObject({
    zone: z.string().min(1).max(64).nullish(),
    weight: z.number().positive().max(1_000).optional(),
    ...startFields,
  })
  .refine((node) => node.zone !== undefined || node.weight !== undefined, 'must set `zone` or `weight`');
const replicationRequest = z.strictObject({
  replication: z.array(replicationSchema).min(1, 'must set at least one replication factor'),
  ...startFields,
});
const rebalanceSchema = z.strictObject({
  plan: z.string().min(1).optional(),
  edits: editsSchema(keyedNode, keyedReplacement).optional(),
  /** Of all nodes that a plan brings. */
  key,
  ...startFields,
});
const planSchema = z.strictObject({
  edits: editsSchema(newNodeSchema, replacementSchema).default({}),
  save: z.boolean().default(false),
  name: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
      'must be letters, digits, dots, hyphens and underscores, at most 64',
    )
    .optional(),
  ...optionFields,
});
const optionsSchema = z.strictObject(startFields);
const numberText = z.string().regex(/^\d+$/, 'must be a number').transform(Number).optional();
const truthText = z
  .enum(['true', 'false'])
  .transform((text) => text === 'true')
  .optional();
const optionsQuerySchema = z
  .strictObject({
    ...Object.fromEntries(Object.keys(optionFields).map((name) => [name, numberText])),
    approve: truthText,
    allowFewerZones: truthText,
    by: bySchema,
  })
  .pipe(optionsSchema);
const indexSchema = z.strictObject({ scoring: z.enum(['dfs']).nullable() });
const count = z.number().int().min(1).max(64);
const decisionSchema = z.strictObject({
  moveId: z.string().min(1).nullish(),
  changeId: z.string().min(1).nullish(),
  by: bySchema,
  concurrency: count.optional(),
  nodeConcurrency: count.nullable().optional(),
  documentsPerSecond: z.number().positive().nullable().optional(),
});

export type AddRequest = z.output<typeof addSchema>;
export type OptionsRequest = z.output<typeof optionsSchema>;
export type RebalanceRequest = z.output<typeof rebalanceSchema>;

export function readAddRequest(body: unknown): AddRequest {
  return parse(addSchema, body);
}

export function readReplaceRequest(body: unknown): z.output<typeof replaceSchema> {
  return parse(replaceSchema, body);
}

export function readSetRequest(body: unknown): z.output<typeof setSchema> {
  return parse(setSchema, body);
}

export function readReplicationRequest(body: unknown): z.output<typeof replicationRequest> {
  return parse(replicationRequest, body);
}

export function readRebalanceRequest(body: unknown): RebalanceRequest {
  return parse(rebalanceSchema, body ?? {});
}

export function readPlanRequest(body: unknown): z.output<typeof planSchema> {
  return parse(planSchema, body ?? {});
}

/** The options of a change; a request without a body means none. */
export function readOptions(body: unknown): OptionsRequest {
  return parse(optionsSchema, body ?? {});
}

/** The same from a query string, for methods without a body. */
export function readOptionsQuery(query: unknown): OptionsRequest {
  return parse(optionsQuerySchema, query ?? {});
}

/** What an index is set to. */
export function readIndexPatch(body: unknown): { scoring: Scoring | null } {
  return parse(indexSchema, body ?? {});
}

/** What an operator decides about a change, one of its moves, or its sources that are kept. */
export function readDecision(body: unknown): z.output<typeof decisionSchema> {
  return parse(decisionSchema, body ?? {});
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const place = issue.path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('');
  throw refused(
    place === '' ? `Invalid request: ${issue.message}` : `Invalid value at \`${place}\`: ${issue.message}`,
  );
}

export function refused(message: string): ApiError {
  return new ApiError('miroir_invalid_change', message);
}

/** Refuses what cannot be made of this topology, before a workflow is started for it. */
export function checkEdits(topology: Topology, edits: ChangeEdits, options: OptionsRequest): void {
  const refusal = judgeEdits(topology, edits, options);
  if (refusal !== null) throw refused(refusal);
}

/** A node's URL as it may be shown. */
export function publicUrl(text: string): string {
  if (!URL.canParse(text)) return text;
  const url = new URL(text);
  if (url.username === '' && url.password === '') return text;
  url.username = '';
  url.password = '';
  return url.href.replace(/\/$/, '');
}
