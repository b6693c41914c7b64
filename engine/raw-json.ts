// Cuts valid JSON text without reprinting it, so that 9007199254740993, 1.0 and key order survive.

/** Removes white space outside strings. */
export function compactJson(text: string): string {
  return text.replace(/("[^"\\]*(?:\\.[^"\\]*)*")|\s+/g, '$1');
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    const code = text.charCodeAt(at);
    if (code === 92) at++;
    else if (code === 34) return at + 1;
    else if (Number.isNaN(code)) throw new SyntaxError('unterminated string');
  }
}

/** Where the value that begins at `start` ends; the text must be valid, compact JSON. */
function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === 34) return endOfString(text, start);
  if (first !== 123 && first !== 91) {
    let at = start;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === 44 || code === 93 || code === 125) break;
    }
    return at;
  }
  let depth = 0;
  for (let at = start; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (code === 34) {
      at = endOfString(text, at);
      continue;
    }
    if (code === 123 || code === 91) depth++;
    else if (code === 125 || code === 93) {
      depth--;
      if (depth === 0) return at + 1;
    }
    at++;
  }
  throw new SyntaxError('unterminated value');
}

/** The elements' texts of a compact array. */
export function splitArray(text: string): string[] {
  const elements: string[] = [];
  for (let at = 1; at < text.length - 1; ) {
    const end = endOfValue(text, at);
    elements.push(text.slice(at, end));
    at = end + 1;
  }
  return elements;
}

/** Top-level fields of a compact object: decoded name to the raw text of its value; the last of equal names wins. */
export function splitFields(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (let at = 1; at < text.length - 1; ) {
    const nameEnd = endOfString(text, at);
    const name = JSON.parse(text.slice(at, nameEnd)) as string;
    const end = endOfValue(text, nameEnd + 1);
    fields.set(name, text.slice(nameEnd + 1, end));
    at = end + 1;
  }
  return fields;
}

/** The inverse of splitFields. */
export function joinFields(fields: Iterable<readonly [string, string]>): string {
  let text = '{';
  for (const [name, value] of fields) text += `${text.length > 1 ? ',' : ''}${JSON.stringify(name)}:${value}`;
  return `${text}}`;
}

/** Parses with every number literal kept as a string of its own digits. */
export function parseWithTextNumbers(text: string): unknown {
  return JSON.parse(
    text.replace(
      /("[^"\\]*(?:\\.[^"\\]*)*")|-?\d[\d.eE+-]*/g,
      (all, string?: string) => string ?? `"${all}"`,
    ),
  );
}

/** A float as serde prints it: `1` becomes `1.0`. */
export function floatText(value: number): string {
  const text = String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}
