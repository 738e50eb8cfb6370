import { spawn, type ChildProcess } from 'node:child_process';
import {
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { EOL, tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import {
  annotationsOf,
  commandFileValues,
  workflowCommands,
  type Annotation,
  type WorkflowCommand,
} from './workflow-commands.js';

export interface RunOptions {
  readonly inputs?: Readonly<Record<string, string>>;
  /** Added to the runner's own variables; `undefined` takes one of them away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A tool cache to use again; a new and empty one unless given. */
  readonly toolCache?: string;
  /** RUNNER_TEMP; a new one unless given. */
  readonly temp?: string;
  /** GITHUB_WORKSPACE: a folder to use, or files to put into a new one, by path. */
  readonly workspace?: string | Readonly<Record<string, string>>;
  /** Kills the process after so long; 60 seconds unless given. */
  readonly timeoutMs?: number;
  /** Another user to run as, by number, with a group of the same number; takes root. */
  readonly uid?: number;
  /** For the files that the process makes; this process's own unless given. */
  readonly umask?: number;
  /** Where action.yml and dist/ are; this repository unless given. */
  readonly actionRoot?: string;
}

export interface ActionFolders {
  /** Above all the others that were made for this run. */
  readonly root: string;
  readonly temp: string;
  readonly toolCache: string;
  readonly workspace: string;
  readonly home: string;
  /** What `os.tmpdir()` says inside the action. */
  readonly systemTemp: string;
  /** The only folder on PATH, and empty. */
  readonly path: string;
}

export interface ActionResult {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Whether it was killed because it took too long. */
  readonly timedOut: boolean;
  /** Lines end in `\n`, on Windows too. */
  readonly stdout: string;
  readonly stderr: string;
  readonly outputs: Readonly<Record<string, string>>;
  /** What was exported to later steps. */
  readonly variables: Readonly<Record<string, string>>;
  /** What was added to PATH. */
  readonly paths: readonly string[];
  /** Markdown. */
  readonly summary: string;
  readonly commands: readonly WorkflowCommand[];
  /** All but {@link endedSupport}. */
  readonly annotations: readonly Annotation[];
  /** Notices that Kubernetes no longer supports a minor. Whether there are any depends on the day. */
  readonly endedSupport: readonly Annotation[];
  readonly dirs: ActionFolders;
  readonly durationMs: number;
  /** Files and folders that were in the tool cache when the run began, as of {@link toolCacheEntries}. */
  readonly toolCacheBefore: readonly string[];
  /** Files in the tool cache now, relative, with slashes, sorted. */
  toolCacheFiles(): string[];
  /** Files and folders in the tool cache now, relative, with slashes. */
  toolCacheEntries(): string[];
  /** Files in RUNNER_TEMP and the system's temporary folder now. */
  tempFiles(): string[];
  /** Deletes the folders that were made for this run. */
  cleanup(): void;
}

export interface RunningAction {
  readonly child: ChildProcess;
  readonly dirs: ActionFolders;
  readonly finished: Promise<ActionResult>;
}

/** Runs the built action as the runner does, and waits for its end. */
export const runAction = (options: RunOptions = {}): Promise<ActionResult> =>
  startAction(options).finished;

/** Starts the built action; for tests that kill it. */
export function startAction(options: RunOptions = {}): RunningAction {
  const actionRoot = options.actionRoot ?? REPOSITORY;
  const action = readAction(actionRoot);
  const dirs = makeFolders(options);
  const files = makeCommandFiles(dirs.root);
  const toolCacheBefore = entriesBelow(dirs.toolCache);
  const startedAt = performance.now();
  const { uid } = options;
  if (uid !== undefined) giveAway(dirs.root, uid);
  // A process inherits it.
  const umask = options.umask === undefined ? undefined : process.umask(options.umask);
  const child = spawn(ACTION_NODE, [join(actionRoot, action.main)], {
    ...(uid === undefined ? {} : { uid, gid: uid }),
    cwd: dirs.workspace,
    env: {
      ...runnerVariables(dirs),
      ...files,
      ...inputVariables({ ...action.defaults, ...options.inputs }),
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (umask !== undefined) process.umask(umask);
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, options.timeoutMs ?? 60_000);
  const finished = new Promise<ActionResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode, signal) => {
      clearTimeout(timer);
      const durationMs = performance.now() - startedAt;
      const result = resultOf(output, dirs, files);
      resolve({ ...result, toolCacheBefore, exitCode, signal, timedOut, durationMs });
    });
  });
  return { child, dirs, finished };
}

/** The Node that runs the action: that of the tests, or the one that ACTION_NODE names. */
const ACTION_NODE = process.env['ACTION_NODE'] ?? process.execPath;
/** Gives a folder with everything in it to a user; links are not followed. */
export function giveAway(folder: string, uid: number): void {
  for (const name of ['', ...readdirSync(folder, { recursive: true, encoding: 'utf8' })]) {
    lchownSync(join(folder, name), uid, uid);
  }
}

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** What action.yml says that matters for a run: the entry point, and the inputs' defaults. */
export function readAction(root: string): { main: string; defaults: Record<string, string> } {
  const path = join(root, 'action.yml');
  if (!existsSync(path)) throw new Error(`no action.yml in ${root}`);
  // As the runner reads it: every scalar is a string, so `true` arrives as the text `true`.
  const action = parse(readFileSync(path, 'utf8'), { schema: 'failsafe' }) as {
    inputs?: Record<string, { default?: string } | ''>;
    runs: { main: string };
  };
  const inputs = Object.entries(action.inputs ?? {});
  const defaults = inputs.map(([name, input]): [string, string] => [
    name,
    input === '' ? '' : (input.default ?? ''),
  ]);
  return { main: action.runs.main, defaults: Object.fromEntries(defaults) };
}

const inputVariables = (inputs: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [
      `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`,
      value,
    ]),
  );

function makeFolders({ temp, toolCache, workspace }: RunOptions): ActionFolders {
  const root = mkdtempSync(join(tmpdir(), 'run-action-'));
  const make = (name: string): string => {
    const path = join(root, name);
    mkdirSync(path);
    return path;
  };
  const dirs = {
    root,
    temp: temp ?? make('temp'),
    toolCache: toolCache ?? make('tool-cache'),
    workspace: typeof workspace === 'string' ? workspace : make('workspace'),
    home: make('home'),
    systemTemp: make('system-temp'),
    path: make('path'),
  };
  for (const [path, text] of Object.entries(typeof workspace === 'object' ? workspace : {})) {
    const file = join(dirs.workspace, path);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, text);
  }
  return dirs;
}

const COMMAND_FILES = ['OUTPUT', 'PATH', 'ENV', 'STATE', 'STEP_SUMMARY'] as const;

type CommandFiles = Record<`GITHUB_${(typeof COMMAND_FILES)[number]}`, string>;

/** The files of the runner, empty; the summary's name differs from the others'. */
function makeCommandFiles(root: string): CommandFiles {
  const folder = join(root, 'file-commands');
  mkdirSync(folder);
  const entries = COMMAND_FILES.map((name): [string, string] => {
    const path = join(folder, name.toLowerCase());
    writeFileSync(path, '');
    return [`GITHUB_${name}`, path];
  });
  return Object.fromEntries(entries) as CommandFiles;
}

/** A runner's variables, and nothing of this process but what a program cannot start without. */
function runnerVariables(dirs: ActionFolders): Record<string, string | undefined> {
  return {
    // Not this machine's: a kubectl that happens to be there would take part in the test.
    PATH: dirs.path,
    ...(process.platform === 'win32'
      ? windowsVariables(dirs)
      : { HOME: dirs.home, TMPDIR: dirs.systemTemp }),
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    GITHUB_ACTION: '__self',
    GITHUB_ACTOR: 'somebody',
    GITHUB_API_URL: 'https://api.github.com',
    GITHUB_EVENT_NAME: 'push',
    GITHUB_JOB: 'test',
    GITHUB_REPOSITORY: 'some/repository',
    GITHUB_RUN_ID: '1',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_WORKFLOW: 'test',
    GITHUB_WORKSPACE: dirs.workspace,
    RUNNER_ARCH: RUNNER_ARCH[process.arch] ?? 'X64',
    RUNNER_ENVIRONMENT: 'github-hosted',
    RUNNER_NAME: 'test world',
    RUNNER_OS: RUNNER_OS[process.platform] ?? 'Linux',
    RUNNER_TEMP: dirs.temp,
    RUNNER_TOOL_CACHE: dirs.toolCache,
  };
}

function windowsVariables(dirs: ActionFolders): Record<string, string | undefined> {
  const needed = ['SystemRoot', 'SystemDrive', 'ComSpec', 'PATHEXT', 'windir'];
  return {
    ...Object.fromEntries(needed.map((name) => [name, process.env[name]])),
    USERPROFILE: dirs.home,
    APPDATA: join(dirs.home, 'AppData', 'Roaming'),
    LOCALAPPDATA: join(dirs.home, 'AppData', 'Local'),
    TEMP: dirs.systemTemp,
    TMP: dirs.systemTemp,
  };
}

const RUNNER_OS: Readonly<Record<string, string>> = {
  linux: 'Linux',
  darwin: 'macOS',
  win32: 'Windows',
};
const RUNNER_ARCH: Readonly<Record<string, string>> = {
  x64: 'X64',
  arm64: 'ARM64',
  arm: 'ARM',
  ia32: 'X86',
};

type Ending = 'exitCode' | 'signal' | 'timedOut' | 'durationMs' | 'toolCacheBefore';

function resultOf(
  output: { stdout: string; stderr: string },
  dirs: ActionFolders,
  files: CommandFiles,
): Omit<ActionResult, Ending> {
  const read = (name: keyof CommandFiles): string => readFileSync(files[name], 'utf8');
  const stdout = output.stdout.replaceAll(EOL, '\n');
  const stderr = output.stderr.replaceAll(EOL, '\n');
  const commands = workflowCommands(stdout);
  const annotations = annotationsOf(commands);
  return {
    stdout,
    stderr,
    outputs: commandFileValues(read('GITHUB_OUTPUT')),
    variables: commandFileValues(read('GITHUB_ENV')),
    paths: read('GITHUB_PATH').split(/\r?\n/).filter(Boolean),
    summary: read('GITHUB_STEP_SUMMARY'),
    commands,
    annotations: annotations.filter((annotation) => !isEndOfSupport(annotation)),
    endedSupport: annotations.filter(isEndOfSupport),
    dirs,
    toolCacheFiles: () => filesBelow(dirs.toolCache),
    toolCacheEntries: () => entriesBelow(dirs.toolCache),
    tempFiles: () => [...filesBelow(dirs.temp), ...filesBelow(dirs.systemTemp)],
    cleanup: () => {
      rmSync(dirs.root, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

const isEndOfSupport = ({ level, title = '' }: Annotation): boolean =>
  level === 'notice' && /^Kubernetes 1\.\d+ is no longer supported$/.test(title);

/** Files below a folder, relative to it, with slashes, sorted. */
export const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .map((path) => path.replaceAll(sep, '/'))
    .sort();

/** Files and folders below a folder, relative to it, with slashes; none where there is no folder. */
const entriesBelow = (folder: string): string[] =>
  statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true
    ? readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((path) =>
        path.replaceAll(sep, '/'),
      )
    : [];
