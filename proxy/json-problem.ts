// Where and why a JSON text is malformed, in the words that Meilisearch uses. Only run on texts that do not parse.

class Problem extends Error {}

const BACKSLASH = 92;
const QUOTE = 34;

/** A sentence like `expected value at line 1 column 1`. */
export function describeJsonProblem(text: string): string {
  const scanner = new Scanner(Buffer.from(text, 'utf8'));
  try {
    scanner.document();
  } catch (problem) {
    if (problem instanceof Problem) return problem.message;
    throw problem;
  }
  // JSON.parse refused what this scanner accepts: only lone surrogates and the like are left.
  return 'invalid unicode code point at line 1 column 1';
}

class Scanner {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  document(): void {
    this.value();
    if (this.space() !== undefined) this.failAhead('trailing characters');
  }

  private value(): void {
    const first = this.space();
    if (first === undefined) this.failAhead('EOF while parsing a value');
    const char = String.fromCharCode(first!);
    if (char === '"') this.string();
    else if (char === '[') this.list();
    else if (char === '{') this.object();
    else if (char === 't') this.ident('true');
    else if (char === 'f') this.ident('false');
    else if (char === 'n') this.ident('null');
    else if (char === '-' || this.isDigit(first)) this.number();
    else this.failAhead('expected value');
  }

  private list(): void {
    this.at++;
    for (let first = true; ; first = false) {
      let next = this.space();
      if (next === undefined) this.failAhead('EOF while parsing a list');
      if (next === 93) {
        this.at++;
        return;
      }
      if (!first) {
        if (next !== 44) this.failAhead('expected `,` or `]`');
        this.at++;
        next = this.space();
        if (next === 93) this.failAhead('trailing comma');
      }
      this.value();
    }
  }

  private object(): void {
    this.at++;
    for (let first = true; ; first = false) {
      let next = this.space();
      if (next === undefined) this.failAhead('EOF while parsing an object');
      if (next === 125) {
        this.at++;
        return;
      }
      if (!first) {
        if (next !== 44) this.failAhead('expected `,` or `}`');
        this.at++;
        next = this.space();
        if (next === undefined) this.failAhead('EOF while parsing a value');
        if (next === 125) this.failAhead('trailing comma');
      }
      if (next !== QUOTE) this.failAhead('key must be a string');
      this.string();
      const colon = this.space();
      if (colon === undefined) this.failAhead('EOF while parsing an object');
      if (colon !== 58) this.failAhead('expected `:`');
      this.at++;
      this.value();
    }
  }

  private ident(word: string): void {
    this.at++;
    for (const expected of word.slice(1)) {
      const next = this.bytes[this.at];
      if (next === undefined) this.fail('EOF while parsing a value');
      this.at++;
      if (next !== expected.charCodeAt(0)) this.fail('expected ident');
    }
  }

  private number(): void {
    if (this.bytes[this.at] === 45) this.at++;
    const first = this.bytes[this.at];
    if (first === undefined) this.fail('EOF while parsing a value');
    this.at++;
    if (!this.isDigit(first)) this.fail('invalid number');
    if (first === 48 && this.isDigit(this.bytes[this.at])) this.failAhead('invalid number');
    this.digits();
    if (this.bytes[this.at] === 46) {
      this.at++;
      const next = this.bytes[this.at];
      if (next === undefined) this.failAhead('EOF while parsing a value');
      if (!this.isDigit(next)) this.failAhead('invalid number');
      this.digits();
    }
    if (this.bytes[this.at] === 101 || this.bytes[this.at] === 69) {
      this.at++;
      if (this.bytes[this.at] === 43 || this.bytes[this.at] === 45) this.at++;
      const next = this.bytes[this.at];
      if (next === undefined) this.fail('EOF while parsing a value');
      this.at++;
      if (!this.isDigit(next)) this.fail('invalid number');
      this.digits();
    }
  }

  private string(): void {
    this.at++;
    for (;;) {
      const next = this.bytes[this.at];
      if (next === undefined) this.fail('EOF while parsing a string');
      this.at++;
      if (next === QUOTE) return;
      if (next! < 32) this.fail('control character (\\u0000-\\u001F) found while parsing a string');
      if (next === BACKSLASH) this.escape();
    }
  }

  private escape(): void {
    const next = this.bytes[this.at];
    if (next === undefined) this.fail('EOF while parsing a string');
    this.at++;
    const char = String.fromCharCode(next!);
    if (char === 'u') {
      const hex = this.bytes.toString('latin1', this.at, this.at + 4);
      this.at = Math.min(this.at + 4, this.bytes.length);
      if (hex.length < 4) this.fail('EOF while parsing a string');
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) this.fail('invalid escape');
    } else if (!'"\\/bfnrt'.includes(char)) {
      this.fail('invalid escape');
    }
  }

  private digits(): void {
    while (this.isDigit(this.bytes[this.at])) this.at++;
  }

  private isDigit(byte: number | undefined): boolean {
    return byte !== undefined && byte >= 48 && byte <= 57;
  }

  /** Skips white space; the byte that follows, not yet consumed. */
  private space(): number | undefined {
    for (;;) {
      const byte = this.bytes[this.at];
      if (byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9) return byte;
      this.at++;
    }
  }

  /** A problem with what was consumed last. */
  private fail(message: string): never {
    throw new Problem(this.locate(message, this.at));
  }

  /** A problem with the byte that comes next. */
  private failAhead(message: string): never {
    throw new Problem(this.locate(message, Math.min(this.at + 1, this.bytes.length)));
  }

  private locate(message: string, end: number): string {
    let line = 1;
    let column = 0;
    for (let i = 0; i < end; i++) {
      if (this.bytes[i] === 10) {
        line++;
        column = 0;
      } else column++;
    }
    return `${message} at line ${line} column ${column}`;
  }
}
