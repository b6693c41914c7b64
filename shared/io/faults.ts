// Faults at named steps, for tests: the process ends or stops itself at exactly one point of a protocol. Without
// MIROIR_FAULT every point is passed at no cost.

export interface Faults {
  /** Passes a named point. Under a fault the process ends here, or stays here until it is let go. */
  reach(point: string): Promise<void>;
}

export const NO_FAULTS: Faults = { reach: async () => undefined };

/**
 * `copy.chunk@2=kill`: SIGKILL to this process when it passes the point the second time; `=hold` waits here for
 * SIGUSR2, so that a test may stop and continue the process meanwhile; `=throw` fails the step. Throws for a text of another form.
 */
export function parseFaults(text: string | undefined): Faults {
  if (text === undefined || text === '') return NO_FAULTS;
  const match = /^([a-z-]+\.[a-z-]+)(?:@(\d+))?=(kill|hold|throw)$/.exec(text);
  if (!match)
    throw new Error(
      `MIROIR_FAULT is "${text}"; expected point@count=kill|hold|throw, as in copy.chunk@2=kill`,
    );
  const [, wanted, count, action] = match;
  let left = Number(count ?? 1);
  return {
    async reach(point) {
      if (point !== wanted || left === 0) return;
      left -= 1;
      if (left > 0) return;
      process.stderr.write(`fault: ${action} at ${point}\n`);
      if (action === 'throw') throw new Error(`injected failure at ${point}`);
      if (action === 'hold') return new Promise((resolve) => process.once('SIGUSR2', () => resolve()));
      process.kill(process.pid, 'SIGKILL');
      // The signal arrives before the loop turns again.
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
