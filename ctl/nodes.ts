// `node list|add|remove|drain`.
import { type Command, InvalidArgumentError } from 'commander';
import { addChangeOptions, type ChangeFlags, changeOptions, changeQuery } from './change-options.js';
import { findNodeKey } from './credentials.js';
import { EXIT } from './exit.js';
import type { Runner } from './program.js';
import { finishStart } from './progress.js';
import { formatNodes } from './status.js';
import type { NodeView, StartedView } from './views.js';

interface NamedUrl {
  id: string;
  url: string;
}

interface AddFlags extends ChangeFlags {
  zone?: string;
  weight?: number;
  keyFile?: string;
}

export function addNodeCommands(program: Command, run: Runner): void {
  const node = program.command('node').description('Lists, adds, drains and removes nodes.');

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

  const add = node
    .command('add')
    .description('Adds Meilisearch nodes and gives them their share of the shards.')
    .argument('<id=url...>', 'nodes, for example n4=http://10.0.0.4:7700', collectNode)
    .option('--zone <zone>', 'failure zone of these nodes')
    .option('--weight <number>', 'share of the shards relative to other nodes (default 1)', parseWeight)
    .option('--key-file <file>', "file with the nodes' master key (or MIROIR_NODE_KEY); never an argument");
  addChangeOptions(add).action(
    run(async (session, named: NamedUrl[], flags: AddFlags) => {
      const key = findNodeKey(session.world.env, flags.keyFile);
      const { zone, weight } = flags;
      const nodes = named.map(({ id, url }) => ({ id, url, zone, weight, key: key ?? undefined }));
      const started = await session.api.post<StartedView>('/nodes', { nodes, ...changeOptions(flags) });
      return finishStart(session, started, flags.watch);
    }),
  );

  const drain = node
    .command('drain')
    .description(
      'Moves all shards off a node; it keeps serving until they have moved, and stays in the fleet.',
    )
    .argument('<id>', 'the node');
  addChangeOptions(drain).action(
    run(async (session, id: string, flags: ChangeFlags) => {
      await session.confirm(`Drain node ${id}: move all its shards to other nodes?`);
      const path = `/nodes/${encodeURIComponent(id)}/drain`;
      const started = await session.api.post<StartedView>(path, changeOptions(flags));
      return finishStart(session, started, flags.watch);
    }),
  );

  const remove = node
    .command('remove')
    .description('Moves all shards off a node and takes it out of the fleet.')
    .argument('<id>', 'the node');
  addChangeOptions(remove).action(
    run(async (session, id: string, flags: ChangeFlags) => {
      await session.confirm(`Remove node ${id}: move all its shards away and take it out of the fleet?`);
      const path = `/nodes/${encodeURIComponent(id)}${changeQuery(flags)}`;
      return finishStart(session, await session.api.delete<StartedView>(path), flags.watch);
    }),
  );
}

function collectNode(text: string, before: NamedUrl[] | undefined): NamedUrl[] {
  const equals = text.indexOf('=');
  if (equals < 1 || equals === text.length - 1) {
    throw new InvalidArgumentError('expected <id>=<url>, for example n4=http://10.0.0.4:7700');
  }
  return [...(before ?? []), { id: text.slice(0, equals), url: text.slice(equals + 1) }];
}

function parseWeight(text: string): number {
  const weight = Number(text);
  if (!(weight > 0 && weight <= 1_000))
    throw new InvalidArgumentError('expected a number above 0, at most 1000');
  return weight;
}
