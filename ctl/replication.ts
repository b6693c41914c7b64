// `set-replication`: how many replicas of each shard an index keeps.
import { type Command, InvalidArgumentError } from 'commander';
import { addChangeOptions, type ChangeFlags, startOptions } from './change-options.js';
import { parseFactor, parseReplication } from './edits.js';
import { CommandFailure, EXIT } from './exit.js';
import { showPlan } from './plans.js';
import type { Runner } from './program.js';
import { finishStart } from './progress.js';
import type { StartedView } from './views.js';

interface Factor {
  index: string | null;
  factor: number;
}

interface ReplicationFlags extends ChangeFlags {
  default?: number;
  dryRun: boolean;
}

export function addReplicationCommand(program: Command, run: Runner): void {
  const command = program
    .command('set-replication')
    .description(
      'Changes how many replicas of each shard indexes keep: copies what is missing, drops what is too much.',
    )
    .argument('[index=number...]', 'for example movies=3', collectFactor)
    .option('--default <number>', 'for indexes to come', parseFactor)
    .option('--dry-run', 'show the plan, change nothing', false);
  addChangeOptions(command).action(
    run(async (session, named: Factor[], flags: ReplicationFlags) => {
      const replication = [...named];
      if (flags.default !== undefined) replication.push({ index: null, factor: flags.default });
      if (replication.length === 0)
        throw new CommandFailure('name at least one index, as in movies=3, or --default', EXIT.usage);
      if (flags.dryRun) return showPlan(session, { replication }, flags);
      const body = { replication, ...startOptions(flags) };
      return finishStart(session, await session.api.post<StartedView>('/replication', body), flags.watch);
    }),
  );
}

function collectFactor(text: string, before: Factor[] | undefined): Factor[] {
  if (!text.includes('=')) throw new InvalidArgumentError('expected <index>=<number>, for example movies=3');
  return [...(before ?? []), parseReplication(text)];
}
