// One run of a script: faults and clients until its end, then a calm in which everything must come to rest, then the count.
import type { ChangeKind, ChangeRequest } from '../../shared/core/change-edits.js';
import { ChangeRun, keepRetentions } from './changes.js';
import { judgeRest, judgeStep } from './checks.js';
import type { VirtualNode } from './node.js';
import { Random } from './random.js';
import type { Action, Script } from './script.js';
import { keepStream } from './temporal.js';
import { sendSearch, sendWrite } from './users.js';
import type { Variant } from './variants.js';
import { World } from './world.js';

export interface Outcome {
  violations: string[];
  trace: string[];
  steps: number;
}

export interface RunOptions {
  hash: (text: string) => bigint;
  variant?: Variant | null;
  tracing?: boolean;
}

/** Virtual time within which everything must have come to rest. */
const REST_MS = 240_000;
const NOTICED_MS = 7_000;
const CHECK_STEPS = 40;
const MOST_ROUNDS = 20;

export async function runScript(script: Script, options: RunOptions): Promise<Outcome> {
  const world = new World(
    new Random(script.seed ^ 0x2545f491),
    options.hash,
    options.variant ?? null,
    options.tracing ?? false,
  );
  await world.open(script.shape);
  // What has begun at once must have come to its first wait.
  await new Promise<void>((resolve) => setImmediate(resolve));
  const theatre = new Theatre(world);
  for (const id of world.nodes.keys()) theatre.guard(keepStream(world, id));
  theatre.guard(keepRetentions(world));
  for (const action of script.actions)
    world.scheduler.after(action.atMs, null, () => theatre.guard(theatre.perform(action)));
  while (world.scheduler.nowMs < script.endMs && world.violations.length === 0) await theatre.step();
  await theatre.comeToRest();
  return { violations: world.violations, trace: world.trace, steps: world.scheduler.steps };
}

class Theatre {
  private changes = 0;
  private current: ChangeRun | null = null;
  private added = 0;

  constructor(private readonly world: World) {}

  /** An error that nobody expects is a violation too. */
  guard(work: Promise<void>): void {
    work.catch((error: unknown) =>
      this.world.violate(`unexpected: ${(error as Error)?.stack ?? String(error)}`),
    );
  }

  async step(): Promise<void> {
    const { world } = this;
    if (!(await world.scheduler.step())) throw new Error('nothing is left to happen');
    if (world.scheduler.steps % CHECK_STEPS === 0) await judgeStep(world);
  }

  async perform(action: Action): Promise<void> {
    const { world } = this;
    const { choice } = action;
    const pick = <T>(values: readonly T[]): T | undefined => values[choice % Math.max(1, values.length)];
    const worker = pick(world.workers)?.process;
    const proxy = pick(world.proxies.filter(({ process }) => process.isAwake()));
    const node = pick([...world.nodes.values()]);
    if (action.do !== 'write' && action.do !== 'search') world.say(JSON.stringify(action));
    switch (action.do) {
      case 'write':
        if (proxy) await sendWrite(world, proxy, action.uid, action.write);
        return;
      case 'search':
        if (proxy) await sendSearch(world, proxy, action.uid);
        return;
      case 'change':
        return this.change(action.kind, action.retentionMs, choice);
      case 'cancel move':
        if (this.current && !this.current.over) {
          const moveId = pick([...this.current.moves]);
          if (moveId !== undefined) this.current.run.cancelled.add(moveId);
        }
        return;
      case 'end run':
        if (this.current && !this.current.over) this.current.kill();
        return;
      case 'collect garbage':
        await world.store.collectGarbage();
        return;
      case 'kill worker':
        if (worker) world.killWorker(worker);
        return;
      case 'stop worker':
        worker?.stop(action.ms);
        return;
      case 'trap':
        world.traps.push({ ...action.trap });
        return;
      case 'kill proxy':
        if (proxy) world.killProxy(proxy);
        return;
      case 'stop proxy':
        proxy?.process.stop(action.ms);
        return;
      case 'node down':
        if (!node) return;
        node.up = false;
        world.scheduler.after(action.ms, null, () => {
          node.up = true;
          node.work();
        });
        return;
      case 'wipe node':
        if (node && (await this.isSpare(node.id))) this.loseDisk(node, action.ms, () => node.wipe());
        return;
      case 'restore node': {
        const restore = node?.backup();
        if (!node || !restore) return;
        world.scheduler.after(action.agoMs, null, () =>
          this.guard(
            this.isSpare(node.id).then((isSpare) => {
              if (!isSpare || world.network.calm) return;
              world.answersMayBeOld = true;
              this.loseDisk(node, action.ms, restore);
            }),
          ),
        );
        return;
      }
      case 'slow node': {
        const slow = action.newest ? [...world.nodes.values()].at(-1) : node;
        if (slow) world.slowDown(slow, action.factor, action.ms);
        return;
      }
      case 'cut worker from node':
      case 'cut proxy from node': {
        const process = action.do === 'cut worker from node' ? worker : proxy?.process;
        const ids = [...world.nodes.keys()];
        this.cut(process?.name, ids[action.other % ids.length]!, action.ms);
        return;
      }
      case 'cut worker from store':
        return this.cut(worker?.name, 'store', action.ms);
      case 'cut proxy from store':
        return this.cut(proxy?.process.name, 'store', action.ms);
    }
  }

  /** Whether everything that a node holds is readable elsewhere, so that nothing is lost with it. */
  private async isSpare(node: string): Promise<boolean> {
    const lonely = await this.world.query(
      `SELECT 1 FROM replicas r WHERE r.node = ? AND r.state = 'in-sync' AND NOT EXISTS (
         SELECT 1 FROM replicas o WHERE o.incarnation = r.incarnation AND o.shard = r.shard AND o.node <> r.node
           AND o.state = 'in-sync')`,
      [node],
    );
    return lonely.length === 0 && this.world.lost.size === 0;
  }

  private loseDisk(node: VirtualNode, ms: number, lose: () => void): void {
    const { world } = this;
    world.say(`${node.id} loses its disk`);
    world.lost.add(node.id);
    node.up = false;
    world.scheduler.after(ms, null, () => {
      lose();
      node.up = true;
      node.work();
    });
  }

  private cut(name: string | undefined, place: string, ms: number): void {
    if (name === undefined) return;
    this.world.network.cuts.set(`${name}>${place}`, this.world.scheduler.nowMs + ms);
  }

  /** One change at a time, as the workflow id has it; a change that comes too early is refused. */
  private async change(kind: ChangeKind, retentionMs: number, choice: number): Promise<void> {
    const { world } = this;
    if (this.current && !this.current.over) return;
    const request = await this.request(kind, choice);
    if (request === null) return;
    this.changes += 1;
    const id = `change-${String(this.changes).padStart(12, '0')}`;
    this.current = new ChangeRun(world, id, request, retentionMs);
    await this.current.execute();
  }

  private async request(kind: ChangeKind, choice: number): Promise<ChangeRequest | null> {
    const topology = await this.world.store.readTopology();
    const active = topology.nodes.filter((node) => node.state === 'active').map((node) => node.id);
    const chosen = active[choice % Math.max(1, active.length)]!;
    const fresh = () => {
      const id = `m${++this.added}`;
      return { id, url: `http://${id}.test:7700` };
    };
    const factors = topology.indexes
      .filter((index) => index.deletedSeq === null)
      .map((index) => index.replicationFactor);
    const isTight = active.length <= Math.max(topology.replicationFactor, ...factors);
    switch (kind) {
      case 'add':
        return { kind, nodes: [fresh()] };
      case 'drain':
      case 'remove':
        return isTight ? null : { kind, nodes: [chosen] };
      case 'replace':
        return { kind, nodes: [{ ...fresh(), replaces: chosen }] };
      case 'set':
        return { kind, nodes: [{ id: chosen, weight: 1 + (choice % 4) }] };
      case 'set-replication': {
        const index = topology.indexes.find((one) => one.deletedSeq === null);
        const factor = 1 + (choice % Math.min(3, active.length));
        return index ? { kind, replication: [{ index: index.uid, factor }] } : null;
      }
      case 'rollback': {
        const [latest] = await this.world.query<{ id: string }>(
          `SELECT id FROM changes WHERE status = 'retaining' ORDER BY started_at DESC, id DESC LIMIT 1`,
        );
        return latest ? { kind, change: latest.id } : null;
      }
      default:
        return { kind };
    }
  }

  /** Everything heals, what was given up is begun again, and then nothing may be left to do. */
  async comeToRest(): Promise<void> {
    const { world } = this;
    world.network.calm = true;
    world.pollSlowly();
    world.network.cuts.clear();
    world.traps.length = 0;
    for (const node of world.nodes.values()) {
      node.up = true;
      node.slowness = 1;
      node.work();
    }
    for (const { process } of [...world.workers, ...world.proxies]) process.wake();
    const limitMs = world.scheduler.nowMs + REST_MS;
    let rounds = 0;
    let nextMs = world.scheduler.nowMs + 500;
    while (world.violations.length === 0) {
      await this.step();
      if (world.scheduler.nowMs < nextMs) continue;
      nextMs = world.scheduler.nowMs + 300;
      if (world.scheduler.nowMs > limitMs) {
        world.violate(`nothing comes to rest: ${await this.whatIsLeft()}`);
        return;
      }
      // A stream without work sees what its node has lost when it takes over the next time.
      if (world.lost.size > 0 && world.scheduler.nowMs < limitMs - REST_MS + NOTICED_MS) continue;
      if (this.current && !this.current.over) {
        // A step that waits for what does not come has its deadline; then somebody gives the move up. Not those of a
        // change that has just begun: what is wanted of it now can be done.
        const sinceMs = Math.max(this.current.beganMs, limitMs - REST_MS);
        if (world.scheduler.nowMs > sinceMs + REST_MS / 3)
          for (const moveId of this.current.moves) this.current.run.cancelled.add(moveId);
        continue;
      }
      // Once to finish what was given up; again when a node has lost its disk and is built anew.
      const least = world.lost.size > 0 ? 3 : 1;
      if (rounds < least || (rounds < MOST_ROUNDS && (await this.isIll()))) {
        rounds += 1;
        this.guard(this.change('rebalance', 0, 0));
        continue;
      }
      if ((await this.whatIsLeft()) === null) break;
    }
    if (world.violations.length > 0) return;
    world.answersMayBeOld = false;
    await judgeRest(world);
    for (const proxy of [...world.proxies])
      for (const uid of ['books', 'films']) this.guard(sendSearch(world, proxy, uid));
    const endMs = world.scheduler.nowMs + 2_000;
    while (world.scheduler.nowMs < endMs && world.violations.length === 0) await this.step();
  }

  private async isIll(): Promise<boolean> {
    const rows = await this.world.query(
      `SELECT 1 FROM replicas WHERE move_id LIKE 'diverged/%' UNION ALL SELECT 1 FROM streams WHERE lost IS NOT NULL`,
    );
    return rows.length > 0;
  }

  /** Null when all tasks are finished, all streams at the head and no step of a move waits. */
  private async whatIsLeft(): Promise<string | null> {
    const { world } = this;
    const open = await world.query<{ seq: number }>('SELECT seq FROM journal WHERE finished_at IS NULL');
    const streams = await world.query<{ node: string; position: number; last_error: string | null }>(
      'SELECT node, position, last_error FROM streams WHERE position < (SELECT next_seq - 1 FROM cluster) OR last_error IS NOT NULL',
    );
    const controls = await world.query<{ key: string }>(`SELECT key FROM controls WHERE status = 'waiting'`);
    const change = this.current && !this.current.over ? this.current.id : null;
    const astray = await this.findAstray();
    // Sources outlive a run that was terminated, until their retention is over.
    const kept = await world.query<{ id: string }>(
      `SELECT id FROM changes WHERE status = 'retaining'
       UNION ALL SELECT node || ' ' || state FROM replicas WHERE state <> 'in-sync'`,
    );
    if (open.length + streams.length + controls.length + kept.length + astray.length === 0 && change === null)
      return null;
    return JSON.stringify({ tasks: open.map(({ seq }) => seq), streams, controls, change, kept, astray });
  }

  /** Indexes under another name than their node's stream knows: a sleeper that woke in the calm has fenced it. */
  private async findAstray(): Promise<string[]> {
    const { indexes } = await this.world.store.readTopology();
    return indexes
      .filter((index) => index.deletedSeq === null)
      .flatMap((index) => Object.entries(index.physicalNames))
      .filter(([node, name]) => this.world.nodes.get(node)?.indexes.has(name) === false)
      .map(([node, name]) => `${name} on ${node}`);
  }
}
