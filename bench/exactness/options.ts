// The options of `npm run exactness`.
import { parseArgs } from 'node:util';
import { chooseClasses } from './classes.js';
import type { FleetShape } from './fleet.js';
import type { QueryClass } from './query-class.js';

export interface ExactnessOptions {
  documents: number;
  queries: number;
  seed: number;
  shapes: FleetShape[];
  classes: QueryClass[];
  only: number | null;
  json: string | null;
  strictKeys: boolean;
  /** Asks every search for its score details too. */
  details: boolean;
  /** The table of classes as Markdown, for docs/exactness.md. */
  markdown: boolean;
  help: boolean;
}

export const USAGE = `npm run exactness -- [options]

  --documents N      documents of the largest index (8000)
  --queries N        queries of each class (60)
  --seed N           what queries and orders are drawn from (1)
  --fleets 1,3,9     sizes of the fleets
  --rf 1,2           replication factors
  --skew even,bad    evenly placed shards, or half of them on one node
                     Any of these three asks for all their combinations. By default five fleets are compared.
  --class NAME       only this class; may be given again, or several with commas (--classes)
  --only K           only the K-th query of the class, and both answers in full
  --details          ask every search for the details of its scores too
  --loose-keys       hits with their keys in another order count as identical
  --json FILE        everything as JSON
  --markdown         the table of classes as Markdown
  --quick            few documents, few queries, two fleets`;

const DEFAULT_SHAPES: readonly FleetShape[] = [
  { nodes: 1, replicationFactor: 1, skew: 'even' },
  { nodes: 3, replicationFactor: 1, skew: 'even' },
  { nodes: 3, replicationFactor: 2, skew: 'bad' },
  { nodes: 9, replicationFactor: 1, skew: 'bad' },
  { nodes: 9, replicationFactor: 2, skew: 'even' },
];
const QUICK_SHAPES: readonly FleetShape[] = [
  { nodes: 1, replicationFactor: 1, skew: 'even' },
  { nodes: 3, replicationFactor: 2, skew: 'bad' },
];

/** Reads program arguments. Throws for what cannot be. */
export function readOptions(args: readonly string[]): ExactnessOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      documents: { type: 'string' },
      queries: { type: 'string' },
      seed: { type: 'string', default: '1' },
      fleets: { type: 'string' },
      rf: { type: 'string' },
      skew: { type: 'string' },
      class: { type: 'string', multiple: true },
      classes: { type: 'string', multiple: true },
      only: { type: 'string' },
      json: { type: 'string' },
      'loose-keys': { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      details: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const names = readNames(values.class, values.classes);
  return {
    documents: readCount('documents', values.documents ?? (values.quick ? '1500' : '8000'), 200),
    queries: readCount('queries', values.queries ?? (values.quick ? '12' : '60'), 1),
    seed: readCount('seed', values.seed, 0),
    shapes: readShapes(values.fleets, values.rf, values.skew, values.quick),
    classes: chooseClasses(names),
    only: values.only === undefined ? null : readCount('only', values.only, 0),
    json: values.json ?? null,
    strictKeys: !values['loose-keys'],
    markdown: values.markdown,
    details: values.details,
    help: values.help,
  };
}

/** A name may have a comma itself: one that is a class as it stands is not cut. */
function readNames(single: string[] | undefined, lists: string[] | undefined): string[] | null {
  const names = [
    ...(single ?? []),
    ...(lists ?? []).flatMap((list) => list.split(',').map((name) => name.trim())),
  ];
  return names.length === 0 ? null : names;
}

function readShapes(
  fleets: string | undefined,
  rf: string | undefined,
  skew: string | undefined,
  quick: boolean,
): FleetShape[] {
  if (fleets === undefined && rf === undefined && skew === undefined) {
    return [...(quick ? QUICK_SHAPES : DEFAULT_SHAPES)];
  }
  const shapes: FleetShape[] = [];
  for (const nodes of readCounts('fleets', fleets ?? '1,3,9')) {
    for (const replicationFactor of readCounts('rf', rf ?? '1')) {
      for (const kind of readSkews(skew ?? 'even')) {
        const isPossible = replicationFactor <= nodes && (nodes > 1 || kind === 'even');
        if (isPossible) shapes.push({ nodes, replicationFactor, skew: kind });
      }
    }
  }
  if (shapes.length === 0)
    throw new Error('no such fleet: a replica needs a node, and one node alone is even');
  return shapes;
}

function readSkews(text: string): FleetShape['skew'][] {
  return text.split(',').map((kind) => {
    if (kind !== 'even' && kind !== 'bad') throw new Error(`--skew: even or bad, not ${kind}`);
    return kind;
  });
}

function readCounts(name: string, text: string): number[] {
  return text.split(',').map((part) => readCount(name, part, 1));
}

function readCount(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new Error(`--${name}: a number from ${least} on, not ${text}`);
  return value;
}
