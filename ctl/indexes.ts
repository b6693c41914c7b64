// `index list`.
import type { Command } from 'commander';
import { EXIT } from './exit.js';
import { formatCounts, formatTable } from './output.js';
import type { Runner } from './program.js';
import type { IndexView } from './views.js';

export function addIndexCommands(program: Command, run: Runner): void {
  const index = program.command('index').description('Lists indexes.');
  index
    .command('list')
    .description('Lists the indexes with their shards and replicas.')
    .action(
      run(async ({ api, output }) => {
        const { indexes } = await api.get<{ indexes: IndexView[] }>('/indexes');
        const table = formatTable(
          ['INDEX', 'PRIMARY KEY', 'SHARDS', 'RF', 'REPLICAS', 'HEALTH'],
          indexes.map((view) => [
            view.uid,
            view.primaryKey,
            view.shardCount,
            view.replicationFactor,
            formatCounts(view.replicas),
            describeHealth(view),
          ]),
        );
        output.result(table, { indexes });
        return EXIT.done;
      }),
    );
}

function describeHealth(view: IndexView): string {
  if (view.unavailableShards > 0) return `${view.unavailableShards} shards unavailable`;
  if (view.underReplicatedShards > 0) return `${view.underReplicatedShards} shards under-replicated`;
  return view.visible ? 'healthy' : 'being created';
}
