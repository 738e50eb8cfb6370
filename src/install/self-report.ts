import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import { explain } from '../errors.js';
import { platformName, type Platform } from '../kubernetes/platform.js';
import { runBounded } from './bounded-process.js';
import { assertExecutableFor } from './executable-format.js';

/** What a binary says of itself. */
interface SelfReport {
  /** With `v`. */
  readonly version: string | undefined;
  /** `linux/amd64` */
  readonly platform: string | undefined;
  readonly isTool: boolean;
}

const TIMEOUT = 20_000;
const MAX_OUTPUT_BYTES = 1 << 20;

/** component-base's `--version=raw` prints Go's form of version.Info, platform included. */
const COMPONENT_VERSION = ['--version=raw'];

/** How each binary tells its version and platform. The others of a release cannot. */
const VERSION_ARGUMENTS: Readonly<Partial<Record<string, readonly string[]>>> = {
  kubectl: ['version', '--client', '--output=json'],
  kubeadm: ['version', '--output=json'],
  kubelet: COMPONENT_VERSION,
  'kube-proxy': COMPONENT_VERSION,
  'kube-apiserver': COMPONENT_VERSION,
  'kube-controller-manager': COMPONENT_VERSION,
  'kube-scheduler': COMPONENT_VERSION,
};

/** Where and for how long a binary may run. */
export interface SelfReportOptions {
  /** A folder that goes with this run; the binary is executed in a new one below it. */
  readonly scratch: string;
  /** For each question, in milliseconds. */
  readonly timeout?: number;
}

/**
 * Asks a binary for its version, its platform and its name. It must have been verified before:
 * it is executed.
 *
 * @throws {Error} where it cannot be executed or does not answer
 */
async function readSelfReport(
  file: string,
  tool: string,
  question: readonly string[],
  { scratch, timeout = TIMEOUT }: SelfReportOptions,
): Promise<SelfReport> {
  const cwd = await mkdtemp(path.join(scratch, 'ask-'));
  const home = await mkdtemp(path.join(scratch, 'home-'));
  // kubectl reads kuberc below HOME, or below the working directory where there is no HOME, unless
  // KUBERC is "off": k8s.io/kubectl/pkg/kuberc/kuberc.go. Go takes USERPROFILE on Windows.
  const env = { HOME: home, USERPROFILE: home, KUBERC: 'off' };
  const options = { cwd, env, timeout, maxBytes: MAX_OUTPUT_BYTES };
  const version = await runBounded(file, question, options);
  const help = await runBounded(file, ['--help'], options);
  return {
    version: /gitVersion"?:\s*"(v[^"]{1,40})"/i.exec(version)?.[1],
    platform: /platform"?:\s*"([^"]{1,40})"/i.exec(version)?.[1],
    // The usage line alone: elsewhere the help of one tool speaks of others.
    isTool: new RegExp(`^Usage:\\s+${tool}(?:\\s|$)`, 'm').test(help),
  };
}

/**
 * Asks a verified binary what it is, by executing it.
 *
 * @returns undefined when the binary says it is the one that was asked for; else what is wrong
 */
export async function checkSelfReport(
  file: string,
  tool: string,
  version: string,
  platform: Platform,
  options: SelfReportOptions,
): Promise<string | undefined> {
  const question = VERSION_ARGUMENTS[tool];
  if (question === undefined) {
    return `${tool} does not report its version`;
  }
  try {
    await assertExecutableFor(platform, file);
    const self = await readSelfReport(file, tool, question, options);
    const isAsked =
      self.isTool && self.version === version && self.platform === platformName(platform);
    return isAsked
      ? undefined
      : `requested ${tool} ${version} for ${platformName(platform)}, but the binary reports ${nameOf(self, tool)}`;
  } catch (error) {
    return `the binary did not report its version: ${explain(error)}`;
  }
}

function nameOf(self: SelfReport, tool: string): string {
  return `${self.isTool ? tool : 'another tool'} ${self.version ?? '(no version)'} for ${self.platform ?? '(no platform)'}`;
}
