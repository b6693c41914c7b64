// `node list|add|remove|drain|replace|set`, each change with --dry-run.
import type { Command } from 'commander';
import { addChangeOptions, type ChangeFlags, startOptions, startQuery } from './change-options.js';
import { findNodeKey } from './credentials.js';
import { type NamedUrl, parseNode, parseWeight } from './edits.js';
import { CommandFailure, EXIT } from './exit.js';
import { showPlan } from './plans.js';
import type { Runner } from './program.js';
import { finishStart } from './progress.js';
import { formatNodes } from './status.js';
import type { NodeView, StartedView } from './views.js';

const KEY_FILE = "file with the nodes' master key (or MIROIR_NODE_KEY); never an argument";

interface NodeFlags extends ChangeFlags {
  dryRun: boolean;
}

interface AddFlags extends NodeFlags {
  zone?: string;
  weight?: number;
  keyFile?: string;
}

export function addNodeCommands(program: Command, run: Runner): void {
  const node = program
    .command('node')
    .description('Lists, adds, drains, removes, replaces and weighs nodes.');

  node
    .command('list')
    .description('Lists the nodes with their state, replicas and lag.')
    .action(
      run(async ({ api, output }) => {
        const { nodes } = await api.get<{ nodes: NodeView[] }>('/nodes');
        output.result(formatNodes(nodes), { nodes });
        return EXIT.done;
      }),
    );

  const add = withDryRun(
    node
      .command('add')
      .description('Adds Meilisearch nodes and gives them their share of the shards.')
      .argument('<id=url...>', 'nodes, for example n4=http://10.0.0.4:7700', collectNode)
      .option('--zone <zone>', 'failure zone of these nodes')
      .option('--weight <number>', 'share of the shards relative to other nodes (default 1)', parseWeight)
      .option('--key-file <file>', KEY_FILE),
  );
  addChangeOptions(add).action(
    run(async (session, named: NamedUrl[], flags: AddFlags) => {
      const { zone, weight } = flags;
      const nodes = named.map(({ id, url }) => ({ id, url, zone, weight }));
      if (flags.dryRun) return showPlan(session, { add: nodes }, flags);
      const key = findNodeKey(session.world.env, flags.keyFile) ?? undefined;
      const body = { nodes: nodes.map((one) => ({ ...one, key })), ...startOptions(flags) };
      return finishStart(session, await session.api.post<StartedView>('/nodes', body), flags.watch);
    }),
  );

  const drain = withDryRun(
    node
      .command('drain')
      .description(
        'Moves all shards off a node; it keeps serving until they have moved, and stays in the fleet.',
      )
      .argument('<id>', 'the node'),
  );
  addChangeOptions(drain).action(
    run(async (session, id: string, flags: NodeFlags) => {
      if (flags.dryRun) return showPlan(session, { drain: [id] }, flags);
      await session.confirm(`Drain node ${id}: move all its shards to other nodes?`);
      const path = `/nodes/${encodeURIComponent(id)}/drain`;
      const started = await session.api.post<StartedView>(path, startOptions(flags));
      return finishStart(session, started, flags.watch);
    }),
  );

  const remove = withDryRun(
    node
      .command('remove')
      .description('Moves all shards off a node and takes it out of the fleet.')
      .argument('<id>', 'the node'),
  );
  addChangeOptions(remove).action(
    run(async (session, id: string, flags: NodeFlags) => {
      if (flags.dryRun) return showPlan(session, { remove: [id] }, flags);
      await session.confirm(`Remove node ${id}: move all its shards away and take it out of the fleet?`);
      const path = `/nodes/${encodeURIComponent(id)}${startQuery(flags)}`;
      return finishStart(session, await session.api.delete<StartedView>(path), flags.watch);
    }),
  );

  const replace = withDryRun(
    node
      .command('replace')
      .description(
        'Puts a new node into the place of another: only its shards move, then it leaves the fleet.',
      )
      .argument('<id>', 'the node that leaves')
      .argument('<id=url>', 'the node that comes, for example n5=http://10.0.0.5:7700', parseNode)
      .option('--zone <zone>', 'failure zone of the node that comes (default: that of the other)')
      .option('--weight <number>', 'its share of the shards (default: that of the other)', parseWeight)
      .option('--key-file <file>', KEY_FILE),
  );
  addChangeOptions(replace).action(
    run(async (session, id: string, named: NamedUrl, flags: AddFlags) => {
      const { zone, weight } = flags;
      const coming = { ...named, zone, weight };
      if (flags.dryRun) return showPlan(session, { replace: [{ ...coming, replaces: id }] }, flags);
      await session.confirm(`Replace node ${id} by ${named.id}: move all its shards there and take it out?`);
      const key = findNodeKey(session.world.env, flags.keyFile) ?? undefined;
      const path = `/nodes/${encodeURIComponent(id)}/replace`;
      const body = { ...coming, key, ...startOptions(flags) };
      return finishStart(session, await session.api.post<StartedView>(path, body), flags.watch);
    }),
  );

  const set = withDryRun(
    node
      .command('set')
      .description('Changes the weight or the zone of a node, and moves what then belongs elsewhere.')
      .argument('<id>', 'the node')
      .option('--weight <number>', 'share of the shards relative to other nodes', parseWeight)
      .option('--zone <zone>', 'failure zone; an empty one takes it away'),
  );
  addChangeOptions(set).action(
    run(async (session, id: string, flags: AddFlags) => {
      const zone = flags.zone === '' ? null : flags.zone;
      const setting = { ...(zone !== undefined && { zone }), ...(flags.weight && { weight: flags.weight }) };
      if (Object.keys(setting).length === 0) throw new CommandFailure('give --weight or --zone', EXIT.usage);
      if (flags.dryRun) return showPlan(session, { set: [{ id, ...setting }] }, flags);
      const path = `/nodes/${encodeURIComponent(id)}`;
      const started = await session.api.patch<StartedView>(path, { ...setting, ...startOptions(flags) });
      return finishStart(session, started, flags.watch);
    }),
  );
  addForgetData(node, run);
}

function addForgetData(node: Command, run: Runner): void {
  node
    .command('forget-data')
    .description('Gives up what only this node held and has lost, so that it is built anew and tasks go on.')
    .argument('<id>', 'the node')
    .option('--force', 'also where another node may still come back with some of it', false)
    .action(
      run(async (session, id: string, flags: { force: boolean }) => {
        await session.confirm(`Give up for good the documents that only node ${id} held and has lost?`);
        const path = `/nodes/${encodeURIComponent(id)}/forget-data`;
        const answer = await session.api.post<{ lost: { indexUid: string; shard: number }[] }>(path, {
          force: flags.force,
        });
        const lines = answer.lost.map(
          ({ indexUid, shard }) => `  shard ${shard} of ${indexUid} is empty now`,
        );
        session.output.result([`node ${id} is built anew`, ...lines], answer);
        return EXIT.done;
      }),
    );
}

function withDryRun(command: Command): Command {
  return command.option('--dry-run', 'show the plan, change nothing', false);
}

function collectNode(text: string, before: NamedUrl[] | undefined): NamedUrl[] {
  return [...(before ?? []), parseNode(text)];
}
