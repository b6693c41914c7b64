// Messages between processes, nodes and the state store: late, lost, cut off, and still on their way when whoever sent
// them has died.

import type { NodeClientOptions } from '../../shared/io/node-client.js';
import {
  NodeClient,
  type NodeRequest,
  type NodeResponse,
  NodeUnreachable,
} from '../../shared/io/node-client.js';
import type { Store } from '../../shared/io/store.js';
import { StoreUnavailable } from '../../shared/io/store-failure.js';
import type { VirtualNode } from './node.js';
import type { Random } from './random.js';
import type { Process, Scheduler } from './scheduler.js';

export interface Network {
  scheduler: Scheduler;
  random: Random;
  /** By URL. */
  nodes: Map<string, VirtualNode>;
  /** `process>place`, with the virtual time until which nothing passes. */
  cuts: Map<string, number>;
  /** While it lasts nothing is unusually late, lost or cut off. */
  calm: boolean;
  /** How likely a search is late on its way to a node. */
  lateSearches: number;
  /** Called before a search or a transaction leaves: a process may be waited for here, to die or to stand still. */
  reach: (process: Process, point: string) => Promise<void> | null;
  /** Called where a message or a transaction has just left: may kill or stop whoever sent it; true when it did. */
  strike: ((process: Process, what: string) => boolean) | null;
  /** Broken on purpose: changes what a process asks of a node; null leaves it as it is. */
  tamper: ((request: Sent) => TamperedRequest | null) | null;
}

export interface Sent {
  process: Process;
  node: VirtualNode;
  request: NodeRequest;
}

/** Another request in its place, or an answer without asking. */
export type TamperedRequest = { request: NodeRequest } | { answer: () => Promise<NodeResponse> };

export function isCut(network: Network, process: Process, place: string): boolean {
  return (network.cuts.get(`${process.name}>${place}`) ?? 0) > network.scheduler.nowMs;
}

const isSearch = ({ path }: NodeRequest) => path.endsWith('/search');

function delayMs({ random, calm, lateSearches }: Network, request: NodeRequest | null = null): number {
  if (!calm && request && isSearch(request) && random.chance(lateSearches)) return random.between(100, 4_000);
  if (!calm && random.chance(0.003)) return random.between(100, 6_000);
  return random.between(1, 6);
}

/** A client of a node of this process: the real one, but for the wire. */
export class VirtualClient extends NodeClient {
  private readonly keys: { admin: string | null; data: string | null };

  constructor(
    options: NodeClientOptions,
    private readonly process: Process,
    private readonly network: Network,
  ) {
    super({ ...options, clock: process });
    this.keys = { admin: options.adminKey, data: options.dataKey ?? options.adminKey };
  }

  override async request(request: NodeRequest): Promise<NodeResponse> {
    const node = this.network.nodes.get(this.url);
    if (!node) throw new NodeUnreachable(this.id, this.url, new Error('nobody listens there'));
    request.signal?.throwIfAborted();
    if (isSearch(request)) await this.network.reach(this.process, 'search.asked');
    const tampered = this.network.tamper?.({ process: this.process, node, request });
    if (tampered && 'answer' in tampered) return tampered.answer();
    return this.deliver(node, tampered?.request ?? request);
  }

  /** Past whatever tampers. */
  private deliver(node: VirtualNode, request: NodeRequest): Promise<NodeResponse> {
    const { network, process } = this;
    const { scheduler, random } = network;
    const deadlineMs = request.deadlineMs ?? Number.POSITIVE_INFINITY;
    return new Promise((resolve, reject) => {
      const lose = (afterMs: number) =>
        scheduler.after(Math.min(afterMs, deadlineMs), process, () =>
          reject(new NodeUnreachable(this.id, this.url, new Error('the connection broke'))),
        );
      const isWrite = request.method !== 'GET' && !request.readOnly && !request.path.endsWith('/fetch');
      // The worst that can be on its way is a write whose sender is gone: it arrives when nobody expects it any more.
      const isStruck =
        isWrite && !network.calm && network.strike?.(process, `${request.method} ${request.path}`);
      const thereMs = isStruck ? random.between(1, 8_000) : delayMs(network, request);
      if (thereMs > deadlineMs) lose(deadlineMs);
      // Whatever becomes of its sender: it is on its way.
      scheduler.after(thereMs, null, () => {
        if (!node.up || isCut(network, process, node.id)) return lose(random.between(50, 300));
        const body =
          request.body === undefined ? null : Buffer.from(request.body as Uint8Array).toString('utf8');
        const key = request.admin ? this.keys.admin : this.keys.data;
        const answer = node.handle(request.method, request.path, body, key);
        if (!network.calm && random.chance(0.004)) return lose(random.between(50, 300));
        const text = Buffer.from(JSON.stringify(answer.body));
        scheduler.after(Math.min(delayMs(network), deadlineMs), process, () => {
          if (request.signal?.aborted) reject(request.signal.reason);
          else resolve({ status: answer.status, body: text });
        });
      });
    });
  }
}

/** Broken on purpose: replaces calls of the store, for one process. */
export type StoreOverride = (
  store: Store,
  process: Process,
) => Partial<Store> & {
  /** Calls that pass their points by themselves, somewhere within. */
  reaches?: readonly (keyof Store)[];
};

const READS = /^(read|list|has|next)/;

/** The store as a process sees it: each call is one transaction, and time passes until the answer is there. */
export function remoteStore(
  store: Store,
  process: Process,
  network: Network,
  override: StoreOverride | null,
): Store {
  const { scheduler, random } = network;
  const overridden: ReturnType<StoreOverride> = override?.(store, process) ?? {};
  const calls = new Map<string, unknown>();
  return new Proxy(store, {
    get(target, name: keyof Store & string) {
      let call = calls.get(name);
      if (call === undefined) {
        const work = ((overridden[name] ?? target[name]) as (...args: unknown[]) => Promise<unknown>).bind(
          target,
        );
        call = remoteCall(name, work);
        calls.set(name, call);
      }
      return call;
    },
  });

  function remoteCall(name: string, work: (...args: unknown[]) => Promise<unknown>) {
    return async (...args: unknown[]): Promise<unknown> => {
      if (isCut(network, process, 'store')) {
        await process.sleep(random.between(50, 200));
        throw new StoreUnavailable('CUT', 'the state store does not answer');
      }
      if (!overridden.reaches?.includes(name as keyof Store)) await network.reach(process, `store.${name}`);
      const isWrite = !READS.test(name);
      // A transaction may be on its way for a while, and arrive after its sender's death.
      if (isWrite && !network.calm && random.chance(0.05))
        await new Promise<void>((resolve) => scheduler.after(random.between(1, 400), null, resolve));
      if (isWrite && !network.calm) network.strike?.(process, name);
      const outcome = await work(...args).then(
        (value) => () => value,
        (error: unknown) => () => {
          throw error;
        },
      );
      await network.reach(process, `after store.${name}`);
      await process.sleep(random.between(0, 3));
      if (isWrite && !network.calm && random.chance(0.003))
        throw new StoreUnavailable('LOST', 'the answer of the state store was lost');
      return outcome();
    };
  }
}
