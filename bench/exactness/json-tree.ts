// Reads JSON without touching its scalars, and prints it with the keys of objects in order: for telling apart answers
// that differ from answers that say the same in another order.

export type Tree =
  | { kind: 'scalar'; text: string }
  | { kind: 'array'; items: Tree[] }
  | { kind: 'object'; members: [key: string, value: Tree][] };

/** Reads a JSON text. Keys and scalars stay as they are written. Throws where it is not JSON. */
export function readTree(text: string): Tree {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  let at = 0;
  const next = (): string => {
    const token = tokens[at++];
    if (token === undefined) throw new Error(`the JSON ends early: ${text.slice(0, 80)}`);
    return token;
  };
  const expect = (...allowed: string[]): string => {
    const token = next();
    if (!allowed.includes(token)) throw new Error(`${token} where ${allowed.join(' or ')} must be`);
    return token;
  };
  const value = (): Tree => {
    const token = next();
    if (token === '[') return { kind: 'array', items: array() };
    if (token === '{') return { kind: 'object', members: object() };
    if (/^[}\],:]$/.test(token)) throw new Error(`${token} where a value must be`);
    return { kind: 'scalar', text: token };
  };
  const array = (): Tree[] => {
    const items: Tree[] = [];
    if (tokens[at] === ']') {
      at += 1;
      return items;
    }
    do items.push(value());
    while (expect(',', ']') === ',');
    return items;
  };
  const object = (): [string, Tree][] => {
    const members: [string, Tree][] = [];
    if (tokens[at] === '}') {
      at += 1;
      return members;
    }
    do {
      const key = next();
      expect(':');
      members.push([key, value()]);
    } while (expect(',', '}') === ',');
    return members;
  };
  const tree = value();
  if (at < tokens.length) throw new Error(`something follows the JSON: ${tokens[at]}`);
  return tree;
}

/** Prints a tree; with `ordered` the keys of all its objects in order. */
export function printTree(tree: Tree, ordered = false): string {
  if (tree.kind === 'scalar') return tree.text;
  if (tree.kind === 'array') return `[${tree.items.map((item) => printTree(item, ordered)).join(',')}]`;
  const members = ordered ? [...tree.members].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)) : tree.members;
  return `{${members.map(([key, value]) => `${key}:${printTree(value, ordered)}`).join(',')}}`;
}

/** A member of an object by its plain name. */
export function member(tree: Tree, name: string): Tree | undefined {
  return tree.kind === 'object' ? tree.members.find(([key]) => key === `"${name}"`)?.[1] : undefined;
}
