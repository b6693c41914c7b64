// What a command says: data to stdout as text or one JSON document, everything else to stderr. Animation and colour
// only on a terminal, never with NO_COLOR.

export type OutputFormat = 'text' | 'json';

/** A stream that a command writes to; process.stdout and process.stderr are such. */
export interface Sink {
  isTTY?: boolean;
  write(text: string): unknown;
}

export interface OutputOptions {
  format: OutputFormat;
  stdout: Sink;
  stderr: Sink;
  env: Readonly<Record<string, string | undefined>>;
}

const COLOURS = { green: 32, yellow: 33, red: 31, dim: 2, bold: 1 } as const;
export type Colour = keyof typeof COLOURS;

const ERASE_LINE = '\r\u001b[2K';

export class Output {
  readonly format: OutputFormat;
  private readonly plain: boolean;
  private lastProgress = '';
  private lineOpen = false;

  constructor(private readonly options: OutputOptions) {
    this.format = options.format;
    this.plain = Boolean(options.env.NO_COLOR) || options.env.TERM === 'dumb';
  }

  /** The result: `text` lines for people, or `json` as one document with its next steps. */
  result(text: readonly string[], json: object): void {
    this.endProgress();
    const steps = (json as { nextSteps?: string[] }).nextSteps ?? [];
    if (this.format === 'json') {
      this.options.stdout.write(`${JSON.stringify({ ...json, nextSteps: steps }, null, 2)}\n`);
      return;
    }
    const lines = steps.length === 0 ? text : [...text, '', 'Next:', ...steps.map((step) => `  ${step}`)];
    this.options.stdout.write(`${lines.join('\n')}\n`);
  }

  /** A failure: for people on stderr; as JSON also a document on stdout, so that a program always gets one. */
  failure(error: { message: string; code?: string; link?: string; nextSteps?: string[] }): void {
    this.endProgress();
    const { message, code, link, nextSteps = [] } = error;
    if (this.format === 'json') {
      this.options.stdout.write(
        `${JSON.stringify({ error: { message, code, link }, nextSteps }, null, 2)}\n`,
      );
    }
    this.options.stderr.write(`${this.paint('red', 'error', this.options.stderr)}: ${message}\n`);
    if (code !== undefined) this.options.stderr.write(`  ${code}${link ? `, ${link}` : ''}\n`);
    for (const step of nextSteps) this.options.stderr.write(`  next: ${step}\n`);
  }

  /** Where a long command is: redrawn in place on a terminal, elsewhere a line whenever it changes. */
  progress(line: string): void {
    if (line === this.lastProgress) return;
    this.lastProgress = line;
    if (this.options.stderr.isTTY && !this.plain) {
      this.options.stderr.write(ERASE_LINE + line);
      this.lineOpen = true;
    } else {
      this.options.stderr.write(`${line}\n`);
    }
  }

  warn(message: string): void {
    this.endProgress();
    this.options.stderr.write(`${this.paint('yellow', 'warning', this.options.stderr)}: ${message}\n`);
  }

  /** Colours a word of the result. */
  tint(colour: Colour, text: string): string {
    return this.paint(colour, text, this.options.stdout);
  }

  private paint(colour: Colour, text: string, sink: Sink): string {
    return sink.isTTY && !this.plain ? `\u001b[${COLOURS[colour]}m${text}\u001b[0m` : text;
  }

  private endProgress(): void {
    if (this.lineOpen) this.options.stderr.write('\n');
    this.lineOpen = false;
  }
}

/** Left-aligned columns under their names; an empty cell is a hyphen. */
export function formatTable(
  columns: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
): string[] {
  const cells = rows.map((row) => row.map((cell) => (cell === null || cell === '' ? '-' : String(cell))));
  const widths = columns.map((name, at) => Math.max(name.length, ...cells.map((row) => row[at]!.length)));
  return [columns, ...cells].map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('  ')
      .trimEnd(),
  );
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)}h`;
  return `${Math.round(seconds / 86_400)}d`;
}

/** `in-sync 12, copying 1`. */
export function formatCounts(counts: Readonly<Record<string, number | undefined>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
