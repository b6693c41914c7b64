// The table and the differing cases, for people; and the verdict.

import type { QueryClass } from './query-class.js';
import type { Outcome } from './run.js';
import { addTallies, type Case, type Tally } from './tally.js';

const PERCENT_DIGITS = 1;

/** Of so many; never rounded up to 100. */
export function percent(part: number, whole: number): string {
  if (whole === 0) return '-';
  if (part === whole) return '100';
  const factor = 10 ** PERCENT_DIGITS;
  return (Math.floor((part / whole) * 100 * factor) / factor).toFixed(PERCENT_DIGITS);
}

function mean(sum: number, count: number): string {
  return count === 0 ? '-' : (Math.floor((sum / count) * 10_000) / 10_000).toFixed(4);
}

/** One row for each class, over all fleets. */
export function classRows(outcome: Outcome, classes: readonly QueryClass[]): string[][] {
  return classes.map((kind) => {
    const reason = outcome.skipped.find((entry) => entry.class === kind.name)?.reason;
    if (reason !== undefined)
      return [kind.name, '-', '-', '-', '-', '-', '-', '-', '-', `skipped: ${reason}`];
    const own = outcome.tallies.filter((tally) => tally.class === kind.name);
    if (own.length === 0) return [kind.name, '0', '-', '-', '-', '-', '-', '-', '-', ''];
    const sum = addTallies(own);
    const share = (part: number) => percent(part, sum.queries);
    return [
      kind.name,
      String(sum.queries + sum.notSupported + sum.notInEngine),
      share(sum.identical),
      share(sum.hits),
      share(sum.totals),
      share(sum.facets),
      share(sum.rest),
      mean(sum.tauSum, sum.tauCount),
      mean(sum.overlapSum, sum.differing),
      noteOf(kind, sum),
    ];
  });
}

function noteOf(kind: QueryClass, sum: Tally): string {
  const notes = [kind.notExact === null ? 'exact' : ''];
  if (sum.notSupported > 0) notes.push(`${sum.notSupported} not supported`);
  if (sum.unexpected > 0) notes.push(`${sum.unexpected} unexpected by the reference`);
  if (sum.notInEngine > 0) notes.push(`${sum.notInEngine} not in the engine`);
  if (sum.spellings > 0) notes.push(`${sum.spellings} facets spelled otherwise`);
  if (sum.facetTies > 0) notes.push(`${sum.facetTies} facets with equal counts in another order`);
  if (sum.keysMoved > 0) notes.push(`${sum.keysMoved} with keys moved`);
  return notes.filter((note) => note !== '').join(', ');
}

const HEAD = ['class', 'queries', 'identical', 'hits', 'totals', 'facets', 'rest', 'tau', 'overlap', ''];

function drawTable(head: readonly string[], rows: readonly string[][]): string {
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]!.length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) =>
        at === 0 || at === row.length - 1 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!),
      )
      .join('  ')
      .trimEnd();
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** The table of classes for a Markdown page. */
export function markdownTable(outcome: Outcome, classes: readonly QueryClass[]): string {
  const line = (row: readonly string[]) => `| ${row.join(' | ')} |`;
  const rule = HEAD.map((_, at) => (at === 0 || at === HEAD.length - 1 ? '---' : '---:'));
  return [line(HEAD), line(rule), ...classRows(outcome, classes).map(line)].join('\n');
}

/** Identical hits of every class by fleet, where they are not all identical. */
function fleetTable(outcome: Outcome): string | null {
  const fleets = [...new Set(outcome.tallies.map((tally) => tally.fleet))];
  const names = [...new Set(outcome.tallies.map((tally) => tally.class))].filter((name) =>
    outcome.tallies.some((tally) => tally.class === name && tally.identical < tally.queries),
  );
  if (names.length === 0) return null;
  const rows = names.map((name) => [
    name,
    ...fleets.map((fleet) => {
      const tally = outcome.tallies.find((entry) => entry.class === name && entry.fleet === fleet);
      if (tally === undefined) return '-';
      return `${percent(tally.hits, tally.queries)} / ${percent(tally.identical, tally.queries)}`;
    }),
    '',
  ]);
  return `Identical hits / identical answers by fleet, where not all are identical:\n${drawTable(['class', ...fleets, ''], rows)}`;
}

/** How to ask one query again. */
export function againCommand(entry: Case, seed: number, documents: number): string {
  const [, nodes, replicas, skew] = /^(\d+) nodes?, RF (\d+), (\w+)$/.exec(entry.fleet)!;
  return `npm run exactness -- --documents ${documents} --seed ${seed} --class "${entry.class}" --only ${entry.only} --fleets ${nodes} --rf ${replicas} --skew ${skew}`;
}

function describeCase(entry: Case, seed: number, documents: number): string {
  const shorten = (text: string | null) =>
    text === null ? '(nothing)' : text.length > 300 ? `${text.slice(0, 300)}...` : text;
  const where =
    entry.position === null ? entry.parts.join(', ') : `${entry.parts.join(', ')}; hit ${entry.position}`;
  return [
    `${entry.class}, ${entry.fleet}: ${where}`,
    `  ${entry.ask.method} ${entry.ask.path} ${JSON.stringify(entry.ask.body ?? null)}`,
    `  Miroir:    ${shorten(entry.ours)}`,
    `  reference: ${shorten(entry.theirs)}`,
    `  ${againCommand(entry, seed, documents)}`,
  ].join('\n');
}

/** The whole report. */
export function printOutcome(
  outcome: Outcome,
  classes: readonly QueryClass[],
  {
    seed,
    documents,
    shownCases,
    markdown,
  }: { seed: number; documents: number; shownCases: number; markdown: boolean },
): string {
  const sections = [
    markdown ? markdownTable(outcome, classes) : drawTable(HEAD, classRows(outcome, classes)),
  ];
  const byFleet = fleetTable(outcome);
  if (byFleet !== null) sections.push(byFleet);
  const causes = causeLines(outcome, classes);
  if (causes.length > 0) sections.push(['Why answers differ:', ...causes].join('\n'));
  const shown = firstOfEachClass(outcome.cases).slice(0, shownCases);
  if (shown.length > 0) {
    sections.push(
      [
        'The first differing case of each class:',
        ...shown.map((entry) => describeCase(entry, seed, documents)),
      ].join('\n'),
    );
  }
  return sections.join('\n\n');
}

/** The known cause of what differs, by class. */
function causeLines(outcome: Outcome, classes: readonly QueryClass[]): string[] {
  return classes.flatMap((kind) => {
    const own = outcome.tallies.filter((tally) => tally.class === kind.name);
    if (own.every((tally) => tally.identical === tally.queries)) return [];
    const causes = [kind.notExact, kind.otherCause].filter((cause) => cause !== null);
    return [`  ${kind.name}: ${causes.join('; ') || 'no cause is known'}`];
  });
}

function firstOfEachClass(cases: readonly Case[]): Case[] {
  return cases.filter((entry, at) => cases.findIndex((other) => other.class === entry.class) === at);
}

/** What is wrong with exact classes, one line each; empty when all is well. */
export function findFailures(outcome: Outcome, classes: readonly QueryClass[]): string[] {
  return classes.flatMap((kind) => {
    const own = outcome.tallies.filter((tally) => tally.class === kind.name);
    if (own.length === 0) return [];
    const sum = addTallies(own);
    const { queries, unexpected } = sum;
    const lines: string[] = [];
    // What else than hits has a cause may differ; status and messages of errors never may.
    const parts =
      kind.otherCause === null
        ? (['hits', 'rest', 'totals', 'facets'] as const)
        : (['hits', 'rest'] as const);
    for (const part of kind.notExact === null ? parts : []) {
      if (sum[part] === queries) continue;
      const other = part === 'rest' ? 'other members or errors' : `other ${part}`;
      lines.push(`${kind.name}: ${queries - sum[part]} of ${queries} answers have ${other} than one node`);
    }
    if (unexpected > 0)
      lines.push(`${kind.name}: ${unexpected} queries were not answered as expected by one node`);
    return lines;
  });
}
