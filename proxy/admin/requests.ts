// What the admin API accepts: shapes by zod, then what must hold against the topology. Refusals name what and why.
import { z } from 'zod';
import { ApiError } from '../../shared/core/errors.js';
import { NODE_ID, NODE_ID_RULE, nodeUrlProblem, normalizeNodeUrl } from '../../shared/core/node-address.js';
import type { NodeId, Scoring, Topology } from '../../shared/core/topology.js';

const options = {
  retentionMs: z.number().int().min(0).optional(),
  concurrency: z.number().int().min(1).max(64).optional(),
  copyChunkDocuments: z.number().int().min(1).max(100_000).optional(),
  copyDocumentsPerSecond: z.number().int().min(1).optional(),
  nodeConcurrency: z.number().int().min(1).max(64).optional(),
  approve: z.boolean().optional(),
  stepDeadlineMs: z.number().int().min(1_000).optional(),
};

const nodeId = z.string().regex(NODE_ID, NODE_ID_RULE);

const nodeUrl = z.string().transform((text, ctx) => {
  const problem = nodeUrlProblem(text);
  if (problem !== null) {
    ctx.addIssue(problem);
    return z.NEVER;
  }
  return normalizeNodeUrl(text);
});

const addSchema = z.strictObject({
  nodes: z
    .array(
      z.strictObject({
        id: nodeId,
        url: nodeUrl,
        zone: z.string().min(1).max(64).nullish(),
        weight: z.number().positive().max(1_000).optional(),
        key: z.string().min(1).nullish(),
      }),
    )
    .min(1, 'must name at least one node'),
  ...options,
});
const optionsSchema = z.strictObject(options);
const numberText = z.string().regex(/^\d+$/, 'must be a number').transform(Number).optional();
const truthText = z
  .enum(['true', 'false'])
  .transform((text) => text === 'true')
  .optional();
const optionsQuerySchema = z
  .strictObject(
    Object.fromEntries(Object.keys(options).map((key) => [key, key === 'approve' ? truthText : numberText])),
  )
  .pipe(optionsSchema);
const indexSchema = z.strictObject({ scoring: z.enum(['dfs']).nullable() });
const count = z.number().int().min(1).max(64);
const decisionSchema = z.strictObject({
  moveId: z.string().min(1).nullish(),
  changeId: z.string().min(1).nullish(),
  by: z.string().min(1).max(200).optional(),
  concurrency: count.optional(),
  nodeConcurrency: count.nullable().optional(),
  documentsPerSecond: z.number().positive().nullable().optional(),
});

export type AddRequest = z.output<typeof addSchema>;
export type OptionsRequest = z.output<typeof optionsSchema>;

export function readAddRequest(body: unknown): AddRequest {
  return parse(addSchema, body);
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

function refused(message: string): ApiError {
  return new ApiError('miroir_invalid_change', message);
}

/**
 * Refuses nodes that are in the fleet already or named twice. A node that a dead change left `joining` may be added
 * again.
 */
export function checkAddition(topology: Topology, nodes: AddRequest['nodes']): void {
  const ids = new Set<NodeId>();
  const urls = new Map<string, NodeId>();
  for (const node of nodes) {
    const known = topology.nodes.find((other) => other.id === node.id);
    if (known && !(known.state === 'joining' && known.url === node.url)) {
      throw refused(
        `Node \`${node.id}\` is already in the fleet (${known.state}, at ${publicUrl(known.url)}). ` +
          'Choose another id, or remove that node first.',
      );
    }
    if (ids.has(node.id)) throw refused(`Node \`${node.id}\` is named twice. Give each node its own id.`);
    ids.add(node.id);
    const holder = topology.nodes.find((one) => one.id !== node.id && one.url === node.url);
    const other = holder?.id ?? urls.get(node.url);
    if (other !== undefined) {
      throw refused(
        `Nodes \`${other}\` and \`${node.id}\` have the same URL ${node.url}. One node has one id.`,
      );
    }
    urls.set(node.url, node.id);
  }
}

/** Refuses to take away a node that is unknown, or whose replicas the others could not hold. */
export function checkDeparture(topology: Topology, id: NodeId, verb: 'remove' | 'drain'): void {
  if (!topology.nodes.some((node) => node.id === id)) {
    const known = topology.nodes.map((node) => `\`${node.id}\``).join(', ') || 'none';
    throw refused(`There is no node \`${id}\`. The fleet's nodes are: ${known}.`);
  }
  const left = topology.nodes.filter((node) => node.id !== id && node.state === 'active');
  if (left.length >= topology.replicationFactor) return;
  const missing = topology.replicationFactor - left.length;
  throw refused(
    `Cannot ${verb} node \`${id}\`: ${left.length} active ${left.length === 1 ? 'node' : 'nodes'} would be left, ` +
      `and each shard needs ${topology.replicationFactor} replicas on different nodes. ` +
      `Add ${missing} more ${missing === 1 ? 'node' : 'nodes'} first with \`miroir-ctl node add\`.`,
  );
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
