import { describe, expect, test } from '@jest/globals';
import {
  parseClusterVersion,
  type ClusterVersion,
} from '../../../src/kubernetes/cluster-version.js';
import { TOOLS, type Tool } from '../../../src/kubernetes/platform.js';
import {
  assertSupportedSkew,
  describeSkew,
  minorSkew,
  supportedMinors,
} from '../../../src/kubernetes/skew.js';
import { errorOf } from '../expect-error.js';

function cluster(text: string): ClusterVersion {
  const parsed = parseClusterVersion(text);
  if (parsed === undefined) throw new Error(`${text} is no version of a cluster`);
  return parsed;
}

/**
 * Written down again from the examples of https://kubernetes.io/releases/version-skew-policy/ and
 * of kubeadm's own page, so that a slip in the source shows: [oldest, newest] for a cluster.
 */
const SUPPORTED: readonly (readonly [
  tool: Tool,
  cluster: number,
  oldest: number,
  newest: number,
])[] = [
  ['kubectl', 33, 32, 34],
  ['kubectl', 0, 0, 1],
  ['kube-apiserver', 33, 32, 34],
  ['kube-controller-manager', 33, 32, 33],
  ['kube-scheduler', 33, 32, 33],
  ['kubeadm', 33, 33, 34],
  ['kubelet', 33, 30, 33],
  ['kube-proxy', 33, 30, 33],
  // "kubelet < 1.25 may only be up to two minor versions older"
  ['kubelet', 28, 25, 28],
  ['kubelet', 27, 25, 27],
  ['kubelet', 26, 24, 26],
  ['kubelet', 25, 23, 25],
  ['kubelet', 24, 22, 24],
  ['kube-proxy', 28, 25, 28],
  ['kube-proxy', 27, 25, 27],
  ['kube-proxy', 26, 24, 26],
  ['kubelet', 1, 0, 1],
];

const WITHOUT_RULE: readonly Tool[] = [
  'kubectl-convert',
  'kube-log-runner',
  'kube-aggregator',
  'apiextensions-apiserver',
  'mounter',
];

test('every tool has a row above, or is known to have no rule', () => {
  const tools = new Set([...SUPPORTED.map(([tool]) => tool), ...WITHOUT_RULE]);
  expect([...tools].sort()).toEqual([...TOOLS].sort());
});

describe.each(SUPPORTED)('%s with a cluster of 1.%i', (tool, minor, oldest, newest) => {
  test(`is supported from 1.${String(oldest)} to 1.${String(newest)}`, () => {
    expect(supportedMinors(tool, minor)).toEqual({ oldest, newest });
  });

  const server = cluster(`v1.${String(minor)}.4`);
  const check = (tested: number): void => {
    assertSupportedSkew(`v1.${String(tested)}.0`, [tool], server);
  };

  test('is accepted at both ends', () => {
    expect(() => check(oldest)).not.toThrow();
    expect(() => check(newest)).not.toThrow();
  });

  test('is refused one minor beyond', () => {
    expect(errorOf(() => check(newest + 1)).code).toBe('VERSION_SKEW');
    if (oldest > 0) expect(errorOf(() => check(oldest - 1)).code).toBe('VERSION_SKEW');
  });
});

test.each(WITHOUT_RULE)('%s is never refused: Kubernetes has no rule for it', (tool) => {
  expect(supportedMinors(tool, 33)).toBeUndefined();
  expect(() => assertSupportedSkew('v1.19.0', [tool], cluster('1.36'))).not.toThrow();
});

test('a version of another major is refused', () => {
  expect(minorSkew('v2.33.0', cluster('1.33'))).toBeUndefined();
  const error = errorOf(() => assertSupportedSkew('v2.33.0', ['kubectl'], cluster('1.33')));
  expect(error.code).toBe('VERSION_SKEW');
  expect(error.message).toContain('v2.33.0 has a different major version from the cluster');
});

test('a refusal names both versions, how far apart they are, the range, and what to set', () => {
  const error = errorOf(() =>
    assertSupportedSkew('v1.36.2', ['kubectl', 'kubelet'], cluster('v1.33.4-eks-1a2b3c')),
  );
  expect(error.code).toBe('VERSION_SKEW');
  expect(error.message).toBe(
    'kubectl v1.36.2 is 3 minor versions newer than the cluster (v1.33.4-eks-1a2b3c): supported: 1.32 to 1.34; ' +
      'kubelet v1.36.2 is 3 minor versions newer than the cluster (v1.33.4-eks-1a2b3c): supported: 1.30 to 1.33 ' +
      '(https://kubernetes.io/releases/version-skew-policy/)',
  );
});

test('only the tools that are out of range are named', () => {
  const error = errorOf(() =>
    assertSupportedSkew('v1.34.0', ['kubectl', 'kubelet', 'mounter'], cluster('1.33')),
  );
  expect(error.message).toBe(
    'kubelet v1.34.0 is 1 minor version newer than the cluster (1.33): supported: 1.30 to 1.33 ' +
      '(https://kubernetes.io/releases/version-skew-policy/)',
  );
});

test('where one minor alone is supported, the message is no range', () => {
  const error = errorOf(() => assertSupportedSkew('v1.1.0', ['kube-scheduler'], cluster('1.0')));
  expect(error.message).toContain('supported: 1.0');
  expect(error.message).not.toMatch(/supported: 1\.0 to /);
});

test('the message for kubeadm names the page with its own rule', () => {
  const error = errorOf(() => assertSupportedSkew('v1.32.0', ['kubeadm'], cluster('1.33')));
  expect(error.message).toContain('create-cluster-kubeadm');
});

test.each([
  ['v1.33.4', 0, 'the same minor version as the cluster'],
  ['v1.34.0-rc.1', 1, '1 minor version newer than the cluster'],
  ['v1.31.0', -2, '2 minor versions older than the cluster'],
])('%s is %i apart from 1.33', (version, skew, words) => {
  expect(minorSkew(version, cluster('1.33'))).toBe(skew);
  expect(describeSkew(skew)).toBe(words);
});
