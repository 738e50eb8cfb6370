import { type Environment } from '../inputs.js';
import { loadLockInputs } from './inputs.js';
import { DEFAULT_LOCK_FILE } from '../inputs/lock-file.js';
import type { Command } from './command.js';
import { lockRelease } from './lock.js';
import { EXIT_CODES, type Terminal } from './terminal.js';

/** `lock`, as a command. As an action, it is in lock-action.ts. */
export const LOCK: Command = {
  name: 'lock',
  summary: 'Write a lock file: version, digests and evidence, all proven',
  description:
    'Verify the files and images of a release and write their version, digests and Sigstore evidence to a lock file.\nNothing is written unless everything was proven. What has not changed stays as it is, byte for byte.',
  examples: `Examples:
  Lock the newest patch of 1.31 for two platforms:
    setup-verified-kubectl lock --version 1.31 --platforms linux/amd64,darwin/arm64
  Lock kubectl, the images of the control plane, and etcd:
    setup-verified-kubectl lock --version 1.31 --images control-plane,registry.k8s.io/etcd:3.5.15-0
  Check whether there is a newer patch:
    setup-verified-kubectl lock --version 1.31 --platforms linux/amd64,darwin/arm64 --check`,
  options: [
    {
      flags: '--platforms <list>',
      help: "<os>/<arch>, separated by commas [default: this machine's]",
      group: 'Release',
    },
    {
      flags: '--check',
      help: 'Write nothing; print what would change, and exit with 3 if anything would',
      group: 'Lock',
    },
  ],
  inputs: {
    'lock-file': { help: `Where to write [default: ${DEFAULT_LOCK_FILE}]`, group: 'Lock' },
  },
  hiddenInputs: ['architecture', 'bind-release', 'check-latest'],
  run,
};

async function run(environment: Environment, terminal: Terminal): Promise<number> {
  const inputs = await loadLockInputs(environment);
  const { version, contents, changes } = await lockRelease(inputs, terminal);
  const { name } = inputs.lockFile;
  if (changes.length > 0) {
    process.stdout.write(`${changes.join('\n')}\n`);
  }
  if (changes.length > 0 && inputs.check) {
    terminal.info(`${name} is out of date. Run the same command without --check.`);
    return EXIT_CODES.different;
  }
  const state = changes.length === 0 ? 'is up to date' : 'was written';
  terminal.info(`${name} ${state}: ${version}, ${contents}`);
  return EXIT_CODES.done;
}
