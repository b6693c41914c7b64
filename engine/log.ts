// The append-only log that makes the engine durable: what append() resolved survives a kill -9.
// Concurrent appends share one fsync; a torn last record is cut off when the log is opened.
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';

export interface LogRecord {
  header: Record<string, unknown> & { kind: string };
  payload?: Buffer;
}

const FRAME_BYTES = 16;
/** What replaying a record costs whatever its size, as so many bytes of a rewritten log. */
const RECORD_COST_BYTES = 1024;
/** Ends what a rewrite wrote; everything after it is history. */
const REWRITTEN: LogRecord = { header: { kind: 'rewritten' } };

function checksum(header: Buffer, payload: Buffer): Buffer {
  return createHash('sha1').update(header).update(payload).digest().subarray(0, 8);
}

function frame(record: LogRecord): Buffer[] {
  const header = Buffer.from(JSON.stringify(record.header));
  const payload = record.payload ?? Buffer.alloc(0);
  const prefix = Buffer.alloc(FRAME_BYTES);
  prefix.writeUInt32LE(header.length, 0);
  prefix.writeUInt32LE(payload.length, 4);
  checksum(header, payload).copy(prefix, 8);
  return payload.length > 0 ? [prefix, header, payload] : [prefix, header];
}

/** Reads whole records; answers the length of the valid part. */
function readRecords(bytes: Buffer, onRecord: (record: LogRecord, end: number) => void): number {
  let at = 0;
  while (at + FRAME_BYTES <= bytes.length) {
    const headerEnd = at + FRAME_BYTES + bytes.readUInt32LE(at);
    const end = headerEnd + bytes.readUInt32LE(at + 4);
    if (end > bytes.length) break;
    const header = bytes.subarray(at + FRAME_BYTES, headerEnd);
    const payload = bytes.subarray(headerEnd, end);
    if (!checksum(header, payload).equals(bytes.subarray(at + 8, at + FRAME_BYTES))) break;
    onRecord({ header: JSON.parse(header.toString('utf8')), payload }, end);
    at = end;
  }
  return at;
}

interface Waiter {
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class Log {
  private buffers: Buffer[] = [];
  private waiters: Waiter[] = [];
  private flushing: Promise<void> | null = null;
  private rewriteSource: (() => Iterable<LogRecord>) | null = null;
  private failure: unknown = null;
  private bytes = 0;
  /** The size right after the last rewrite: what lives. */
  private rewrittenBytes = 0;
  /** Records after the last rewrite. */
  private records = 0;

  private constructor(
    private readonly path: string,
    private file: FileHandle,
    private readonly rewriteBytes: number,
  ) {}

  /** Opens the log of a folder, replaying every whole record. */
  static async open(
    directory: string,
    onRecord: (record: LogRecord) => void,
    rewriteBytes = 4 * 1024 * 1024,
  ): Promise<Log> {
    mkdirSync(directory, { recursive: true });
    const path = join(directory, 'engine.log');
    const log = new Log(path, await open(path, 'a'), rewriteBytes);
    log.bytes = readRecords(readFileSync(path), (record, end) => {
      if (record.header.kind === REWRITTEN.header.kind) {
        log.rewrittenBytes = end;
        log.records = 0;
      } else {
        log.records += 1;
        onRecord(record);
      }
    });
    await log.file.truncate(log.bytes);
    await log.file.sync();
    return log;
  }

  /**
   * Resolves when the record is on the disk. `onDurable` runs first, at once, so that a rewrite right afterwards finds
   * what the record says in the state that it writes.
   */
  append(record: LogRecord, onDurable?: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.buffers.push(...frame(record));
      const settle = () => {
        onDurable?.();
        resolve();
      };
      this.waiters.push({ resolve: settle, reject });
      this.flush();
    });
  }

  /**
   * True when replaying the log would mostly be replaying history, by its bytes and by its records: many small ones take
   * long too. So the time to start is bounded by what lives, not by what was ever written.
   */
  get worthRewriting(): boolean {
    const historyBytes = this.bytes - this.rewrittenBytes + this.records * RECORD_COST_BYTES;
    return historyBytes > this.rewriteBytes && historyBytes > 2 * this.rewrittenBytes;
  }

  /** Replaces the log by the given records, at the next moment between two flushes. */
  rewrite(source: () => Iterable<LogRecord>): Promise<void> {
    this.rewriteSource = source;
    return this.flush();
  }

  async close(): Promise<void> {
    while (this.flushing) await this.flushing;
    await this.file.close();
  }

  private flush(): Promise<void> {
    this.flushing ??= this.drain();
    return this.flushing;
  }

  private async drain(): Promise<void> {
    await null; // lets requests of the same turn join this flush
    while (this.buffers.length > 0 || this.rewriteSource) {
      const source = this.rewriteSource;
      this.rewriteSource = null;
      if (source) {
        await this.replaceFile(source()).catch((error) => {
          this.failure = error;
        });
      }
      if (this.buffers.length === 0) continue;
      const buffers = this.buffers;
      const waiters = this.waiters;
      this.buffers = [];
      this.waiters = [];
      try {
        if (this.failure) throw this.failure;
        const whole = Buffer.concat(buffers);
        await this.file.appendFile(whole);
        await this.file.datasync();
        this.bytes += whole.length;
        this.records += waiters.length;
        for (const waiter of waiters) waiter.resolve();
      } catch (error) {
        this.failure = error; // after a failed fsync nothing later can be promised
        for (const waiter of waiters) waiter.reject(error);
      }
    }
    // In the same turn as the last look at the buffers: an append in between would wait for ever.
    this.flushing = null;
  }

  private async replaceFile(records: Iterable<LogRecord>): Promise<void> {
    const draft = `${this.path}.draft`;
    const descriptor = openSync(draft, 'w');
    let bytes = 0;
    const write = (record: LogRecord) => {
      for (const part of frame(record)) bytes += writeSync(descriptor, part);
    };
    for (const record of records) write(record);
    write(REWRITTEN);
    fsyncSync(descriptor);
    closeSync(descriptor);
    renameSync(draft, this.path);
    const directory = openSync(join(this.path, '..'), 'r');
    fsyncSync(directory);
    closeSync(directory);
    await this.file.close();
    this.file = await open(this.path, 'a');
    this.bytes = bytes;
    this.records = 0;
    this.rewrittenBytes = bytes;
  }
}
