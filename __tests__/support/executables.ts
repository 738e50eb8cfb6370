import { createHash } from 'node:crypto';

export interface ExecutableOptions {
  /** `kubectl`, `kubelet`, `kube-apiserver`, ... */
  readonly tool: string;
  /** With `v` in front. */
  readonly version: string;
  /** `linux/amd64` */
  readonly platform: string;
  /** At least so many bytes; 48 KiB unless given, so that it arrives in several chunks. */
  readonly size?: number;
}

/**
 * A small stand-in for a release's binary: a shell script that answers like the real one when asked for its version or
 * for help. The same options give the same bytes, and different options different ones.
 */
export function executable({
  tool,
  version,
  platform,
  size = 48 * 1024,
}: ExecutableOptions): Buffer {
  const script = [
    '#!/bin/sh',
    `# ${tool} ${version} ${platform}: a stand-in of the test world`,
    `case "$*" in`,
    // printf is built into the shell: the script runs where PATH is empty.
    ...answersOf(tool, version, platform).map(
      ([args, text]) => `${args}) printf '%s\\n' '${text.replaceAll("'", "'\\''")}';;`,
    ),
    `*) echo "${tool}: unknown arguments: $*" >&2; exit 1;;`,
    'esac',
    'exit 0',
    '',
  ].join('\n');
  return Buffer.from(script + padding(`${tool} ${version} ${platform}`, size - script.length));
}

/** Shell patterns of the arguments, and what comes out. */
function answersOf(tool: string, version: string, platform: string): [string, string][] {
  const info = versionInfo(version, platform);
  const help: [string, string] = [pattern('--help', '-h', 'help', ''), helpText(tool)];
  const asJson = (value: object): string => JSON.stringify(value, null, 2);
  switch (tool) {
    case 'kubectl': {
      const client = { clientVersion: info, kustomizeVersion: KUSTOMIZE };
      return [
        [
          pattern(
            'version --client -o json',
            'version --client --output=json',
            'version --client=true -o json',
          ),
          asJson(client),
        ],
        [
          pattern('version --client', 'version --client=true'),
          `Client Version: ${version}\nKustomize Version: ${KUSTOMIZE}`,
        ],
        help,
      ];
    }
    case 'kubeadm':
      return [
        [pattern('version -o json', 'version --output=json'), asJson({ clientVersion: info })],
        [pattern('version -o short', 'version --output=short'), version],
        [pattern('version'), `kubeadm version: &${goSyntax(info)}`],
        help,
      ];
    case 'kubectl-convert':
    case 'kube-log-runner':
    case 'mounter':
      return [help];
    default:
      return [
        [pattern('--version=raw'), goSyntax(info)],
        [pattern('--version'), `Kubernetes ${version}`],
        help,
      ];
  }
}

const KUSTOMIZE = 'v5.4.2';

const pattern = (...alternatives: readonly string[]): string =>
  alternatives.map((text) => `'${text}'`).join('|');

/** `k8s.io/apimachinery/pkg/version.Info`. */
type VersionInfo = Readonly<Record<string, string>>;

function versionInfo(version: string, platform: string): VersionInfo {
  const [, major = '', minor = ''] = /^v(\d+)\.(\d+)/.exec(version) ?? [];
  return {
    major,
    minor,
    gitVersion: version,
    gitCommit: createHash('sha1').update(version).digest('hex'),
    gitTreeState: 'clean',
    buildDate: '2025-05-15T09:51:00Z',
    goVersion: 'go1.23.8',
    compiler: 'gc',
    platform,
  };
}

/** What Go's %#v makes of it, as `--version=raw` does: `version.Info{Major:"1", Minor:"31", ...}`. */
function goSyntax(info: VersionInfo): string {
  const fields = Object.entries(info).map(
    ([name, value]) => `${name.charAt(0).toUpperCase()}${name.slice(1)}:${JSON.stringify(value)}`,
  );
  return `version.Info{${fields.join(', ')}}`;
}

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  kubectl:
    'kubectl controls the Kubernetes cluster manager.\n\nUsage:\n  kubectl [flags] [options]',
  'kubectl-convert':
    'Convert config files between different API versions. Both YAML and JSON formats are accepted.\n\nUsage:\n  convert -f FILENAME',
  kubeadm: 'kubeadm: easily bootstrap a secure Kubernetes cluster\n\nUsage:\n  kubeadm [command]',
  kubelet:
    'The kubelet is the primary "node agent" that runs on each node.\n\nUsage:\n  kubelet [flags]',
  'kube-apiserver':
    'The Kubernetes API server validates and configures data for the api objects.\n\nUsage:\n  kube-apiserver [flags]',
  'kube-controller-manager':
    'The Kubernetes controller manager is a daemon that embeds the core control loops.\n\nUsage:\n  kube-controller-manager [flags]',
  'kube-scheduler':
    'The Kubernetes scheduler is a control plane process which assigns Pods to Nodes.\n\nUsage:\n  kube-scheduler [flags]',
  'kube-proxy': 'The Kubernetes network proxy runs on each node.\n\nUsage:\n  kube-proxy [flags]',
};

const helpText = (tool: string): string =>
  DESCRIPTIONS[tool] ?? `Usage of ${tool}:\n  -v, --v Level   number for the log level verbosity`;

/** Comment lines that no other executable has; incompressible, like a binary. */
function padding(seed: string, bytes: number): string {
  const rows: string[] = [];
  let row = createHash('sha256').update(seed).digest();
  for (let length = 0; length < bytes; length += 91) {
    row = createHash('sha512').update(row).digest();
    rows.push(`# ${row.toString('base64')}\n`);
  }
  return rows.join('');
}
