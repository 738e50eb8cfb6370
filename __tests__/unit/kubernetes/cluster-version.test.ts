import { describe, expect, test } from '@jest/globals';
import { parseClusterVersion } from '../../../src/kubernetes/cluster-version.js';

/** [distribution, what its clusters report, the minor, where it was seen] */
const REPORTED: readonly (readonly [
  distribution: string,
  text: string,
  minor: number,
  seen: string,
])[] = [
  ['EKS', 'v1.15.11-eks-af3caf', 15, 'github.com/jakepearson/k/pull/8'],
  ['EKS, aws eks describe-cluster', '1.26', 26, 'docs.aws.amazon.com, DescribeCluster with a CLI'],
  ['GKE, gcloud', '1.27.11-gke.1018000', 27, 'github.com/rancher/dashboard/issues/9507'],
  ['AKS', 'v1.8.7', 8, 'github.com/Azure/AKS/issues/598'],
  ['OpenShift 4', 'v1.20.0+bbbc079', 20, 'github.com/openshift/oc/issues/966'],
  ['OpenShift 3', 'v1.9.1+a0ce1bc657', 9, 'github.com/cncf/k8s-conformance/pull/207'],
  ['IKS', 'v1.15.10+IKS', 15, 'github.com/eclipse-archived/codewind/issues/1598'],
  ['k3s in Rancher Desktop', 'v1.17.17+k3s1', 17, 'github.com/rancher/shell/pull/21'],
  ['RKE2', 'v1.35.3+rke2r2', 35, 'github.com/rancher/rke2/pull/10080'],
  ['RKE', 'v1.32.2-rancher1-1', 32, 'github.com/lsst-it/k8s-cookbook/pull/1170'],
  ['k0s', 'v1.30.2+k0s.0', 30, 'github.com/k0rdent/kcm/pull/120'],
  ['MicroK8s', 'v1.20.5-34+40f5951bd9888a', 20, 'github.com/canonical/microk8s/issues/2192'],
  ['Talos', 'v1.33.8', 33, 'github.com/siderolabs/talos/issues/12843'],
  ['Docker Desktop', 'v1.25.9', 25, 'github.com/docker/for-win/issues/13578'],
  ['kind, a node image', 'v1.18.2', 18, 'github.com/kubernetes-sigs/kind/issues/1288'],
  ['minikube', 'v1.20.0', 20, 'github.com/kubernetes/minikube/issues/9976'],
  ['DigitalOcean, doctl', '1.20.2-do.0', 20, 'digitalocean/terraform-provider-digitalocean#583'],
  ['Alibaba ACK', 'v1.16.9-aliyun.1', 16, 'github.com/abrochard/kubel/pull/34'],
  ['Huawei CCE', 'v1.11.3-r0-CCE2.0.15.B003', 11, 'github.com/cncf/k8s-conformance/pull/387'],
  ['Tencent TKE', 'v1.18.4-tke.15', 18, 'github.com/tencentyun/qcloud-documents/pull/9823'],
  [
    'VMware TKG',
    'v1.21.2--vmware.1-tkg.1',
    21,
    'github.com/vmware-tanzu/tanzu-framework/issues/2390',
  ],
  [
    'a build of Kubernetes itself',
    'v1.9.0-alpha.1.487+550c3cab4fe267',
    9,
    'github.com/kubernetes/kubernetes/issues/53259',
  ],
];

describe('text', () => {
  test.each(REPORTED)('%s: %s', (_, text, minor) => {
    expect(parseClusterVersion(text)).toEqual({ text, minor });
  });

  test.each([
    ['v1.33', 33],
    ['V1.33.4', 33],
    ['1.33+', 33],
    ['1.0', 0],
    ['v1.32.6-gke.1013000', 32],
    ['  v1.33.1+k3s1\n', 33],
  ])('%j', (text, minor) => {
    expect(parseClusterVersion(text)).toEqual({ text: text.trim(), minor });
  });

  test.each([
    [''],
    ['1'],
    ['v1'],
    ['stable'],
    ['33'],
    ['1.x'],
    ['1.033'],
    ['1.3300'],
    ['1.33.'],
    ['1.33.x'],
    ['1.33.4.5'],
    ['1.33 and more'],
    ['1.33.4-eks\n::error::x'],
    ['1.33.4-<b>'],
    [`1.33.4-${'a'.repeat(200)}`],
    // What oc calls the server's version is OpenShift's own.
    ['4.14.8'],
    ['2.0'],
    // What is wrong with a build: github.com/kubernetes/minikube/issues/1532
    ['v0.0.0-master+$Format:%h$'],
    // The whole output of kubectl without `-o json`.
    ['Server Version: v1.33.4'],
  ])('%j is none', (text) => {
    expect(parseClusterVersion(text)).toBeUndefined();
  });
});

describe('JSON', () => {
  /** Of github.com/kubernetes/kubernetes/issues/53259, but for the versions. */
  const info = (version: Readonly<Record<string, unknown>>): object => ({
    gitCommit: '550c3cab4fe2677d57c74fdf66a56b149c21237f',
    gitTreeState: 'clean',
    buildDate: '2017-09-29T15:56:34Z',
    goVersion: 'go1.8.3',
    compiler: 'gc',
    platform: 'linux/amd64',
    ...version,
  });
  const client = info({ major: '1', minor: '36', gitVersion: 'v1.36.3' });

  test.each<[what: string, server: Readonly<Record<string, unknown>>, text: string, minor: number]>(
    [
      [
        'EKS',
        { major: '1', minor: '15+', gitVersion: 'v1.15.11-eks-af3caf' },
        'v1.15.11-eks-af3caf',
        15,
      ],
      // github.com/kubernetes/kubectl/issues/269: the numbers are empty.
      ['minikube', { major: '', minor: '', gitVersion: 'v1.9.0' }, 'v1.9.0', 9],
      // github.com/fabric8io/kubernetes-client/issues/2046
      [
        'OpenShift',
        { major: '1', minor: '14+', gitVersion: 'v1.14.6+b294fe5' },
        'v1.14.6+b294fe5',
        14,
      ],
      // As kubectl does for its own warning about skew.
      ['the git version wins', { major: '1', minor: '20', gitVersion: 'v1.21.1' }, 'v1.21.1', 21],
      ['no git version', { major: '1', minor: '31+' }, '1.31+', 31],
      [
        'a git version that says nothing',
        { major: '1', minor: '31', gitVersion: 'v0.0.0-master+$Format:%H$' },
        '1.31',
        31,
      ],
    ],
  )('of kubectl version and of /version: %s', (_, server, text, minor) => {
    const kubectl = {
      clientVersion: client,
      kustomizeVersion: 'v5.7.1',
      serverVersion: info(server),
    };
    for (const json of [kubectl, info(server)]) {
      expect(parseClusterVersion(JSON.stringify(json))).toEqual({ text, minor });
      expect(parseClusterVersion(JSON.stringify(json, null, 2))).toEqual({ text, minor });
    }
  });

  test('of oc, which also names the version of OpenShift', () => {
    const server = info({ major: '1', minor: '27', gitVersion: 'v1.27.8+4fab27b' });
    const json = { clientVersion: client, openshiftVersion: '4.14.8', serverVersion: server };
    expect(parseClusterVersion(JSON.stringify(json))).toEqual({
      text: 'v1.27.8+4fab27b',
      minor: 27,
    });
  });

  test.each<[what: string, json: string]>([
    // github.com/oalders/is/issues/34: the cluster did not answer.
    ['of a client alone', JSON.stringify({ clientVersion: client })],
    ['of another version', JSON.stringify({ serverVersion: { gitVersion: 'v2.0.0' } })],
    ['with numbers for text', JSON.stringify({ serverVersion: { major: 1, minor: 31 } })],
    ['with null', JSON.stringify({ serverVersion: null })],
    ['that is a list', JSON.stringify([{ gitVersion: 'v1.31.0' }])],
    ['that ends early', '{"gitVersion": "v1.31.0"'],
    ['that is a string', JSON.stringify('v1.31.0')],
    ['with a server of null', JSON.stringify({ gitVersion: 'v1.31.0', serverVersion: null })],
    ['with another server', JSON.stringify({ gitVersion: 'v1.31.0', serverVersion: {} })],
    ['without end', JSON.stringify({ gitVersion: 'v1.31.0', x: 'x'.repeat(70_000) })],
  ])('%s is none', (_, json) => {
    expect(parseClusterVersion(json)).toBeUndefined();
  });
});
