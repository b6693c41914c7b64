// Cuts a stream of JSON or NDJSON into documents as raw bytes, chunk by chunk, without ever reprinting one, and
// refuses what Meilisearch's parser refuses, in its words. Keeps the open document and a few numbers, nothing more.

import { joinBytes } from './byte-text.js';
import { JsonShapeError, JsonSyntaxError } from './json-errors.js';
import {
  AFTER_ELEMENT,
  AFTER_VALUE,
  COLON,
  continuationBytes,
  ELEMENT,
  ELEMENT_AFTER_COMMA,
  EOF_REASONS,
  EOF_REASONS_IN_OBJECT,
  ESCAPE,
  ESCAPES,
  EXPONENT,
  FALSE,
  FINISHED,
  HEX,
  hexDigit,
  INTEGER,
  isDigit,
  KEY,
  KEY_OR_END,
  LITERAL,
  MINUS,
  NULL,
  NUMBER_ENDED,
  NUMBER_INVALID,
  PLAIN,
  STRING,
  stepNumber,
  TOP,
  TRAILING,
  TRUE,
  UTF8,
  VALUE,
  VALUE_AFTER_COMMA,
  VALUE_OR_END,
  ZERO,
} from './json-states.js';

export type JsonFormat = 'json' | 'ndjson';

/**
 * Receives one document. `fields` holds four offsets into `bytes` for each top-level field: key start and end (with
 * its quotes), value start and end; it is reused, so copy what must stay. `suspect` means that the document has
 * something that only a parse can judge: see findUnreadable.
 */
export type DocumentSink = (
  bytes: Uint8Array,
  fields: readonly number[],
  fieldCount: number,
  suspect: boolean,
) => void;

export class JsonSplitter {
  private state = TOP;
  /** Containers around the scanner within the document; 1 for an object, 0 for an array. */
  private stack = new Uint8Array(32);
  private depth = 0;
  /** How the payload began: a list, a single object, or documents one after another. */
  private readonly lines: boolean;
  private single = false;
  private inList = false;

  private isKey = false;
  private hexSeen = 0;
  private hexValue = 0;
  private hexBad = false;
  private literal = NULL;
  private literalSeen = 0;
  private utf8Needed = 0;
  private utf8Low = 0x80;
  private utf8High = 0xbf;
  private badUtf8 = false;
  private suspect = false;

  /** Bytes of the open document from earlier chunks. */
  private carried: Uint8Array[] = [];
  private carriedBytes = 0;
  /** Absolute offsets. */
  private chunkStart = 0;
  private documentStart = -1;
  private lineStart = 0;
  private line = 1;
  private fields: number[] = [];
  private fieldCount = 0;
  private count = 0;

  constructor(
    format: JsonFormat,
    private readonly sink: DocumentSink,
  ) {
    this.lines = format === 'ndjson';
  }

  /** Documents seen so far. */
  get documentCount(): number {
    return this.count;
  }

  /** Feeds the next bytes; calls the sink for every document that ends in them. The bytes may be kept by the sink. */
  push(chunk: Uint8Array): void {
    const end = chunk.length;
    let at = 0;
    while (at < end) {
      let byte = chunk[at]!;
      const state = this.state;
      if (state >= TOP) {
        if (state === FINISHED) break;
        if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
          if (byte === 0x0a) {
            this.line++;
            this.lineStart = this.chunkStart + at + 1;
          }
          at++;
          continue;
        }
        at = this.structure(chunk, at, byte);
        continue;
      }
      switch (state) {
        case STRING: {
          while (PLAIN[byte] === 1) {
            if (++at === end) break;
            byte = chunk[at]!;
          }
          if (at === end) break;
          if (byte === 0x22) {
            at++;
            this.endString(at);
          } else if (byte === 0x5c) {
            at++;
            this.state = ESCAPE;
          } else if (byte < 0x20) {
            this.failControl(at, byte);
          } else {
            at++;
            this.beginUtf8(byte);
          }
          break;
        }
        case UTF8:
          if (byte < this.utf8Low || byte > this.utf8High) {
            this.badUtf8 = true;
            this.state = STRING;
            break;
          }
          at++;
          this.utf8Low = 0x80;
          this.utf8High = 0xbf;
          if (--this.utf8Needed === 0) this.state = STRING;
          break;
        case ESCAPE:
          at++;
          if (byte === 0x75) {
            this.state = HEX;
            this.hexSeen = 0;
            this.hexValue = 0;
            this.hexBad = false;
          } else if (ESCAPES.includes(byte)) {
            this.state = STRING;
          } else {
            this.fail('invalid escape', at);
          }
          break;
        case HEX: {
          at++;
          const digit = hexDigit(byte);
          if (digit < 0) this.hexBad = true;
          this.hexValue = (this.hexValue << 4) | (digit & 15);
          if (++this.hexSeen === 4) {
            if (this.hexBad) this.fail('invalid escape', at);
            if (this.hexValue >= 0xd800 && this.hexValue <= 0xdfff) this.suspect = true;
            this.state = STRING;
          }
          break;
        }
        case LITERAL:
          at++;
          if (byte !== this.literal[this.literalSeen]) this.fail('expected ident', at);
          if (++this.literalSeen === this.literal.length) this.endValue(at);
          break;
        default:
          at = this.number(state, byte, at);
      }
    }
    if (this.documentStart >= 0) {
      const from = Math.max(0, this.documentStart - this.chunkStart);
      this.carried.push(chunk.subarray(from));
      this.carriedBytes += end - from;
    }
    this.chunkStart += end;
  }

  /** The payload is over. Answers how many documents it held. */
  finish(): number {
    const state = this.state;
    if (state === FINISHED || state === TRAILING || (state === TOP && this.lines)) return this.count;
    const reason = EOF_REASONS[state];
    if (reason !== undefined) {
      return this.fail(this.single ? (EOF_REASONS_IN_OBJECT[state] ?? reason) : reason, 0);
    }
    if (this.depth === 0 && !this.inList) throw new JsonShapeError();
    const inObject = this.depth > 0 && this.stack[this.depth - 1] === 1;
    return this.fail(inObject ? 'EOF while parsing an object' : 'EOF while parsing a list', 0);
  }

  private structure(chunk: Uint8Array, at: number, byte: number): number {
    switch (this.state) {
      case TOP:
        if (byte === 0x5b && !this.lines) {
          this.inList = true;
          this.state = ELEMENT;
          return at + 1;
        }
        if (!this.lines) this.single = true;
        return this.beginValue(at, byte);
      case ELEMENT:
      case ELEMENT_AFTER_COMMA:
        if (byte === 0x5d) {
          if (this.state === ELEMENT_AFTER_COMMA) this.fail('trailing comma', at + 1);
          this.state = FINISHED;
          return at + 1;
        }
        return this.beginValue(at, byte);
      case AFTER_ELEMENT:
        if (byte === 0x2c) this.state = ELEMENT_AFTER_COMMA;
        else if (byte === 0x5d) this.state = FINISHED;
        else this.fail('expected `,` or `]`', at + 1);
        return at + 1;
      case TRAILING:
        return this.fail('trailing characters', at + 1);
      case VALUE_AFTER_COMMA:
        if (byte === 0x5d && this.single) this.fail('trailing comma', at + 1);
        return this.beginValue(at, byte);
      case VALUE:
        return this.beginValue(at, byte);
      case VALUE_OR_END:
        if (byte === 0x5d) return this.close(chunk, at);
        return this.beginValue(at, byte);
      case KEY_OR_END:
      case KEY:
        if (byte === 0x22) {
          if (this.depth === 1) this.fields[this.fieldCount * 4] = this.chunkStart + at - this.documentStart;
          this.isKey = true;
          this.state = STRING;
          return at + 1;
        }
        if (byte === 0x7d && this.state === KEY_OR_END) return this.close(chunk, at);
        return this.fail(byte === 0x7d && this.single ? 'trailing comma' : 'key must be a string', at + 1);
      case COLON:
        if (byte !== 0x3a) this.fail('expected `:`', at + 1);
        this.state = VALUE;
        return at + 1;
      default: {
        const inObject = this.stack[this.depth - 1] === 1;
        if (byte === 0x2c) {
          this.state = inObject ? KEY : VALUE_AFTER_COMMA;
          return at + 1;
        }
        if (byte === (inObject ? 0x7d : 0x5d)) return this.close(chunk, at);
        return this.fail(inObject ? 'expected `,` or `}`' : 'expected `,` or `]`', at + 1);
      }
    }
  }

  private beginValue(at: number, byte: number): number {
    if (this.depth === 1) this.fields[this.fieldCount * 4 + 2] = this.chunkStart + at - this.documentStart;
    switch (byte) {
      case 0x7b:
      case 0x5b: {
        if (this.depth === 0) {
          // A list where a document is expected is refused when it ends well, like any other value.
          this.documentStart = this.chunkStart + at;
          this.fieldCount = 0;
          this.suspect = false;
          this.badUtf8 = false;
        }
        if (this.depth === this.stack.length) {
          const larger = new Uint8Array(this.depth * 2);
          larger.set(this.stack);
          this.stack = larger;
        }
        this.stack[this.depth++] = byte === 0x7b ? 1 : 0;
        this.state = byte === 0x7b ? KEY_OR_END : VALUE_OR_END;
        return at + 1;
      }
      case 0x22:
        this.isKey = false;
        this.state = STRING;
        return at + 1;
      case 0x74:
        return this.beginLiteral(TRUE, at);
      case 0x66:
        return this.beginLiteral(FALSE, at);
      case 0x6e:
        return this.beginLiteral(NULL, at);
      case 0x2d:
        this.state = MINUS;
        return at + 1;
      case 0x30:
        this.state = ZERO;
        return at + 1;
      default:
        if (isDigit(byte)) {
          this.state = INTEGER;
          return at + 1;
        }
        return this.fail('expected value', at + 1);
    }
  }

  private beginLiteral(literal: number[], at: number): number {
    this.literal = literal;
    this.literalSeen = 0;
    this.state = LITERAL;
    return at + 1;
  }

  /** One byte of a number; a byte that does not belong to it ends the number and is left for the next state. */
  private number(state: number, byte: number, at: number): number {
    const next = stepNumber(state, byte);
    if (next === NUMBER_INVALID) return this.fail('invalid number', at + 1);
    if (next === NUMBER_ENDED) {
      this.endValue(at);
      return at;
    }
    // A parse decides whether it is out of range.
    if (next === EXPONENT) this.suspect = true;
    this.state = next;
    return at + 1;
  }

  private beginUtf8(byte: number): void {
    this.utf8Needed = continuationBytes(byte);
    if (this.utf8Needed === 0) {
      this.badUtf8 = true;
      return;
    }
    this.utf8Low = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
    this.utf8High = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
    this.state = UTF8;
  }

  private endString(at: number): void {
    if (!this.isKey) {
      this.endValue(at);
      return;
    }
    if (this.depth === 1) this.fields[this.fieldCount * 4 + 1] = this.chunkStart + at - this.documentStart;
    this.state = COLON;
  }

  /** A value ended just before `at`. */
  private endValue(at: number): void {
    if (this.depth === 0) throw new JsonShapeError();
    if (this.depth === 1) {
      this.fields[this.fieldCount * 4 + 3] = this.chunkStart + at - this.documentStart;
      this.fieldCount++;
    }
    this.state = AFTER_VALUE;
  }

  private close(chunk: Uint8Array, at: number): number {
    const after = at + 1;
    const wasObject = this.stack[--this.depth] === 1;
    if (this.depth > 0) {
      this.endValue(after);
      return after;
    }
    if (this.badUtf8) this.fail('invalid unicode code point', after);
    if (!wasObject) throw new JsonShapeError();
    let bytes = chunk.subarray(Math.max(0, this.documentStart - this.chunkStart), after);
    if (this.carriedBytes > 0) {
      bytes = joinBytes(this.carried, bytes, this.carriedBytes + after);
      this.carried = [];
      this.carriedBytes = 0;
    }
    this.documentStart = -1;
    this.count++;
    this.state = this.lines ? TOP : this.single ? TRAILING : AFTER_ELEMENT;
    this.sink(bytes, this.fields, this.fieldCount, this.suspect);
    return after;
  }

  private fail(reason: string, at: number): never {
    throw new JsonSyntaxError(reason, this.line, this.chunkStart + at - this.lineStart);
  }

  /** A single object is read by another part of Meilisearch's parser, which counts the control character itself. */
  private failControl(at: number, byte: number): never {
    const reason = 'control character (\\u0000-\\u001F) found while parsing a string';
    if (!this.single) return this.fail(reason, at);
    if (byte === 0x0a) throw new JsonSyntaxError(reason, this.line + 1, 0);
    return this.fail(reason, at + 1);
  }
}
