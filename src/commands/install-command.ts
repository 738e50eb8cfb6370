import { type Environment } from '../inputs.js';
import { loadInstallInputs } from './inputs.js';
import type { Command } from './command.js';
import { install } from './install.js';
import { EXIT_CODES, type Terminal } from './terminal.js';

export const INSTALL: Command = {
  name: 'install',
  summary: 'Install verified binaries and other files into a folder',
  description:
    'Verify files of a release as the action does, and install them into a folder.\nNothing is written to the folder unless everything was proven. Each file is replaced in one step. A file that is up to date is left as it is.\nPrints the path of each file.',
  argument: { name: 'folder', help: 'Where to install; created if it does not exist' },
  examples: `Examples:
  The newest stable kubectl, on a laptop:
    setup-verified-kubectl install ~/.local/bin
  The newest patch of 1.31, for a cluster of that version:
    setup-verified-kubectl install --version 1.31 --cluster-version 1.31 ./bin
  The version in a reviewed lock file:
    setup-verified-kubectl install --lock-file kubernetes.lock.json ./bin
  In a Dockerfile, without a cache in the layer:
    RUN npx --yes setup-verified-kubectl@1 install --version 1.31.9 --no-cache /usr/local/bin`,
  options: [
    {
      flags: '--no-cache',
      help: 'Use no copy on this machine, and keep only the installed files',
      group: 'Install',
    },
  ],
  inputs: {
    'lock-file': {
      help: 'Install what this lock file says, proven by its evidence',
      group: 'Release',
    },
  },
  hiddenInputs: [],
  run,
};

async function run(environment: Environment, terminal: Terminal): Promise<number> {
  const placed = await install(await loadInstallInputs(environment), terminal);
  for (const { path, wasThere } of placed) {
    terminal.info(wasThere ? `${path} is up to date` : `Installed ${path}`);
  }
  process.stdout.write(placed.map(({ path }) => `${path}\n`).join(''));
  return EXIT_CODES.done;
}
