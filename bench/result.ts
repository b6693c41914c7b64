// What a case measured, against the project's targets; and how that is printed.
import type { Machine } from './usage.js';

export interface Measure {
  name: string;
  value: number;
  unit: 'ratio' | 'ms' | 's' | 'MB';
  /** Null for a number that is only told. */
  target: { most: number } | { least: number } | null;
}

export interface CaseResult {
  case: string;
  measures: Measure[];
  /** Absolute numbers behind the ratios, for people who compare runs. */
  details: Record<string, number>;
  loadBefore: readonly number[];
  loadAfter: readonly number[];
}

export interface Report {
  at: string;
  machine: Machine;
  nodes: string;
  quick: boolean;
  cases: CaseResult[];
}

/** Null where there is no target. */
export function isMet({ value, target }: Measure): boolean | null {
  if (target === null) return null;
  return 'most' in target ? value <= target.most : value >= target.least;
}

/** The table that people read. */
export function printReport(report: Report): string {
  const rows = report.cases.flatMap(({ case: name, measures, loadBefore }) =>
    measures.map((measure, at) => [
      at === 0 ? name : '',
      measure.name,
      `${round(measure.value)}${measure.unit === 'ratio' ? '×' : ` ${measure.unit}`}`,
      describeTarget(measure),
      { true: 'met', false: 'MISSED', null: '' }[String(isMet(measure)) as 'true' | 'false' | 'null'],
      at === 0 ? String(loadBefore[0]) : '',
    ]),
  );
  const table = [['case', 'measure', 'value', 'target', '', 'load'], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  const { machine } = report;
  return [
    `Nodes: ${report.nodes}. Machine: ${machine.processors}, Node ${machine.node}, load ${machine.load.join(' ')}.`,
    '',
    ...lines,
    '',
    ...report.cases.map(
      ({ case: name, details }) =>
        `${name}: ${Object.entries(details)
          .map(([key, value]) => `${key} ${round(value)}`)
          .join(', ')}`,
    ),
  ].join('\n');
}

function describeTarget({ target }: Measure): string {
  if (target === null) return '';
  return 'most' in target ? `≤ ${target.most}` : `≥ ${target.least}`;
}

function round(value: number): string {
  return String(Number(value.toPrecision(3)));
}
