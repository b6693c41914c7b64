// CSV to documents: reads records as Meilisearch's reader does and prints each as one line of JSON, streaming.
import { ApiError } from '../../shared/core/errors.js';
import { printFloat } from '../../shared/core/json-print.js';
import { RUST_FLOAT } from '../../shared/core/special-fields.js';

type CellType = 'string' | 'number' | 'boolean';

const FIELD_START = 0;
const UNQUOTED = 1;
const QUOTED = 2;
const QUOTE_IN_QUOTED = 3;

const QUOTE = 0x22;
const LF = 0x0a;
const CR = 0x0d;

const I64_MIN = -(2n ** 63n);
const I64_MAX = 2n ** 63n - 1n;

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function malformed(problem: string): ApiError {
  return new ApiError('malformed_payload', `The \`csv\` payload provided is malformed: \`${problem}\`.`);
}

/** Feeds bytes in, takes lines of JSON out. The first record names the fields, with an optional `:type`. */
export class CsvReader {
  private state = FIELD_START;
  /** The open field's bytes; quotes are undone. */
  private cell: Buffer = Buffer.allocUnsafe(1024);
  private cellSize = 0;
  private record: Buffer[] = [];
  /** False between two records: empty lines are passed over. */
  private inRecord = false;
  private recordAt = { line: 1, byte: 0 };
  private line = 1;
  private offset = 0;
  private header: { name: string; type: CellType }[] | null = null;
  private recordCount = 0;
  private bomBytes = 0;
  private lines: string[] = [];

  constructor(private readonly delimiter: number) {}

  /** Reads the next bytes; answers the lines of JSON of the records that ended in them. */
  push(chunk: Uint8Array): string {
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      // A byte order mark may open the payload.
      if (this.offset < 3 && this.bomBytes === this.offset && byte === [0xef, 0xbb, 0xbf][this.offset]) {
        this.bomBytes++;
        this.offset++;
        continue;
      }
      this.read(byte);
      this.offset++;
      if (byte === LF) this.line++;
    }
    return this.take();
  }

  /** The payload is over: an open record ends with it, even within quotes. */
  finish(): string {
    if (this.inRecord) this.endRecord();
    return this.take();
  }

  private take(): string {
    const text = this.lines.join('');
    this.lines = [];
    return text;
  }

  private read(byte: number): void {
    if (!this.inRecord) {
      if (byte === LF || byte === CR) return;
      this.inRecord = true;
      this.recordAt = { line: this.line, byte: this.offset };
    }
    switch (this.state) {
      case QUOTED:
        if (byte === QUOTE) this.state = QUOTE_IN_QUOTED;
        else this.append(byte);
        return;
      case QUOTE_IN_QUOTED:
        if (byte === QUOTE) {
          this.append(byte);
          this.state = QUOTED;
          return;
        }
        this.state = UNQUOTED;
        break;
      case FIELD_START:
        if (byte === QUOTE) {
          this.state = QUOTED;
          return;
        }
        this.state = UNQUOTED;
        break;
    }
    if (byte === this.delimiter) this.endCell();
    else if (byte === LF || byte === CR) this.endRecord();
    else this.append(byte);
  }

  private append(byte: number): void {
    if (this.cellSize === this.cell.length) {
      this.cell = Buffer.concat([this.cell], this.cellSize * 2);
    }
    this.cell[this.cellSize++] = byte;
  }

  private endCell(): void {
    this.record.push(Buffer.from(this.cell.subarray(0, this.cellSize)));
    this.cellSize = 0;
    this.state = FIELD_START;
  }

  private endRecord(): void {
    this.endCell();
    const cells = this.record;
    this.record = [];
    this.inRecord = false;
    const { line, byte } = this.recordAt;
    const texts = cells.map((cell, field) => {
      try {
        return strict.decode(cell);
      } catch {
        throw malformed(
          `CSV parse error: record ${this.recordCount} (line ${line}, field: ${field}, byte: ${byte}): invalid ` +
            `utf-8: invalid UTF-8 in field ${field} near byte index ${validPrefix(cell)}`,
        );
      }
    });
    if (this.header === null) {
      this.header = texts.map(readHeader);
      this.recordCount = 1;
      return;
    }
    if (texts.length !== this.header.length) {
      throw malformed(
        `CSV error: record ${this.recordCount} (line: ${line}, byte: ${byte}): found record with ${texts.length} ` +
          `fields, but the previous record has ${this.header.length} fields`,
      );
    }
    const fields = new Map<string, string>();
    for (const [field, { name, type }] of this.header.entries()) {
      fields.set(name, printCell(texts[field]!, type, this.recordCount));
    }
    const printed = [...fields].map(([name, value]) => `${JSON.stringify(name)}:${value}`);
    this.lines.push(`{${printed.join(',')}}\n`);
    this.recordCount++;
  }
}

function validPrefix(bytes: Buffer): number {
  let length = bytes.length;
  while (length > 0) {
    try {
      strict.decode(bytes.subarray(0, length));
      return length;
    } catch {
      length--;
    }
  }
  return 0;
}

function readHeader(header: string): { name: string; type: CellType } {
  const typed = /^(.*):(string|number|boolean)$/s.exec(header);
  return typed ? { name: typed[1]!, type: typed[2] as CellType } : { name: header, type: 'string' };
}

/** A cell as JSON text. An empty one is null whatever its type. */
function printCell(text: string, type: CellType, line: number): string {
  if (type === 'string') return text === '' ? 'null' : JSON.stringify(text);
  const trimmed = text.trim();
  if (trimmed === '') return 'null';
  if (type === 'boolean') {
    if (trimmed === 'true' || trimmed === 'false') return trimmed;
    throw malformed(
      `Error parsing boolean ${JSON.stringify(text)} at line ${line}: provided string was not \`true\` or \`false\``,
    );
  }
  if (/^[+-]?\d+$/.test(trimmed)) {
    const value = BigInt(trimmed.replace(/^\+/, ''));
    if (value >= I64_MIN && value <= I64_MAX) return value.toString();
  }
  if (!RUST_FLOAT.test(trimmed)) {
    throw malformed(`Error parsing number ${JSON.stringify(text)} at line ${line}: invalid float literal`);
  }
  // What JSON cannot say (infinity, not a number) becomes null, as in Meilisearch.
  const value = Number(trimmed);
  return Number.isFinite(value) ? printFloat(value) : 'null';
}
