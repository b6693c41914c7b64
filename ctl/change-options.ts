// The options of every command that starts a change.
import type { Command } from 'commander';
import { decider } from './decider.js';
import { parseCount, parseDuration } from './session.js';

export interface ChangeFlags {
  watch: boolean;
  retention?: number;
  concurrency?: number;
  chunk?: number;
  rate?: number;
  perNode?: number;
  approve?: true;
  allowFewerZones?: boolean;
}

export function addChangeOptions(command: Command): Command {
  return addMoveOptions(command.option('--watch', 'follow the change until it has ended', false));
}

/** Those that a plan may have, too. */
export function addMoveOptions(command: Command): Command {
  return command
    .option(
      '--retention <duration>',
      'how long the source of a move is kept before it is deleted (0: not at all)',
      parseDuration,
    )
    .option('--concurrency <moves>', 'moves at the same time', parseCount)
    .option('--chunk <documents>', 'documents copied at once', parseCount)
    .option('--rate <documents>', 'documents copied per second at most, by all moves together', parseCount)
    .option('--per-node <moves>', 'moves at the same time that use one node', parseCount)
    .option('--approve', 'wait before the first flip until `rebalance approve`')
    .option('--allow-fewer-zones', 'even if replicas lie in fewer zones afterwards');
}

/** The options as the admin API names them; what was not given is left out. */
export function changeOptions(flags: ChangeFlags): Record<string, number | boolean> {
  const named = {
    retentionMs: flags.retention,
    concurrency: flags.concurrency,
    copyChunkDocuments: flags.chunk,
    copyDocumentsPerSecond: flags.rate,
    nodeConcurrency: flags.perNode,
    approve: flags.approve,
    allowFewerZones: flags.allowFewerZones,
  };
  const given = Object.entries(named).filter(
    (entry): entry is [string, number | boolean] => entry[1] !== undefined,
  );
  return Object.fromEntries(given);
}

/** The same with who asks: what every command sends that starts a change. */
export function startOptions(flags: ChangeFlags): Record<string, number | boolean | string> {
  return { ...changeOptions(flags), by: decider() };
}

/** The same as a query string with its question mark. */
export function startQuery(flags: ChangeFlags): string {
  const pairs = Object.entries(startOptions(flags));
  return `?${pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')}`;
}
