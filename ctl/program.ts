// The commands and their global options. `runCtl` never exits: it answers the exit code.
import { Command, CommanderError, Option } from 'commander';
import { CommandFailure, EXIT, EXIT_HELP, type ExitCode } from './exit.js';
import { addExplainCommand } from './explain.js';
import { addIndexCommands } from './indexes.js';
import { addNodeCommands } from './nodes.js';
import { Output } from './output.js';
import { addRebalanceCommands } from './rebalance.js';
import { addReplicationCommand } from './replication.js';
import { type Action, type GlobalOptions, parseDuration, Session, type Surroundings } from './session.js';
import { addStatusCommand } from './status.js';
import { addTaskCommands } from './tasks.js';
import { addVerifyCommands } from './verify.js';

/** Turns a command's action into what commander calls; the arguments come first, then the command's options. */
export type Runner = <A extends unknown[]>(action: Action<A>) => (...args: unknown[]) => Promise<void>;

/** Runs one command line (without the program's name) and answers its exit code. */
export async function runCtl(args: readonly string[], world: Surroundings): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.done;
  // Before the options are known, errors are for people unless JSON was asked for somewhere.
  let output = new Output({ format: wantsJson(args) ? 'json' : 'text', ...world });
  const run: Runner =
    <A extends unknown[]>(action: Action<A>) =>
    async (...received: unknown[]) => {
      const command = received.at(-1) as Command;
      const options = command.optsWithGlobals<GlobalOptions>();
      output = new Output({ format: options.output, ...world });
      const session = new Session(world, options, output);
      // Commander passes a command's arguments, its options, and itself at the end.
      exitCode = await action(session, ...(received.slice(0, -1) as A));
    };
  try {
    const program = buildProgram(world, run);
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    const failure = error instanceof CommandFailure ? error : new CommandFailure(String(error));
    output.failure({ message: failure.message, ...failure.details });
    return failure.exitCode;
  }
}

function buildProgram(world: Surroundings, run: Runner): Command {
  const program = new Command('miroir-ctl')
    .description('Looks at a Miroir fleet and changes it, through the admin API of a proxy.')
    .option('--url <url>', 'URL of a proxy', world.env.MIROIR_URL || 'http://127.0.0.1:7700')
    .option('--admin-key <key>', 'admin key; shows in the process list, prefer MIROIR_ADMIN_API_KEY')
    .addOption(
      new Option('-o, --output <format>', 'what stdout gets').choices(['text', 'json']).default('text'),
    )
    .option('--yes', 'do not ask before something is taken away', false)
    .option('--timeout <duration>', 'give up after this time, for example 90s', parseDuration)
    .addHelpText('after', EXIT_HELP)
    .showSuggestionAfterError();
  addStatusCommand(program, run);
  addNodeCommands(program, run);
  addRebalanceCommands(program, run);
  addReplicationCommand(program, run);
  addVerifyCommands(program, run);
  addIndexCommands(program, run);
  addTaskCommands(program, run);
  addExplainCommand(program, run);
  configure(program, world);
  return program;
}

/** Settings that commander does not hand down to commands made before them. */
function configure(command: Command, world: Surroundings): void {
  command.exitOverride();
  command.configureOutput({
    writeOut: (text) => world.stdout.write(text),
    writeErr: (text) => world.stderr.write(text),
  });
  for (const child of command.commands) configure(child, world);
}

function wantsJson(args: readonly string[]): boolean {
  return args.some(
    (arg, at) =>
      /^(-o=?|--output=)json$/.test(arg) || (/^(-o|--output)$/.test(arg) && args[at + 1] === 'json'),
  );
}
