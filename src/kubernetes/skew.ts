import { SetupError } from '../errors.js';
import type { ClusterVersion } from './cluster-version.js';
import type { Tool } from './platform.js';

const POLICY_URL = 'https://kubernetes.io/releases/version-skew-policy/';
const KUBEADM_URL =
  'https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/create-cluster-kubeadm/#version-skew-policy';

/** How far a tool's minor may be from that of the cluster's API server. */
export interface SkewRule {
  /** Minors that the tool may be older. */
  readonly older: number;
  /** Minors that the tool may be newer. */
  readonly newer: number;
  /** Tools below this minor may only be so much older. */
  readonly before?: { readonly minor: number; readonly older: number };
  /** In the words of the source. */
  readonly words: string;
  readonly source: string;
}

const NODE: Omit<SkewRule, 'words'> = {
  older: 3,
  newer: 0,
  before: { minor: 25, older: 2 },
  source: POLICY_URL,
};

const CONTROLLER: SkewRule = {
  older: 1,
  newer: 0,
  words:
    'must not be newer than kube-apiserver; expected to match its minor version, but may be up to one minor version older',
  source: POLICY_URL,
};

/**
 * Kubernetes' version skew policy for every tool. Undefined: Kubernetes has no rule for it.
 *
 * docs/version-skew.md shows the same table; a test compares them.
 */
export const SKEW_POLICY: Readonly<Record<Tool, SkewRule | undefined>> = {
  kubectl: {
    older: 1,
    newer: 1,
    words: 'supported within one minor version (older or newer) of kube-apiserver',
    source: POLICY_URL,
  },
  kubeadm: {
    older: 0,
    newer: 1,
    words:
      'can be used with Kubernetes components that are the same version as kubeadm or one version older',
    source: KUBEADM_URL,
  },
  kubelet: {
    ...NODE,
    words:
      'must not be newer than kube-apiserver; may be up to three minor versions older (kubelet < 1.25 up to two)',
  },
  'kube-proxy': {
    ...NODE,
    words:
      'must not be newer than kube-apiserver; may be up to three minor versions older (kube-proxy < 1.25 up to two)',
  },
  'kube-apiserver': {
    older: 1,
    newer: 1,
    words: 'the newest and oldest instances of a cluster must be within one minor version',
    source: POLICY_URL,
  },
  'kube-controller-manager': CONTROLLER,
  'kube-scheduler': CONTROLLER,
  'kubectl-convert': undefined,
  'kube-log-runner': undefined,
  'kube-aggregator': undefined,
  'apiextensions-apiserver': undefined,
  mounter: undefined,
};

/** An interval of minors; both ends belong to it. */
export interface MinorRange {
  readonly oldest: number;
  readonly newest: number;
}

/**
 * The minors of a tool that a cluster supports.
 *
 * @param cluster the cluster's minor
 * @returns undefined where Kubernetes has no rule
 */
export function supportedMinors(tool: Tool, cluster: number): MinorRange | undefined {
  const rule = SKEW_POLICY[tool];
  if (rule === undefined) {
    return undefined;
  }
  const { older, newer, before } = rule;
  const exception = before === undefined ? 0 : Math.min(before.minor, cluster - before.older);
  return { oldest: Math.max(0, cluster - older, exception), newest: cluster + newer };
}

/**
 * How many minors a version is newer than a cluster; negative: older.
 *
 * @param version with `v`
 * @returns undefined for a version of another major
 */
export function minorSkew(version: string, cluster: ClusterVersion): number | undefined {
  const minor = minorOf(version);
  return minor === undefined ? undefined : minor - cluster.minor;
}

/** The minor of `v1.<minor>.<patch>`; undefined for another major version. */
export function minorOf(version: string): number | undefined {
  const minor = /^v1\.(\d+)\./.exec(version)?.[1];
  return minor === undefined ? undefined : Number(minor);
}

/** `2 minor versions older than the cluster` */
export function describeSkew(skew: number): string {
  if (skew === 0) {
    return 'the same minor version as the cluster';
  }
  const distance = Math.abs(skew);
  return `${String(distance)} minor version${distance === 1 ? '' : 's'} ${skew < 0 ? 'older' : 'newer'} than the cluster`;
}

/**
 * Refuses a version that Kubernetes' policy does not support with a cluster.
 *
 * @param version of the release, with `v`
 * @throws {SetupError} VERSION_SKEW, naming every tool that is out of range
 */
export function assertSupportedSkew(
  version: string,
  tools: readonly Tool[],
  cluster: ClusterVersion,
): void {
  const minor = minorOf(version);
  const refusals = tools.flatMap((tool) => {
    const range = supportedMinors(tool, cluster.minor);
    return range === undefined || isWithin(minor, range)
      ? []
      : { tool, message: refusal(tool, version, cluster, range) };
  });
  if (refusals.length === 0) {
    return;
  }
  const sources = new Set(refusals.map(({ tool }) => SKEW_POLICY[tool]?.source));
  throw new SetupError(
    'VERSION_SKEW',
    `${refusals.map(({ message }) => message).join('; ')} (${[...sources].join(', ')})`,
  );
}

function isWithin(minor: number | undefined, { oldest, newest }: MinorRange): boolean {
  return minor !== undefined && minor >= oldest && minor <= newest;
}

function refusal(
  tool: Tool,
  version: string,
  cluster: ClusterVersion,
  { oldest, newest }: MinorRange,
): string {
  const skew = minorSkew(version, cluster);
  const relation =
    skew === undefined
      ? 'has a different major version from the cluster'
      : `is ${describeSkew(skew)}`;
  const range =
    oldest === newest ? `1.${String(oldest)}` : `1.${String(oldest)} to 1.${String(newest)}`;
  return `${tool} ${version} ${relation} (${cluster.text}): supported: ${range}`;
}
