// What people see while `miroir up` runs: plain lines, and on a terminal one status line that is rewritten in place.
import { styleText } from 'node:util';

export interface Output {
  /** A line that stays. */
  line(text: string): void;
  /** A heading of a step. */
  step(text: string): void;
  warn(text: string): void;
  /** What is going on now: rewritten in place on a terminal, at most every few seconds elsewhere. */
  status(text: string): void;
}

const PLAIN_STATUS_INTERVAL_MS = 5_000;

/** Writes to the stream; colour only on a terminal and without NO_COLOR. */
export function createOutput(stream: NodeJS.WriteStream): Output {
  const isTty = stream.isTTY === true && process.env.TERM !== 'dumb';
  let hasStatus = false;
  let lastStatusAt = Number.NEGATIVE_INFINITY;
  const paint = (style: 'bold' | 'yellow' | 'dim', text: string) =>
    isTty && !process.env.NO_COLOR ? styleText(style, text) : text;
  const clear = () => {
    if (hasStatus) stream.write('\r\u001b[2K');
    hasStatus = false;
  };
  const write = (text: string) => {
    clear();
    stream.write(`${text}\n`);
  };
  return {
    line: write,
    step: (text) => write(paint('bold', text)),
    warn: (text) => write(paint('yellow', text)),
    status: (text) => {
      if (isTty) {
        clear();
        stream.write(paint('dim', text.slice(0, (stream.columns ?? 110) - 1)));
        hasStatus = true;
        return;
      }
      if (performance.now() - lastStatusAt < PLAIN_STATUS_INTERVAL_MS) return;
      lastStatusAt = performance.now();
      write(text);
    },
  };
}
