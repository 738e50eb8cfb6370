import type * as Commander from 'commander';
import { codeOf } from '../errors.js';
import { LOCK_ACTION, commandArguments } from '../inputs/command-line.js';
import { commandParser, type Command } from './command.js';
import { runLockAction } from './lock-action.js';
import { HELP, closingText } from './help.js';
import { INSTALL } from './install-command.js';
import { LOCK } from './lock-command.js';
import { MIRROR } from './mirror-command.js';
import { VERIFY } from './verify-command.js';
import { EXIT_CODES, exitCodesHelp } from './terminal.js';

/** In the order of the help. */
export const COMMANDS: readonly Command[] = [INSTALL, VERIFY, LOCK, MIRROR];

/** Runs the command that the arguments name. A failure is reported, and never thrown. */
export async function main(): Promise<void> {
  const args = commandArguments();
  if (args[0] === LOCK_ACTION) {
    await runLockAction();
    return;
  }
  process.stdout.on('error', endWithReader);
  const commander = await import('commander'); // A step of a workflow does not load it.
  try {
    await program(commander).parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof commander.CommanderError)) {
      throw error;
    }
    // Commander has said what is wrong, or printed the help.
    process.exitCode = error.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.usage;
  }
}

/** `… --help | head` closes the pipe early, which is no failure. Anything else is one. */
function endWithReader(error: Error): void {
  if (codeOf(error) !== 'EPIPE') {
    throw error;
  }
  process.exit();
}

const EXAMPLES = `Examples:
  Install kubectl 1.31:
    setup-verified-kubectl install ~/.local/bin --version 1.31
  Show the options of a command:
    setup-verified-kubectl install --help

Documentation:
  https://github.com/org/setup-verified-kubectl/blob/main/docs/commands.md`;

function program(commander: typeof Commander): Commander.Command {
  const root = new commander.Command('setup-verified-kubectl')
    .description(
      'Kubernetes release binaries, verified: signature, certificate, identity, transparency log and release SBOM.',
    )
    .usage('<command> [options]')
    .configureHelp(HELP)
    .addOption(new commander.Option('-V, --version', 'Show the version of this program'))
    .helpOption('-h, --help', 'Show this help')
    .helpCommand('help [command]', 'Show the help of a command')
    .showHelpAfterError('For the options, add --help.')
    .exitOverride()
    // Behind a command, --version is the version of Kubernetes.
    .enablePositionalOptions()
    // bin/setup-verified-kubectl.js answers the option when it is alone.
    .hook('preSubcommand', (parser) => {
      if (parser.opts()['version'] === true) {
        parser.error(
          'error: the version of Kubernetes belongs behind the command: <command> --version <version>',
        );
      }
    })
    .addHelpText('after', () =>
      closingText(`\n${EXAMPLES}\n\n${exitCodesHelp(true)}`, process.stdout.columns),
    );
  for (const command of COMMANDS) {
    root.addCommand(commandParser(commander, command));
  }
  return root;
}
