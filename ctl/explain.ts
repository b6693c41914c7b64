// `explain`: where a search went, what came back, and why its first hits stand in their order.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { EXIT } from './exit.js';
import { formatTable } from './output.js';
import type { Runner } from './program.js';
import type { ExplainView } from './views.js';

interface ExplainFlags {
  body?: object;
  scoring?: string;
}

export function addExplainCommand(program: Command, run: Runner): void {
  program
    .command('explain')
    .description(
      'Shows how a search is answered: shards, nodes, timings, what was gathered, and the order of the first hits.',
    )
    .argument('<index>', 'uid of the index')
    .argument('[q]', 'the words to search for')
    .option('--body <json>', 'the whole body of the search as JSON; q is added to it', parseBody)
    .addOption(
      new Option('--scoring <scoring>', 'as the header X-Miroir-Scoring').choices(['dfs', 'local', 'none']),
    )
    .action(
      run(async ({ api, output }, indexUid: string, q: string | undefined, flags: ExplainFlags) => {
        const { body: given, scoring } = flags;
        const body = { ...given, ...(q === undefined ? {} : { q }), ...(scoring && { scoring }), indexUid };
        const view = await api.post<ExplainView>('/explain', body);
        output.result(describe(view), view);
        return EXIT.done;
      }),
    );
}

function parseBody(text: string): object {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body;
  } catch {
    // Named below.
  }
  throw new InvalidArgumentError('expected a JSON object');
}

function describe(view: ExplainView): string[] {
  const { asked, of } = view.shards;
  const total = view.answers.reduce((sum, answer) => sum + answer.total, 0);
  const asks =
    asked === of ? `all ${of} shards` : `${asked} of ${of} shards (the filter pins the primary key)`;
  return [
    `index ${view.indexUid} at epoch ${view.epoch}: ${asks} on ${view.answers.length} nodes, ${total} documents match`,
    '',
    ...formatTable(
      ['NODE', 'SHARDS', 'TOOK', 'NODE TOOK', 'HITS', 'MATCH'],
      view.answers.map((answer) => [
        answer.node,
        answer.shards.length,
        `${answer.tookMs} ms`,
        `${answer.nodeMs} ms`,
        answer.hits,
        answer.total,
      ]),
    ),
    '',
    'Replicas that could answer (fewest nodes first, then the smaller cost):',
    ...formatTable(
      ['NODE', 'IN-SYNC SHARDS', 'COST'],
      view.replicas.map((replica) => [
        replica.node,
        replica.inSyncShards,
        replica.costMs === null ? 'does not answer' : replica.costMs,
      ]),
    ),
    '',
    ...describeGathered(view),
    ...formatTable(
      ['RANK', 'ID', 'SHARD', 'NODE', 'BEFORE THE NEXT BY'],
      view.hits.map((hit) => [
        hit.rank,
        JSON.stringify(hit.id),
        hit.shard,
        hit.node,
        hit.beforeNextBy === null
          ? '-'
          : `${hit.beforeNextBy.rule}: ${brief(hit.beforeNextBy.own)} before ${brief(hit.beforeNextBy.next)}`,
      ]),
    ),
  ];
}

/** What was asked beside the search itself; nothing where it needed nothing. */
function describeGathered({ gathered, ranked }: ExplainView): string[] {
  if (gathered.length === 0) return [];
  const table = formatTable(
    ['GATHERED', 'FROM', 'AT POSITION', 'TOOK', 'BY NODE'],
    gathered.map(({ statistic, cached, position, tookMs, nodes }) => [
      statistic,
      cached ? 'cache' : 'nodes',
      position,
      `${tookMs} ms`,
      nodes.map((asked) => `${asked.node} ${asked.tookMs} ms`).join(', '),
    ]),
  );
  return [...table, `Hits as they are answered: ${ranked.map((id) => JSON.stringify(id)).join(', ')}`, ''];
}

/** A detail without its place among the rules and without the fused score, which decides nothing. */
function brief(detail: unknown): string {
  if (typeof detail !== 'object' || detail === null) return JSON.stringify(detail);
  const { order: _, ...rest } = detail as Record<string, unknown>;
  const values = Object.keys(rest).length > 1 ? { ...rest, score: undefined } : rest;
  return JSON.stringify(values);
}
