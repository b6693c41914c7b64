// Prints JSON as Meilisearch does where it quotes a user's value in an error message, and numbers read from CSV.

/** A finite number as Meilisearch prints a float: always with a point or an exponent. */
export function printFloat(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa, exponentText] = value.toExponential().split('e') as [string, string];
  const exponent = Number(exponentText);
  if (exponent < -5 || exponent > 15) return `${mantissa}e${exponent < 0 ? '' : '+'}${exponent}`;
  const negative = mantissa.startsWith('-');
  const digits = mantissa.replace(/[-.]/g, '');
  let text: string;
  if (exponent < 0) text = `0.${'0'.repeat(-exponent - 1)}${digits}`;
  else if (digits.length <= exponent + 1) text = `${digits}${'0'.repeat(exponent + 1 - digits.length)}.0`;
  else text = `${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
  return negative ? `-${text}` : text;
}

const INTEGER = /^-?\d+$/;
const U64_MAX = 18446744073709551615n;
const I64_MIN = -9223372036854775808n;

/** True for the text of a JSON number that Meilisearch keeps as an integer. */
export function isInteger(text: string): boolean {
  if (!INTEGER.test(text) || text === '-0') return false;
  if (text.length < 19) return true;
  const value = BigInt(text);
  return value <= U64_MAX && value >= I64_MIN;
}

function printScalar(text: string): string {
  const first = text.charCodeAt(0);
  if (first === 0x2d || (first >= 0x30 && first <= 0x39)) {
    return isInteger(text) ? text : printFloat(Number(text));
  }
  return text;
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[-+.0-9eE]+|true|false|null|[{}[\],:]/g;

/** Valid JSON without spaces, its strings and numbers in Meilisearch's spelling, a repeated key only once. */
export function printCompact(json: string): string {
  const tokens = json.match(TOKEN) ?? [];
  let at = 0;
  const print = (): string => {
    const token = tokens[at++]!;
    if (token === '{') {
      const fields = new Map<string, string>();
      while (tokens[at] !== '}') {
        if (tokens[at] === ',') at++;
        const key = JSON.stringify(JSON.parse(tokens[at]!));
        at += 2;
        fields.set(key, print());
      }
      at++;
      return `{${[...fields].map(([key, value]) => `${key}:${value}`).join(',')}}`;
    }
    if (token === '[') {
      const elements: string[] = [];
      while (tokens[at] !== ']') {
        if (tokens[at] === ',') at++;
        elements.push(print());
      }
      at++;
      return `[${elements.join(',')}]`;
    }
    return token.startsWith('"') ? JSON.stringify(JSON.parse(token)) : printScalar(token);
  };
  return print();
}

/**
 * What Meilisearch's parser cannot read in a well-formed document: half of a surrogate pair, or a number beyond the
 * floats. Null when there is nothing. `inKey` is true when it stands in a top-level key.
 */
export function findUnreadable(json: string): { reason: string; inKey: boolean } | null {
  const surrogate = { reason: 'unexpected end of hex escape', inKey: false };
  const search = (value: unknown, top: boolean): { reason: string; inKey: boolean } | null => {
    if (typeof value === 'string') return isWellFormed(value) ? null : surrogate;
    if (typeof value === 'number') {
      return Number.isFinite(value) ? null : { reason: 'number out of range', inKey: false };
    }
    if (typeof value !== 'object' || value === null) return null;
    for (const [key, child] of Object.entries(value)) {
      if (!isWellFormed(key)) return { ...surrogate, inKey: top };
      const found = search(child, false);
      if (found !== null) return found;
    }
    return null;
  };
  return search(JSON.parse(json), true);
}

function isWellFormed(text: string): boolean {
  return !/(?:[\ud800-\udbff](?![\udc00-\udfff]))|(?:(?<![\ud800-\udbff])[\udc00-\udfff])/.test(text);
}
