// `index list`, `index set`.
import { type Command, Option } from 'commander';
import { EXIT } from './exit.js';
import { formatCounts, formatTable } from './output.js';
import type { Runner } from './program.js';
import type { IndexView } from './views.js';

export function addIndexCommands(program: Command, run: Runner): void {
  const index = program.command('index').description('Lists indexes, and sets how they rank.');
  index
    .command('list')
    .description('Lists the indexes with their shards and replicas.')
    .action(
      run(async ({ api, output }) => {
        const { indexes } = await api.get<{ indexes: IndexView[] }>('/indexes');
        const table = formatTable(
          ['INDEX', 'PRIMARY KEY', 'SHARDS', 'RF', 'REPLICAS', 'SCORING', 'HEALTH'],
          indexes.map((view) => [
            view.uid,
            view.primaryKey,
            view.shardCount,
            view.replicationFactor,
            formatCounts(view.replicas),
            view.scoring,
            describeHealth(view),
          ]),
        );
        output.result(table, { indexes });
        return EXIT.done;
      }),
    );
  index
    .command('set')
    .description('Sets how an index ranks its hits unless a search says otherwise.')
    .argument('<index>', 'uid of the index')
    .addOption(
      new Option(
        '--scoring <scoring>',
        'dfs: the first hits by BM25 over the whole corpus; none: by the ranking rules alone',
      )
        .choices(['dfs', 'none'])
        .makeOptionMandatory(),
    )
    .action(
      run(async ({ api, output }, uid: string, flags: { scoring: 'dfs' | 'none' }) => {
        const scoring = flags.scoring === 'none' ? null : flags.scoring;
        const view = await api.patch<{ uid: string; scoring: string | null; epoch: number }>(
          `/indexes/${encodeURIComponent(uid)}`,
          { scoring },
        );
        output.result(
          [
            `index ${view.uid} is scored by ${view.scoring ?? 'its ranking rules'} from epoch ${view.epoch} on`,
          ],
          view,
        );
        return EXIT.done;
      }),
    );
}

function describeHealth(view: IndexView): string {
  if (view.unavailableShards > 0) return `${view.unavailableShards} shards unavailable`;
  if (view.underReplicatedShards > 0) return `${view.underReplicatedShards} shards under-replicated`;
  return view.visible ? 'healthy' : 'being created';
}
