// The edits of a change as options: several of them make a what-if, or one change of several parts.
import { type Command, InvalidArgumentError } from 'commander';

export interface NamedUrl {
  id: string;
  url: string;
}

export interface EditFlags {
  add?: NamedUrl[];
  remove?: string[];
  drain?: string[];
  replace?: (NamedUrl & { replaces: string })[];
  setWeight?: { id: string; weight: number }[];
  setZone?: { id: string; zone: string | null }[];
  setReplication?: { index: string; factor: number }[];
  defaultReplication?: number;
  zone?: string;
  weight?: number;
}

export function addEditOptions(command: Command): Command {
  return command
    .option(
      '--add <id=url>',
      'add this node (may be given several times, as all that follow)',
      collect(parseNode),
    )
    .option('--zone <zone>', 'failure zone of the nodes that are added')
    .option('--weight <number>', 'share of the shards of the nodes that are added', parseWeight)
    .option('--drain <id>', 'move everything off this node', collect(String))
    .option('--remove <id>', 'move everything off this node and take it out of the fleet', collect(String))
    .option(
      '--replace <old:id=url>',
      'put the node id=url into the place of the old one',
      collect(parseReplacement),
    )
    .option('--set-weight <id=number>', 'change the weight of a node', collect(parseNodeWeight))
    .option('--set-zone <id=zone>', 'change the zone of a node; `id=` takes it away', collect(parseNodeZone))
    .option(
      '--set-replication <index=number>',
      'keep so many replicas of an index',
      collect(parseReplication),
    )
    .option('--default-replication <number>', 'keep so many replicas of indexes to come', parseFactor);
}

/** The edits as the admin API names them, or null when no option asks for one. */
export function editsFrom(flags: EditFlags): Record<string, unknown> | null {
  const { add = [], replace = [], zone, weight } = flags;
  const settings = new Map<string, { id: string; weight?: number; zone?: string | null }>();
  for (const setting of [...(flags.setWeight ?? []), ...(flags.setZone ?? [])])
    settings.set(setting.id, { ...settings.get(setting.id), ...setting });
  const replication: { index: string | null; factor: number }[] = [...(flags.setReplication ?? [])];
  if (flags.defaultReplication !== undefined)
    replication.push({ index: null, factor: flags.defaultReplication });
  const edits = {
    add: add.map((node) => ({
      ...node,
      ...(zone !== undefined && { zone }),
      ...(weight !== undefined && { weight }),
    })),
    remove: flags.remove ?? [],
    drain: flags.drain ?? [],
    replace,
    set: [...settings.values()],
    replication,
  };
  const given = Object.entries(edits).filter(([, list]) => list.length > 0);
  return given.length === 0 ? null : Object.fromEntries(given);
}

function collect<T>(parse: (text: string) => T) {
  return (text: string, before: T[] | undefined): T[] => [...(before ?? []), parse(text)];
}

export function parseNode(text: string): NamedUrl {
  const [id, url] = splitAt(text, '=', '<id>=<url>, for example n4=http://10.0.0.4:7700');
  return { id, url };
}

function parseReplacement(text: string): NamedUrl & { replaces: string } {
  const [replaces, node] = splitAt(text, ':', '<old>:<id>=<url>, for example n2:n5=http://10.0.0.5:7700');
  return { ...parseNode(node), replaces };
}

export function parseWeight(text: string): number {
  const weight = Number(text);
  if (!(weight > 0 && weight <= 1_000))
    throw new InvalidArgumentError('expected a number above 0, at most 1000');
  return weight;
}

function parseNodeWeight(text: string): { id: string; weight: number } {
  const [id, weight] = splitAt(text, '=', '<id>=<number>, for example n2=2');
  return { id, weight: parseWeight(weight) };
}

function parseNodeZone(text: string): { id: string; zone: string | null } {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('expected <id>=<zone>, for example n2=b');
  return { id: text.slice(0, equals), zone: text.slice(equals + 1) || null };
}

export function parseReplication(text: string): { index: string; factor: number } {
  const [index, factor] = splitAt(text, '=', '<index>=<number>, for example movies=3');
  return { index, factor: parseFactor(factor) };
}

export function parseFactor(text: string): number {
  if (!/^(1[0-6]|[1-9])$/.test(text)) throw new InvalidArgumentError('expected a whole number from 1 to 16');
  return Number(text);
}

function splitAt(text: string, separator: string, expected: string): [string, string] {
  const at = text.indexOf(separator);
  if (at < 1 || at === text.length - 1) throw new InvalidArgumentError(`expected ${expected}`);
  return [text.slice(0, at), text.slice(at + 1)];
}
