// Asks every shard of an index one question, for routes that merge more than hits; again when the topology moved on.
import { ApiError } from '../../shared/core/errors.js';
import type { TopologyIndex } from '../../shared/core/topology.js';
import type { ProxyContext, TopologyHold } from '../context.js';
import { type ScatterAnswer, scatter } from '../scatter.js';
import { requireVisibleIndex } from '../visible-indexes.js';
import { relayRefusal } from './refer.js';

const ATTEMPTS = 3;

/**
 * Runs something with the current topology. A null means that it must run again; so does a lease that lapsed
 * meanwhile.
 */
export async function withTopology<T>(
  ctx: ProxyContext,
  run: (hold: TopologyHold) => Promise<T | null>,
): Promise<T> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const hold = ctx.watcher.acquire('search');
    ctx.searches.begin();
    try {
      const outcome = await run(hold);
      if (outcome !== null && hold.stillValid()) return outcome;
    } finally {
      ctx.searches.end();
      hold.release();
    }
  }
  throw new ApiError(
    'miroir_topology_changed',
    'The topology kept changing while the search ran; try again.',
  );
}

/** The same for one index. */
export function withIndex<T>(
  ctx: ProxyContext,
  uid: string,
  run: (hold: TopologyHold, index: TopologyIndex) => Promise<T | null>,
): Promise<T> {
  return withTopology(ctx, (hold) => run(hold, requireVisibleIndex(hold.topology, uid)));
}

export interface Question {
  /** The part of the path behind the index. */
  readonly route: string;
  readonly stickyText: string;
  /** The body for a node that answers for some shards. */
  body(shards: readonly number[]): string;
  /** What to ask a node that answers for all of them, where that is another question. */
  readonly alone?: { readonly route: string; body(shards: readonly number[]): string };
  /** The client's own query: what a node says about it is relayed when it refuses the rewritten one. */
  readonly own: object;
  /** Where `own` is sent, if not to `route`. */
  readonly ownRoute?: string;
}

export interface SpreadAnswers {
  readonly answers: readonly ScatterAnswer[];
  /** True when one node answered what is asked of a node alone. */
  readonly alone: boolean;
  /** Shards that nobody answered for, where the policy allows partial answers. */
  readonly unavailable: readonly number[];
}

/** Answers that cover every shard, all of status 200. Null when a node refused what it then took. Throws ApiError. */
export async function askShards(
  ctx: ProxyContext,
  hold: TopologyHold,
  index: TopologyIndex,
  question: Question,
): Promise<SpreadAnswers | null> {
  const unavailable: number[] = [];
  let names = index.physicalNames;
  let asAlone = false;
  const answers = await scatter(ctx, hold, index, {
    stickyKey: question.stickyText,
    deadlineMs: ctx.options.searchDeadlineMs,
    build: (shards, node, current, alone) => {
      names = current.physicalNames;
      asAlone = alone;
      const asked = (alone ? question.alone : undefined) ?? question;
      return { method: 'POST', path: `/indexes/${names[node]}/${asked.route}`, body: asked.body(shards) };
    },
    onUnavailable:
      ctx.options.unavailable === 'partial' ? (shards) => void unavailable.push(...shards) : undefined,
  });
  const refused = answers.find((answer) => answer.response.status >= 400);
  if (refused !== undefined) {
    const route = question.ownRoute ?? question.route;
    const error = await relayRefusal(ctx, names, hold.topology, index, question.own, refused, route);
    if (error === null) return null;
    throw error;
  }
  if (answers.length === 0) {
    throw new ApiError('miroir_shards_unavailable', `No shard of index \`${index.uid}\` can be searched.`);
  }
  return { answers, alone: asAlone && answers.length === 1, unavailable };
}

/** A node's answer as byte text. */
export function textOf(answer: ScatterAnswer): string {
  return answer.response.body.toString('latin1');
}
