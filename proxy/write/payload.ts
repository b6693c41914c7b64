// A payload on its way in: limited, decoded and cut into documents without stopping the event loop for long.
import { ApiError } from '../../shared/core/errors.js';
import { JsonShapeError, JsonSyntaxError, malformedDocuments } from '../../shared/core/json-errors.js';
import { type DocumentSink, JsonSplitter } from '../../shared/core/json-splitter.js';
import { payloadTooLarge } from '../bodies.js';
import { CsvReader } from './csv.js';

export type PayloadFormat = { kind: 'json' } | { kind: 'ndjson' } | { kind: 'csv'; delimiter: number };

/** Bytes that are read before other requests get their turn: a search waits for several of its own turns. */
const SLICE_BYTES = 4 * 1024;
/** Payloads up to this size are kept, so that a conflict can be resolved by reading them again. */
const KEPT_BYTES = 1024 * 1024;

/** The bytes of a payload, and a memory of small ones. */
export class PayloadSource {
  private kept: Uint8Array[] | null = [];
  private keptBytes = 0;
  private finished = false;

  constructor(
    private readonly stream: AsyncIterable<Uint8Array>,
    private readonly limitBytes: number,
  ) {}

  /** True when read() can be called again. */
  get isRepeatable(): boolean {
    return this.finished && this.kept !== null;
  }

  async *read(): AsyncGenerator<Uint8Array> {
    if (this.isRepeatable) {
      yield* this.kept!;
      return;
    }
    let sizeBytes = 0;
    try {
      for await (const chunk of this.stream) {
        sizeBytes += chunk.length;
        if (sizeBytes > this.limitBytes) throw payloadTooLarge(this.limitBytes);
        this.keep(chunk);
        yield chunk;
      }
    } catch (error) {
      if (error instanceof ApiError) throw error;
      throw new ApiError('bad_request', 'The provided payload is incomplete and cannot be parsed');
    }
    this.finished = true;
  }

  private keep(chunk: Uint8Array): void {
    if (this.kept === null) return;
    this.keptBytes += chunk.length;
    if (this.keptBytes > KEPT_BYTES) this.kept = null;
    else this.kept.push(chunk);
  }
}

/**
 * Reads a payload to its end and calls `sink` for each document; `pause` is awaited after every slice. Answers how
 * many documents there were. Throws Meilisearch's answers to missing and malformed payloads.
 */
export async function readDocuments(
  source: PayloadSource,
  format: PayloadFormat,
  sink: DocumentSink,
  pause: () => Promise<void>,
): Promise<number> {
  const splitter = new JsonSplitter(format.kind === 'json' ? 'json' : 'ndjson', sink);
  const csv = format.kind === 'csv' ? new CsvReader(format.delimiter) : null;
  const feed = (bytes: Uint8Array) => splitter.push(csv === null ? bytes : Buffer.from(csv.push(bytes)));
  let isEmpty = true;
  try {
    for await (const chunk of source.read()) {
      for (let at = 0; at < chunk.length; at += SLICE_BYTES) {
        isEmpty = false;
        feed(chunk.length <= SLICE_BYTES ? chunk : chunk.subarray(at, at + SLICE_BYTES));
        await pause();
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    if (isEmpty) throw new ApiError('missing_payload', `A ${format.kind} payload is missing.`);
    if (csv !== null) splitter.push(Buffer.from(csv.finish()));
    return splitter.finish();
  } catch (error) {
    if (error instanceof JsonSyntaxError || error instanceof JsonShapeError) {
      throw malformedDocuments(format.kind === 'json' ? 'json' : 'ndjson', error.message);
    }
    throw error;
  }
}
