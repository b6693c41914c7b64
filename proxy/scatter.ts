// Asks one in-sync replica of every shard of an index, in parallel, and replaces those that fail within the same
// deadline. Knows nothing of what is asked.
import { ApiError } from '../shared/core/errors.js';
import { indexNotFound } from '../shared/core/field-errors.js';
import { isDemoted } from '../shared/core/replica-states.js';
import { chooseReplicas, type Routing, stickyKeyOf } from '../shared/core/routing.js';
import type { NodeId, Replica, TopologyIndex } from '../shared/core/topology.js';
import { type Clock, REAL_CLOCK } from '../shared/io/clock.js';
import type { NodeRequest, NodeResponse } from '../shared/io/node-client.js';
import type { ProxyContext, TopologyHold } from './context.js';
import type { Hedging } from './hedging.js';

export interface ScatterOptions {
  /** Requests with the same key prefer the same replicas. */
  stickyKey: string;
  /**
   * The request for one node. `index` has the physical names to use; `alone` says that this node answers for every
   * shard that is asked for.
   */
  build(shards: number[], node: NodeId, index: TopologyIndex, alone: boolean): NodeRequest;
  deadlineMs: number;
  /** Only these shards; all by default. */
  shards?: number[];
  /** Takes the shards that no replica answered for, when answers may be partial. Without it their lack is an error. */
  onUnavailable?: (shards: number[]) => void;
}

export interface ScatterAnswer {
  node: NodeId;
  shards: number[];
  response: NodeResponse;
  /** From sending to the last byte, of the attempt that answered. */
  tookMs: number;
}

/** Pause before a node that did not know the index is asked again, under its new name. */
const RENAME_PAUSE_MS = 20;

/**
 * One answer for every shard. An answer of status 4xx is an answer: the caller relays it. Throws ApiError
 * miroir_shards_unavailable naming the shards that no in-sync replica answered for.
 */
export function scatter(
  ctx: ProxyContext,
  _hold: TopologyHold,
  index: TopologyIndex,
  options: ScatterOptions,
): Promise<ScatterAnswer[]> {
  return new Scatter(ctx, index, options).gather();
}

class Scatter {
  private readonly endsAtMs: number;
  private readonly failed = new Set<NodeId>();
  private readonly answers: ScatterAnswer[] = [];
  private readonly stickyKey: number;
  private readonly clock: Clock;

  constructor(
    private readonly ctx: ProxyContext,
    private index: TopologyIndex,
    private readonly options: ScatterOptions,
  ) {
    this.clock = ctx.clock ?? REAL_CLOCK;
    this.endsAtMs = this.clock.nowMs() + options.deadlineMs;
    this.stickyKey = stickyKeyOf(options.stickyKey);
  }

  async gather(): Promise<ScatterAnswer[]> {
    let wanted: number[] | null = this.options.shards ?? null;
    for (;;) {
      const { assignments, unavailable } = this.assign(wanted);
      if (unavailable.length > 0) this.giveUp(unavailable);
      if (assignments.size === 0) return this.answers;
      const alone = this.answers.length === 0 && assignments.size === 1;
      const asked = Array.from(assignments, ([node, shards]) => this.askHedged(node, shards, alone));
      const answers = alone ? [await asked[0]!] : await Promise.all(asked);
      wanted = this.keep(answers, [...assignments.values()]);
      if (wanted.length === 0) return this.answers;
    }
  }

  /** Keeps answers; answers the shards that none is for. */
  private keep(answers: readonly (ScatterAnswer[] | null)[], asked: readonly number[][]): number[] {
    const wanted: number[] = [];
    for (const [at, given] of answers.entries()) {
      if (given === null) wanted.push(...asked[at]!);
      else this.answers.push(...given);
    }
    return wanted;
  }

  /** Replicas for the wanted shards, or for all. */
  private assign(wanted: number[] | null, exclude: ReadonlySet<NodeId> = this.failed): Routing {
    return chooseReplicas(this.index, {
      cost: (node) => this.ctx.nodes.cost(node),
      stickyKey: this.stickyKey,
      exclude,
      shards: wanted ?? undefined,
    });
  }

  /** The answer of a node, or those of others that hold its shards when it is late; null when all fail. */
  private askHedged(node: NodeId, shards: number[], alone: boolean): Promise<ScatterAnswer[] | null> {
    const own = this.ask(node, shards, alone);
    const { hedging } = this.ctx;
    if (hedging === undefined || this.index.replicationFactor < 2) return own;
    return new Promise((resolve, reject) => {
      let hedge: Promise<ScatterAnswer[] | null> | null = null;
      let isOver = false;
      const end = hedging.watch(node, () => {
        hedge = this.hedge(hedging, node, shards, alone);
        hedge?.then(
          (answers) => {
            if (answers !== null && !isOver) {
              isOver = true;
              hedging.counts.won++;
              // What it would have taken at least, so that the next searches prefer others.
              this.ctx.nodes.observe(node, 'late', this.clock.nowMs() - startedMs);
              resolve(answers);
            } else {
              hedging.counts.lost++;
            }
          },
          () => void hedging.counts.lost++,
        );
      });
      const startedMs = this.clock.nowMs();
      own.then((answers) => {
        end();
        if (isOver) return;
        if (answers === null && hedge !== null) {
          hedge.then((others) => resolve(others), reject);
          return;
        }
        isOver = true;
        resolve(answers);
      }, reject);
    });
  }

  /** Asks other replicas for the shards of a node that is late; null when there are none, or no budget. */
  private hedge(
    hedging: Hedging,
    node: NodeId,
    shards: number[],
    alone: boolean,
  ): Promise<ScatterAnswer[] | null> | null {
    const { assignments, unavailable } = this.assign(shards, new Set([...this.failed, node]));
    // Who answers alone is asked another question than who answers beside others.
    const isSame = alone ? assignments.size === 1 : assignments.size > 0;
    const isUp = [...assignments.keys()].every((other) => this.ctx.nodes.cost(other) < Infinity);
    if (unavailable.length > 0 || !isSame || !isUp || !hedging.spend(assignments.size)) return null;
    const asked = Array.from(assignments, ([other, part]) => this.ask(other, part, alone));
    return Promise.all(asked).then((answers) =>
      answers.some((answer) => answer === null) ? null : (answers as ScatterAnswer[][]).flat(),
    );
  }

  private giveUp(shards: number[]): void {
    if (this.options.onUnavailable) {
      this.options.onUnavailable(shards);
      return;
    }
    const list = shards.length > 20 ? `${shards.slice(0, 20).join(', ')}, …` : shards.join(', ');
    throw new ApiError(
      'miroir_shards_unavailable',
      `No in-sync replica of ${shards.length} of the ${this.index.shardCount} shards of index \`${this.index.uid}\` answers: ${list}.`,
    );
  }

  /** Asks one node; null when its shards must be asked for elsewhere. */
  private async ask(node: NodeId, shards: number[], alone: boolean): Promise<ScatterAnswer[] | null> {
    for (;;) {
      const sentMs = this.clock.nowMs();
      let response: NodeResponse | null = null;
      try {
        // Awaited here and not in a function of its own: every promise on this path is paid by every search.
        response = (await this.send(node, shards, alone, sentMs)) ?? null;
      } catch (error) {
        this.ctx.log.debug({ node, error: String(error) }, 'a replica did not answer');
        this.ctx.nodes.observe(node, 'failed', this.clock.nowMs() - sentMs);
        this.failed.add(node);
        return null;
      }
      if (response === null || !this.isGood(node, response, sentMs)) {
        this.failed.add(node);
        return null;
      }
      if (!isIndexMissing(response)) {
        const tookMs = this.clock.nowMs() - sentMs;
        this.ctx.hedging?.observe(node, tookMs);
        return [{ node, shards, response, tookMs }];
      }
      // A fence may just have renamed the physical index: the topology knows the new name, or soon will.
      if (this.clock.nowMs() + RENAME_PAUSE_MS >= this.endsAtMs) {
        this.failed.add(node);
        return null;
      }
      const before = this.index.physicalNames[node];
      if (!(await this.refreshNames(node, shards))) {
        this.failed.add(node);
        return null;
      }
      if (this.index.physicalNames[node] === before) {
        await this.clock.sleep(RENAME_PAUSE_MS);
      }
    }
  }

  /** Undefined for a node that cannot be asked, or not in time. */
  private send(
    node: NodeId,
    shards: number[],
    alone: boolean,
    nowMs: number,
  ): Promise<NodeResponse> | undefined {
    const client = this.ctx.nodes.client(node);
    const leftMs = this.endsAtMs - nowMs;
    if (!client || leftMs <= 0 || this.index.physicalNames[node] === undefined) return undefined;
    const request = this.options.build(shards, node, this.index, alone);
    // Half of what is left, so that a replica that hangs can still be replaced in time.
    const deadlineMs = Math.max(1, Math.ceil(leftMs / 2));
    return client.request({ ...request, deadlineMs, readOnly: true });
  }

  /** A node that refuses its key is as good as down for this request; the client has nothing to do with it. */
  private isGood(node: NodeId, { status }: NodeResponse, sentMs: number): boolean {
    const ok = status < 500 && status !== 401 && status !== 403;
    this.ctx.nodes.observe(node, ok ? 'ok' : 'failed', this.clock.nowMs() - sentMs);
    return ok;
  }

  /**
   * Takes over physical names only: which replica answers stays as the request's topology says. False when the node has
   * lost these shards meanwhile: under its new name it would answer without what it held.
   */
  private async refreshNames(node: NodeId, shards: readonly number[]): Promise<boolean> {
    const topology = await this.ctx.watcher.refresh();
    const fresh = topology.indexes.find((index) => index.incarnation === this.index.incarnation);
    if (!fresh || fresh.deletedSeq !== null) throw indexNotFound(this.index.uid);
    this.index = { ...this.index, physicalNames: fresh.physicalNames };
    return shards.every((shard) => {
      const replica = fresh.shards[shard]?.find((row) => row.node === node);
      return replica !== undefined && stillHolds(replica);
    });
  }
}

/** Whether a replica that was in-sync in an older topology has everything yet: a demoted one may be read by that one. */
function stillHolds(replica: Replica): boolean {
  return replica.state === 'in-sync' || replica.state === 'retained' || isDemoted(replica);
}

function isIndexMissing(response: NodeResponse): boolean {
  if (response.status !== 404 && response.status !== 400) return false;
  return response.body.includes('"code":"index_not_found"');
}
