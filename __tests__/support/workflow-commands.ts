/** The runner's side of the workflow commands: what an action says on stdout and in the command files. */

/** `::name key=value,key=value::message`, unescaped. */
export interface WorkflowCommand {
  readonly name: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly message: string;
}

export interface Annotation {
  readonly level: 'error' | 'warning' | 'notice';
  readonly title?: string;
  readonly file?: string;
  readonly message: string;
}

/** All commands in a process's output, in order. */
export function workflowCommands(stdout: string): WorkflowCommand[] {
  return stdout.split(/\r?\n/).flatMap((line) => {
    const [, name, properties = '', message = ''] =
      /^::([a-z-]+)(?: ([^:]*))?::(.*)$/.exec(line) ?? [];
    if (name === undefined) return [];
    const pairs = properties.split(',').flatMap((pair): [string, string][] => {
      const at = pair.indexOf('=');
      return at < 0 ? [] : [[pair.slice(0, at), unescapeProperty(pair.slice(at + 1))]];
    });
    return [{ name, properties: Object.fromEntries(pairs), message: unescapeMessage(message) }];
  });
}

export function annotationsOf(commands: readonly WorkflowCommand[]): Annotation[] {
  return commands.flatMap(({ name, properties, message }) => {
    if (name !== 'error' && name !== 'warning' && name !== 'notice') return [];
    return [{ level: name, ...properties, message }];
  });
}

/** `name=value` and `name<<delimiter` blocks, as GITHUB_OUTPUT, GITHUB_ENV and GITHUB_STATE hold them. */
export function commandFileValues(text: string): Record<string, string> {
  const values: Record<string, string> = {};
  const lines = text.split(/\r?\n/);
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    const [, name, delimiter] = /^([^=]+?)<<(.+)$/.exec(line) ?? [];
    if (name !== undefined && delimiter !== undefined) {
      const end = lines.indexOf(delimiter);
      if (end < 0) throw new Error(`${name} never ends with its delimiter ${delimiter}`);
      values[name] = lines
        .splice(0, end + 1)
        .slice(0, -1)
        .join('\n');
    } else if (line.includes('=')) {
      values[line.slice(0, line.indexOf('='))] = line.slice(line.indexOf('=') + 1);
    } else if (line !== '') {
      throw new Error(`neither a value nor a block: ${line}`);
    }
  }
  return values;
}

const unescapeMessage = (text: string): string =>
  text.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%');

const unescapeProperty = (text: string): string =>
  unescapeMessage(text.replaceAll('%3A', ':').replaceAll('%2C', ','));
