// How a command ends: the documented exit codes, and errors that carry one.

export const EXIT = { done: 0, failed: 1, usage: 2, degraded: 3, timedOut: 4 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_HELP = `
Exit codes:
  0  done
  1  failed
  2  wrong usage
  3  degraded: the fleet works but needs attention
  4  timed out

Environment:
  MIROIR_URL               the proxy (default http://127.0.0.1:7700)
  MIROIR_ADMIN_API_KEY     admin key; before the credentials file, before --admin-key
  MIROIR_CREDENTIALS_FILE  credentials file (default ~/.config/miroir/credentials)
  MIROIR_NODE_KEY          key of the nodes in \`node add\`
  NO_COLOR                 no colour, no animation`;

/** Ends a command with a message, a code and what to do next. */
export class CommandFailure extends Error {
  constructor(
    message: string,
    readonly exitCode: ExitCode = EXIT.failed,
    readonly details: { code?: string; link?: string; nextSteps?: string[] } = {},
  ) {
    super(message);
    this.name = 'CommandFailure';
  }
}
