import type * as Commander from 'commander';
import { currentEnvironment, type Environment } from '../inputs.js';
import { commandEnvironment } from '../inputs/command-line.js';
import { INPUT_OPTIONS, type InputOption } from '../inputs/options.js';
import { namedFailure } from '../install/install-failed.js';
import { HELP, closingText } from './help.js';
import { Terminal, exitCodesHelp } from './terminal.js';

/** An option, and where the help shows it. */
export interface CommandOption {
  /** `--check`, `--platforms <list>`. */
  readonly flags: string;
  readonly help: string;
  readonly group: InputOption['group'] | 'Install' | 'Lock' | 'Mirror' | 'Evidence' | 'Output';
}

/** A command of the command line. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Lines for the help of the command. */
  readonly description: string;
  /** What the command is about: its value is given to {@link run} as an input of this name. */
  readonly argument?: { readonly name: string; readonly help: string };
  /** Lines for the end of the help. */
  readonly examples: string;
  /** Options that are not inputs of action.yml. Their values are inputs of the same name. */
  readonly options: readonly CommandOption[];
  /** Inputs that mean something else to the command than {@link INPUT_OPTIONS} says. */
  readonly inputs: Readonly<Record<string, Pick<CommandOption, 'help' | 'group'>>>;
  /** Inputs that the command has another option for, or refuses: accepted, but not shown. */
  readonly hiddenInputs: readonly string[];
  /** Inputs that mean nothing to the command: not accepted. */
  readonly unknownInputs?: readonly string[];
  /**
   * @param environment options and argument, as inputs of the action
   * @returns the exit code
   * @throws {SetupError}
   */
  readonly run: (environment: Environment, terminal: Terminal) => Promise<number>;
}

const OUTPUT_OPTIONS: readonly CommandOption[] = [
  { flags: '-q, --quiet', help: 'Print only warnings, errors and results', group: 'Output' },
  { flags: '-v, --verbose', help: 'Print every request', group: 'Output' },
];

/** What Commander needs to know to parse the arguments of a command and to show its help. */
export function commandParser(
  { Command: Parser, Option }: typeof Commander,
  command: Command,
): Commander.Command {
  const parser = new Parser(command.name)
    .summary(command.summary)
    .description(command.description)
    .usage(command.argument === undefined ? '[options]' : `[options] <${command.argument.name}>`)
    .configureHelp(HELP)
    .addHelpOption(new Option('-h, --help', 'Show this help').helpGroup('Output options:'))
    .showHelpAfterError('For the options, add --help.')
    .exitOverride();
  const addOptions = (options: readonly CommandOption[]): void => {
    for (const { flags, help, group } of options) {
      parser.addOption(new Option(flags, help).helpGroup(`${group} options:`));
    }
  };
  if (command.argument !== undefined) {
    parser.argument(`<${command.argument.name}>`, command.argument.help);
  }
  const isOutput = ({ group }: CommandOption): boolean => group === 'Output';
  addOptions(command.options.filter((option) => !isOutput(option)));
  for (const { name, value, default: otherwise, ...input } of INPUT_OPTIONS) {
    if (command.unknownInputs?.includes(name) === true) {
      continue;
    }
    const shown = otherwise === '' ? input.help : `${input.help} [default: ${otherwise}]`;
    const { help, group } = command.inputs[name] ?? { help: shown, group: input.group };
    parser.addOption(
      new Option(`--${name} <${value}>`, help)
        .helpGroup(`${group} options:`)
        .hideHelp(command.hiddenInputs.includes(name)),
    );
  }
  addOptions([...command.options.filter(isOutput), ...OUTPUT_OPTIONS]);
  const canDiffer = command.options.some(({ flags }) => flags === '--check');
  return parser
    .addHelpText('after', () =>
      closingText(`\n${command.examples}\n\n${exitCodesHelp(canDiffer)}`, process.stdout.columns),
    )
    .action(() => runCommand(command, parser));
}

/** Runs the command. A failure is reported, and never thrown. */
async function runCommand(command: Command, parser: Commander.Command): Promise<void> {
  const options = parser.opts<Record<string, string | boolean | undefined>>();
  const environment = currentEnvironment();
  const terminal = await Terminal.open({
    quiet: options['quiet'] === true,
    verbose: options['verbose'] === true,
    variables: environment.variables,
  });
  try {
    const inputs = inputsFrom(command, parser);
    process.exitCode = await command.run(commandEnvironment(environment, inputs), terminal);
  } catch (error) {
    terminal.failure(namedFailure(error));
  } finally {
    terminal.close();
  }
}

/** Options, argument and defaults by the names of inputs. */
function inputsFrom(command: Command, parser: Commander.Command): Record<string, string> {
  const values = Object.fromEntries(INPUT_OPTIONS.map((option) => [option.name, option.default]));
  for (const option of parser.options) {
    const given: unknown = parser.getOptionValue(option.attributeName());
    const value = option.negate ? given === false : given; // `--no-cache` sets `cache` to false.
    const name = option.long?.slice(2) ?? '';
    if (typeof value === 'string' || typeof value === 'boolean') {
      values[name] = String(value);
    }
  }
  if (command.argument !== undefined) {
    values[command.argument.name] = parser.args[0] ?? '';
  }
  return values;
}
