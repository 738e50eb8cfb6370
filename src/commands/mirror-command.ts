import { realpathSync } from 'node:fs';
import path from 'node:path';
import { escapeLogLine } from '../escape.js';
import { type Environment } from '../inputs.js';
import { loadMirrorInputs, type MirrorInputs } from './inputs.js';
import type { VersionRequest } from '../kubernetes/version.js';
import type { Command } from './command.js';
import { checkMirror } from './mirror-check.js';
import { TRUSTED_ROOT, type MirrorFolder } from './mirror-folder.js';
import { mirrorRelease } from './mirror.js';
import { EXIT_CODES, type Terminal } from './terminal.js';

export const MIRROR: Command = {
  name: 'mirror',
  summary: 'Make a folder to install from without a network',
  description:
    'Download files of a release, verify them, and keep them with their evidence in a folder with the layout of dl.k8s.io.\nRun it again to continue after an interruption, to repair damage, or to get a newer version. Files that still pass every check are kept.',
  argument: { name: 'folder', help: 'Where to keep the files; created if it does not exist' },
  examples: `Examples:
  The newest patch of 1.31, for Linux and macOS:
    setup-verified-kubectl mirror /srv/mirror --version 1.31 --platforms linux/amd64,darwin/arm64
  Everything in a lock file:
    setup-verified-kubectl mirror /srv/mirror --lock-file kubernetes.lock.json
  Check the folder on the other side of the air gap:
    setup-verified-kubectl mirror /srv/mirror --lock-file kubernetes.lock.json --check

Use it in a workflow with "download-base-url: file:///srv/mirror" and "trusted-root: /srv/mirror/trusted_root.json".`,
  options: [
    {
      flags: '--platforms <list>',
      help: "<os>/<arch>, separated by commas [default: this machine's]",
      group: 'Release',
    },
    {
      flags: '--check',
      help: 'Write nothing and make no request; print what is missing, damaged or extra, and exit with 3 if anything is',
      group: 'Mirror',
    },
  ],
  inputs: {
    'lock-file': {
      help: 'Mirror every file of this lock file, with its evidence',
      group: 'Release',
    },
    'trusted-root': {
      help: 'A trusted_root.json in place of TUF, or "embedded" for the built-in copy [default with --check: embedded]',
      group: 'Trust',
    },
  },
  hiddenInputs: [
    'architecture',
    'images',
    'image-registry',
    'image-certificate-identity',
    'bind-release',
    'check-latest',
  ],
  run,
};

async function run(environment: Environment, terminal: Terminal): Promise<number> {
  const inputs = await loadMirrorInputs(environment);
  if (inputs.lock !== undefined && inputs.lock.images.size > 0) {
    terminal.info('The images of the lock file are left out: a mirror holds files');
  }
  warnOfOwnTrustRoot(inputs, terminal);
  return inputs.check ? check(inputs, terminal) : make(inputs, terminal);
}

async function make(inputs: MirrorInputs, terminal: Terminal): Promise<number> {
  const { version, folder, files } = await mirrorRelease(inputs, terminal);
  printLines(files.map(({ sha256, name }) => `${sha256}  ${name}`));
  const kept = files.filter(({ isKept }) => isKept).length;
  terminal.info(
    `${folder.path} is complete: ${version}, ${String(files.length)} files, ${String(kept)} of them kept`,
  );
  for (const line of usage(inputs, version, folder)) {
    terminal.info(line);
  }
  return EXIT_CODES.done;
}

/** Lines for a workflow. */
function usage(
  { version: request }: MirrorInputs,
  version: string,
  { url, trustedRoot }: MirrorFolder,
): string[] {
  return [
    'To install from it:',
    `  version: '${inFolder(request) ?? version.slice(1)}'`,
    `  download-base-url: ${url.href.replace(/\/$/, '')}`,
    `  trusted-root: ${trustedRoot}`,
  ];
}

/** A request that the pointer in the folder answers; undefined if there is none. */
function inFolder(request: VersionRequest): string | undefined {
  switch (request.kind) {
    case 'stable':
      return request.minor ?? 'stable';
    case 'prerelease':
      return request.minor === undefined ? 'prerelease' : `prerelease-${request.minor}`;
    case 'exact':
    case 'range':
      return undefined;
  }
}

async function check(inputs: MirrorInputs, terminal: Terminal): Promise<number> {
  const { version, files, differences } = await checkMirror(inputs, terminal);
  if (differences.length > 0) {
    printLines(differences);
    terminal.info(
      `${inputs.folder} differs from what was asked for. To repair it where there is a network, run the same command without --check. Delete extra files yourself.`,
    );
    return EXIT_CODES.different;
  }
  terminal.info(
    `${inputs.folder} is complete and proven: ${version ?? ''}, ${String(files)} files`,
  );
  return EXIT_CODES.done;
}

/** Names come from a folder, and what is wrong from the files in it. */
function printLines(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${escapeLogLine(line)}\n`).join(''));
}

/** A folder that vouches for itself only proves that its files belong together. */
function warnOfOwnTrustRoot({ folder, trustRoot }: MirrorInputs, terminal: Terminal): void {
  if (trustRoot.kind !== 'file') {
    return;
  }
  const own = path.join(folder, TRUSTED_ROOT);
  if (real(trustRoot.path) === real(own)) {
    terminal.warning(
      'Trust root of the folder',
      'The trust root comes from the folder itself, so the author of the folder decides what passes. Use "embedded", or a file from elsewhere.',
    );
  }
}

/** Undefined for what does not exist. */
function real(file: string): string | undefined {
  try {
    return realpathSync.native(file);
  } catch {
    return undefined; // Then it is not the other file either.
  }
}
