import { workflowCommands, type ActionResult } from '../__tests__/support/index.js';

/** As on a runner, debug lines are shown only on request. */
const SHOWS_DEBUG = process.env['RUNNER_DEBUG'] === '1';

/** A line of the action's log as GitHub's web page shows it; empty for a line that it hides. */
export function logLine(line: string): string {
  const [command] = workflowCommands(line);
  switch (command?.name) {
    case undefined:
      return line;
    case 'group':
      return `> ${command.message}`;
    case 'error':
    case 'warning':
    case 'notice': {
      const title = `${command.name.toUpperCase()} ${command.properties['title'] ?? ''}`;
      return [title, ...command.message.split('\n').map((text) => `  ${text}`)].join('\n');
    }
    case 'debug':
      return SHOWS_DEBUG ? `debug: ${command.message}` : '';
    default:
      return ''; // endgroup, add-mask: only for the runner.
  }
}

/** The log of a run that has ended. */
export function logOf({ stdout, stderr }: ActionResult): string {
  const lines = `${stdout}${stderr}`.split(/\r?\n/).map(logLine);
  return lines.filter((line) => line !== '').join('\n');
}

/** The results of a run: outputs, PATH, and the job summary as plain text. */
export function resultsOf({ outputs, paths, summary }: ActionResult): string {
  const { report, ...others } = outputs;
  const sections = [
    section('Outputs', [
      ...Object.entries(others),
      ...(report === undefined ? [] : [['report', `${report.slice(0, 60)}…`] satisfies Row]),
    ]),
    section(
      'Added to PATH',
      paths.map((path): Row => ['', path]),
    ),
    section('Job summary', summaryRows(summary)),
  ];
  return sections.filter((text) => text !== '').join('\n');
}

type Row = readonly [name: string, value: string];

function section(title: string, rows: readonly Row[]): string {
  if (rows.length === 0) return '';
  const width = Math.max(...rows.map(([name]) => name.length));
  return [`${title}:`, ...rows.map(([name, value]) => `  ${name.padEnd(width)} ${value}`)].join(
    '\n',
  );
}

/** The summary is a table for each tool: a name and a value in each row. */
function summaryRows(summary: string): Row[] {
  const rows = summary.matchAll(/<tr><th>(.*?)<\/th><td>(.*?)<\/td><\/tr>/g);
  return [...rows].map(([, name = '', value = '']) => [name, plain(value)]);
}

/** The text of a piece of HTML, for reading. */
function plain(html: string): string {
  const text = html.replaceAll(/<[^>]*>/g, '');
  return text.replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)));
}
