// Late replicas are not waited for: another one is asked, the first answer counts, and a budget bounds it.
import { describe, expect, it } from 'vitest';
import type { ProxyContext, TopologyHold } from '../../proxy/context.js';
import { Hedging } from '../../proxy/hedging.js';
import { type ScatterAnswer, scatter } from '../../proxy/scatter.js';
import type { NodeRequest, NodeResponse } from '../../shared/io/node-client.js';
import { sampleIndex } from '../support/sample-topology.js';

interface Sent {
  node: string;
  shards: string;
  answer(status?: number): void;
  fail(): void;
}

/** A proxy whose nodes answer when the test says so, and whose clock stands still until it is moved. */
class Bench {
  nowMs = 0;
  readonly sent: Sent[] = [];
  readonly observed: string[] = [];
  readonly hedging = new Hedging(() => this.nowMs);
  readonly down = new Set<string>();

  search(replicas: string[][], onUnavailable?: (shards: number[]) => void): Promise<ScatterAnswer[]> {
    const ctx = {
      hedging: this.hedging,
      clock: { nowMs: () => this.nowMs, sleep: async () => {} },
      log: { debug() {} },
      nodes: {
        client: (node: string) => ({ request: (request: NodeRequest) => this.send(node, request) }),
        cost: (node: string) => (this.down.has(node) ? Infinity : 'ad'.includes(node) ? 1 : 16),
        observe: (node: string, outcome: string) => this.observed.push(`${node} ${outcome}`),
      },
    } as unknown as ProxyContext;
    return scatter(ctx, {} as TopologyHold, sampleIndex(replicas), {
      stickyKey: 'q',
      deadlineMs: 10_000,
      build: (shards, _node, _index, alone) => ({
        method: 'POST',
        path: '/',
        body: `${alone ? 'alone' : 'beside'} ${shards.join()}`,
      }),
      onUnavailable,
    });
  }

  private send(node: string, request: NodeRequest): Promise<NodeResponse> {
    return new Promise((resolve, reject) => {
      const answer = (status = 200) => resolve({ status, body: Buffer.from(node) });
      const fail = () => reject(new Error(`${node} is gone`));
      this.sent.push({ node, shards: String(request.body), answer, fail });
    });
  }

  async pass(ms: number): Promise<void> {
    this.nowMs += ms;
    this.hedging.tick();
    await new Promise((resolve) => setImmediate(resolve));
  }

  asked(): string[] {
    return this.sent.map(({ node, shards }) => `${node} ${shards}`);
  }
}

const whom = (answers: ScatterAnswer[]): string[] =>
  answers.map(({ node, shards }) => `${node} ${shards.join()}`).sort();
const BOTH = [
  ['a', 'b'],
  ['a', 'b'],
];

describe('hedged reads', () => {
  it('take the answer of another replica when the first one is late', async () => {
    const bench = new Bench();
    const search = bench.search(BOTH);
    await bench.pass(249);
    expect(bench.asked()).toEqual(['a alone 0,1']);
    await bench.pass(1);
    expect(bench.asked()).toEqual(['a alone 0,1', 'b alone 0,1']);
    bench.sent[1]!.answer();
    expect(whom(await search)).toEqual(['b 0,1']);
    expect(bench.observed).toEqual(['b ok', 'a late']);
    expect(bench.hedging.counts).toEqual({ won: 1, lost: 0, refused: 0 });
    // What comes later changes nothing.
    bench.sent[0]!.fail();
    await bench.pass(10_000);
    expect(bench.sent).toHaveLength(2);
  });

  it('take the first one after all when it answers before the other', async () => {
    const bench = new Bench();
    const search = bench.search(BOTH);
    await bench.pass(300);
    bench.sent[0]!.answer();
    expect(whom(await search)).toEqual(['a 0,1']);
    bench.sent[1]!.answer();
    await bench.pass(0);
    expect(bench.hedging.counts).toEqual({ won: 0, lost: 1, refused: 0 });
  });

  it('wait for the other when the first one fails meanwhile, and go on when both fail', async () => {
    const bench = new Bench();
    const search = bench.search(BOTH);
    await bench.pass(300);
    bench.sent[0]!.fail();
    await bench.pass(0);
    bench.sent[1]!.answer();
    expect(whom(await search)).toEqual(['b 0,1']);
    const lost = bench.search(BOTH);
    await bench.pass(300);
    bench.sent[2]!.fail();
    bench.sent[3]!.fail();
    await expect(lost).rejects.toThrow('No in-sync replica of 2 of the 2 shards');
  });

  it('cover the shards of a late node by several others, each shard once', async () => {
    const bench = new Bench();
    const search = bench.search([
      ['a', 'b'],
      ['a', 'c'],
      ['b', 'd'],
      ['c', 'd'],
    ]);
    expect(bench.asked()).toEqual(['a beside 0,1', 'd beside 2,3']);
    bench.sent[1]!.answer();
    await bench.pass(0);
    await bench.pass(300);
    expect(bench.asked().slice(2)).toEqual(['b beside 0', 'c beside 1']);
    bench.sent[2]!.answer();
    await bench.pass(0);
    bench.sent[3]!.answer();
    expect(whom(await search)).toEqual(['b 0', 'c 1', 'd 2,3']);
  });

  it('are not sent where nobody else has the shards, or only nodes that are down', async () => {
    const bench = new Bench();
    const alone = bench.search([['a'], ['a']]);
    bench.down.add('b');
    const other = bench.search(BOTH);
    // A node that would answer for all cannot be replaced by two: those are asked another question.
    const split = bench.search([
      ['a', 'c'],
      ['a', 'd'],
    ]);
    await bench.pass(1_000);
    expect(bench.asked()).toEqual(['a alone 0,1', 'a alone 0,1', 'a alone 0,1']);
    for (const { answer } of bench.sent) answer();
    await Promise.all([alone, other, split]);
  });

  it('are late by what a node has lately taken', async () => {
    const bench = new Bench();
    for (let i = 0; i < 64; i++) bench.hedging.observe('a', 100);
    const search = bench.search(BOTH);
    await bench.pass(299);
    expect(bench.sent).toHaveLength(1);
    await bench.pass(1);
    expect(bench.sent).toHaveLength(2);
    bench.sent[1]!.answer();
    await search;
  });

  it('cost at most a tenth of all requests, and a few at once', async () => {
    const bench = new Bench();
    const searches = Array.from({ length: 100 }, () => bench.search(BOTH));
    await bench.pass(300);
    expect(bench.sent).toHaveLength(120);
    expect(bench.hedging.counts.refused).toBe(80);
    for (const { answer } of bench.sent) answer();
    await Promise.all(searches);
  });
});
