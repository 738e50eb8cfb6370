/** An input of action.yml, as an option of a command. */
export interface InputOption {
  /** Of the input, and of the option with `--` in front. */
  readonly name: string;
  /** What the help shows for its value. */
  readonly value: string;
  /** As in action.yml; empty for none. */
  readonly default: string;
  readonly help: string;
  readonly group: 'Release' | 'Source' | 'Verification' | 'Trust';
}

/** Every input of action.yml, in its order. A test compares both. */
export const INPUT_OPTIONS: readonly InputOption[] = [
  {
    name: 'version',
    value: 'version',
    default: '',
    help: 'Release: 1.31.9, 1.31, "~1.31.2", stable, prerelease … [default: --version-file, else the minor of --cluster-version, else stable]',
    group: 'Release',
  },
  {
    name: 'version-file',
    value: 'path',
    default: '',
    help: 'Read the version from .kubectl-version, .tool-versions, mise.toml or go.mod',
    group: 'Release',
  },
  {
    name: 'cluster-version',
    value: 'version',
    default: '',
    help: 'Refuse a release that the version skew policy does not support with this cluster',
    group: 'Release',
  },
  {
    name: 'lock-file',
    value: 'path',
    default: '',
    help: 'The lock file',
    group: 'Release',
  },
  {
    name: 'tools',
    value: 'names',
    default: 'kubectl',
    help: 'Binaries, separated by commas: kubectl, kubeadm, kubelet …; or none, with --artifacts',
    group: 'Release',
  },
  {
    name: 'artifacts',
    value: 'names',
    default: '',
    help: 'Other files, separated by commas: client, server, node, test, kubernetes-src.tar.gz …',
    group: 'Release',
  },
  {
    name: 'images',
    value: 'references',
    default: '',
    help: 'Container images, separated by commas: control-plane, registry.k8s.io/etcd:3.5.15-0 …',
    group: 'Release',
  },
  {
    name: 'image-registry',
    value: 'url',
    default: 'https://registry.k8s.io',
    help: 'A mirror of registry.k8s.io',
    group: 'Source',
  },
  {
    name: 'architecture',
    value: 'name',
    default: '',
    help: "amd64, arm64, arm, 386, ppc64le or s390x [default: this machine's]",
    group: 'Release',
  },
  {
    name: 'download-base-url',
    value: 'url',
    default: 'https://dl.k8s.io',
    help: 'Release host, a mirror of it, or the file: URL of a folder',
    group: 'Source',
  },
  {
    name: 'download-token',
    value: 'token',
    default: '',
    help: 'Bearer token for --download-base-url; sent to no other origin',
    group: 'Source',
  },
  {
    name: 'checksum',
    value: 'sha256',
    default: '',
    help: 'Expected SHA-256, or <name>=<sha256>, checked in addition to the signature',
    group: 'Verification',
  },
  {
    name: 'minimum-release-age',
    value: 'age',
    default: '',
    help: 'Refuse a release that was signed less than this long ago: 12h, 3d, 1w',
    group: 'Verification',
  },
  {
    name: 'maximum-release-age',
    value: 'age',
    default: '',
    help: 'Refuse a release that was signed longer ago than this',
    group: 'Verification',
  },
  {
    name: 'certificate-identity',
    value: 'name',
    default: 'krel-staging@k8s-releng-prod.iam.gserviceaccount.com',
    help: 'Who must have signed, as a whole name',
    group: 'Verification',
  },
  {
    name: 'image-certificate-identity',
    value: 'name',
    default: 'krel-trust@k8s-releng-prod.iam.gserviceaccount.com',
    help: 'Who must have signed images, as a whole name',
    group: 'Verification',
  },
  {
    name: 'certificate-oidc-issuer',
    value: 'url',
    default: 'https://accounts.google.com',
    help: 'OIDC issuer of the signer, as a whole URL',
    group: 'Verification',
  },
  {
    name: 'rekor-url',
    value: 'url',
    default: 'https://rekor.sigstore.dev',
    help: 'Transparency log',
    group: 'Trust',
  },
  {
    name: 'tuf-mirror-url',
    value: 'url',
    default: 'https://tuf-repo-cdn.sigstore.dev',
    help: 'TUF repository of the trust root',
    group: 'Trust',
  },
  {
    name: 'tuf-root',
    value: 'path',
    default: '',
    help: 'Initial root.json of another TUF repository',
    group: 'Trust',
  },
  {
    name: 'trusted-root',
    value: 'path',
    default: '',
    help: 'A trusted_root.json in place of TUF, or "embedded" for the built-in copy',
    group: 'Trust',
  },
  {
    name: 'bind-release',
    value: 'boolean',
    default: 'true',
    help: "Require the release's signed SBOM to list the file",
    group: 'Verification',
  },
  {
    name: 'check-latest',
    value: 'boolean',
    default: 'false',
    help: 'Ask the release host even if a cached version matches',
    group: 'Source',
  },
];
