import { SetupError, explain } from '../errors.js';
import { escapeJson, escapeLogLine } from '../escape.js';
import { UNEXPECTED_HINT, hintFor } from '../hints.js';
import { type Environment } from '../inputs.js';
import { loadVerifyInputs } from './inputs.js';
import { namedFailure } from '../install/install-failed.js';
import {
  verifiedFileReport,
  verifiedFileText,
  type VerifyReport,
} from '../report/verified-file.js';
import type { Command } from './command.js';
import { EXIT_CODES, type Terminal } from './terminal.js';
import { verifyFile } from './verify.js';

/** `verify <file>`. */
export const VERIFY: Command = {
  name: 'verify',
  summary: 'Verify a file on this machine: who signed it, and which release it is from',
  description:
    'Verify a file on this machine: signature, certificate, identity, transparency log, and the signed SBOM of its release.\nThe file is only read. By default, the evidence comes from the release host and the log. If you name evidence, only that is used.',
  argument: { name: 'file', help: 'The file: a binary, tarball or SBOM of a Kubernetes release' },
  examples: `Examples:
  Is this kubectl the one of v1.31.9?
    setup-verified-kubectl verify ./kubectl --version 1.31.9
  Which file of a lock file is this? Only the release host is asked, for the SBOM:
    setup-verified-kubectl verify ./kubectl --lock-file kubernetes.lock.json --trusted-root embedded
  A tarball, with its bundle:
    setup-verified-kubectl verify kubernetes-server-linux-amd64.tar.gz --version 1.31.9 --bundle server.sigstore.json
  The signature alone, as "cosign verify-blob" does:
    setup-verified-kubectl verify ./kubectl --signature kubectl.sig --certificate kubectl.cert --bind-release false
  For a script:
    setup-verified-kubectl verify ./kubectl --version 1.31.9 --json`,
  options: [
    {
      flags: '--artifact <name>',
      help: 'Which file of the release it is: kubectl, server, kubernetes-src.tar.gz, bin/linux/amd64/kubectl … [default: what its name says; with --lock-file, what its SHA-256 says]',
      group: 'Release',
    },
    {
      flags: '--platform <os/arch>',
      help: "The platform it is for: linux/amd64, darwin/arm64 … [default: what its name says, else this machine's]",
      group: 'Release',
    },
    {
      flags: '--signature <path>',
      help: 'Its signature, base64 (.sig); with --certificate',
      group: 'Evidence',
    },
    {
      flags: '--certificate <path>',
      help: 'Its certificate, PEM or base64 of it (.cert); with --signature',
      group: 'Evidence',
    },
    {
      flags: '--bundle <path>',
      help: 'Its Sigstore bundle, version 0.1, 0.2 or 0.3',
      group: 'Evidence',
    },
    {
      flags: '--sbom <path>',
      help: "The release's SBOM, kubernetes-release.spdx, in place of the published one",
      group: 'Evidence',
    },
    {
      flags: '--sbom-bundle <path>',
      help: 'The Sigstore bundle of --sbom; not with --lock-file, which has it',
      group: 'Evidence',
    },
    {
      flags: '--json',
      help: 'Print one JSON object, also for a file that is refused',
      group: 'Output',
    },
  ],
  inputs: {
    version: {
      help: 'The release it must be from: 1.31.9, 1.31, stable …; needed unless --lock-file or --version-file has it',
      group: 'Release',
    },
    'lock-file': { help: 'A lock file with its SHA-256 and evidence', group: 'Evidence' },
    checksum: { help: 'Expected SHA-256, in addition to the signature', group: 'Verification' },
    'bind-release': {
      help: 'false: verify the signature, and prove nothing about the release [default: true]',
      group: 'Verification',
    },
  },
  hiddenInputs: ['architecture'],
  unknownInputs: [
    'cluster-version',
    'tools',
    'artifacts',
    'images',
    'image-registry',
    'image-certificate-identity',
    'check-latest',
  ],
  run,
};

async function run(environment: Environment, terminal: Terminal): Promise<number> {
  const isJson = environment.variables['INPUT_JSON'] === 'true';
  try {
    const inputs = await loadVerifyInputs(environment);
    const finding = await verifyFile(inputs, terminal);
    const report = verifiedFileReport(inputs.file.name, inputs.evidence.kind, finding);
    if (isJson) {
      printJson(report);
    } else {
      process.stdout.write(`${verifiedFileText(report).join('\n')}\n`);
    }
    return EXIT_CODES.done;
  } catch (error) {
    if (isJson) {
      printJson(refused(environment.variables['INPUT_FILE'] ?? '', namedFailure(error)));
    }
    throw error;
  }
}

function printJson(report: VerifyReport): void {
  process.stdout.write(`${escapeJson(JSON.stringify(report, undefined, 2))}\n`);
}

function refused(file: string, error: unknown): VerifyReport {
  return {
    verified: false,
    file,
    error:
      error instanceof SetupError
        ? { code: error.code, message: escapeLogLine(error.message), hint: hintFor(error) }
        : { code: 'UNEXPECTED', message: escapeLogLine(explain(error)), hint: UNEXPECTED_HINT },
  };
}
