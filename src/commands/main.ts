import type * as Commander from 'commander';
import { currentEnvironment, loadLockInputs } from '../inputs.js';
import { LOCK_ACTION, commandArguments, commandEnvironment } from '../inputs/command-line.js';
import { DEFAULT_LOCK_FILE } from '../inputs/lock-file.js';
import { INPUT_OPTIONS, type InputOption } from '../inputs/options.js';
import { namedFailure } from '../install/install-failed.js';
import { runLockAction } from './lock-action.js';
import { lockRelease } from './lock.js';
import { EXIT_CODES, Terminal } from './terminal.js';

/** Runs the command that the arguments name. A failure is reported, and never thrown. */
export async function main(): Promise<void> {
  const args = commandArguments();
  if (args[0] === LOCK_ACTION) {
    await runLockAction();
    return;
  }
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

function program(commander: typeof Commander): Commander.Command {
  const root = new commander.Command('setup-verified-kubectl')
    .description(
      'Kubernetes release binaries, verified: signature, certificate, identity, transparency log and release SBOM.',
    )
    .usage('<command> [options]')
    .helpOption('-h, --help', 'Show this help')
    .helpCommand('help [command]', 'Show the help of a command')
    .showHelpAfterError('For the options, add --help.')
    .exitOverride()
    .addHelpText('after', `\n${EXIT_CODES_HELP}`);
  root.addCommand(lockCommand(commander));
  return root;
}

const EXIT_CODES_HELP = `Exit codes:
  0    Done
  1    Refused or failed; standard error has the code, the cause and the next step
  2    Wrong use
  3    lock --check: the lock file is out of date
  130  Ended by Ctrl-C`;

function lockCommand({ Command, Option }: typeof Commander): Commander.Command {
  const command = new Command('lock')
    .summary('Write a lock file: version, digests and evidence, all proven')
    .description(
      'Verify the files of a release and write their version, digests and Sigstore evidence to a lock file.\nNothing is written unless everything was proven. What has not changed stays as it is, byte for byte.',
    )
    .usage('[options]')
    .helpOption('-h, --help', 'Show this help')
    .showHelpAfterError('For the options, add --help.')
    .exitOverride();
  for (const { flags, help, group, isHidden } of [...LOCK_OPTIONS, ...inputOptions(NOT_FOR_LOCK)]) {
    command.addOption(new Option(flags, help).helpGroup(`${group} options:`).hideHelp(isHidden));
  }
  return command.addHelpText('after', `\n${EXAMPLES}\n\n${EXIT_CODES_HELP}`).action(runLock);
}

const EXAMPLES = `Examples:
  Lock the newest patch of 1.31 for two platforms:
    setup-verified-kubectl lock --version 1.31 --platforms linux/amd64,darwin/arm64
  See whether there is a newer patch, in a pull request or a schedule:
    setup-verified-kubectl lock --version 1.31 --platforms linux/amd64,darwin/arm64 --check`;

/** An option, and where the help shows it. */
interface CommandOption {
  readonly flags: string;
  readonly help: string;
  readonly group: InputOption['group'] | 'Lock' | 'Output';
  readonly isHidden: boolean;
}

const LOCK_OPTIONS: readonly CommandOption[] = [
  {
    flags: '--platforms <list>',
    help: "<os>/<arch>, separated by commas [default: this machine's]",
    group: 'Release',
    isHidden: false,
  },
  {
    flags: '--check',
    help: 'Write nothing; print what would change, and exit with 3 if anything would',
    group: 'Lock',
    isHidden: false,
  },
  {
    flags: '-q, --quiet',
    help: 'Print only warnings, errors and changes',
    group: 'Output',
    isHidden: false,
  },
  { flags: '-v, --verbose', help: 'Print every request', group: 'Output', isHidden: false },
];

/** Inputs that `lock` has another option for, or refuses. */
const NOT_FOR_LOCK = ['architecture', 'images', 'image-registry', 'image-certificate-identity'];

/** @param hidden inputs that are accepted as options, and not shown */
function inputOptions(hidden: readonly string[]): CommandOption[] {
  return INPUT_OPTIONS.map(({ name, value, default: otherwise, help, group }) => {
    const shown = otherwise === '' ? help : `${help} [default: ${otherwise}]`;
    const isLockFile = name === 'lock-file';
    return {
      flags: `--${name} <${value}>`,
      help: isLockFile ? `Where to write [default: ${DEFAULT_LOCK_FILE}]` : shown,
      group: isLockFile ? 'Lock' : group,
      isHidden: hidden.includes(name),
    };
  });
}

async function runLock(_options: unknown, command: Commander.Command): Promise<void> {
  const options = command.opts<Record<string, string | boolean | undefined>>();
  const terminal = new Terminal({
    quiet: options['quiet'] === true,
    verbose: options['verbose'] === true,
  });
  try {
    const environment = commandEnvironment(currentEnvironment(), inputsFrom(command));
    const inputs = await loadLockInputs(environment);
    const { version, files, changes } = await lockRelease(inputs, terminal);
    const { name } = inputs.lockFile;
    if (changes.length > 0) {
      process.stdout.write(`${changes.join('\n')}\n`);
    }
    if (changes.length > 0 && inputs.check) {
      terminal.info(`${name} is out of date. Run the same command without --check.`);
      process.exitCode = EXIT_CODES.different;
    } else {
      const state = changes.length === 0 ? 'is up to date' : 'was written';
      terminal.info(`${name} ${state}: ${version}, ${String(files)} files`);
    }
  } catch (error) {
    terminal.failure(namedFailure(error));
  }
}

/** Options and defaults by the names of the action's inputs. */
function inputsFrom(command: Commander.Command): Record<string, string> {
  const values = Object.fromEntries(INPUT_OPTIONS.map((option) => [option.name, option.default]));
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    const name = option.long?.slice(2) ?? '';
    if (typeof value === 'string' || typeof value === 'boolean') {
      values[name] = String(value);
    }
  }
  return values;
}
