import { createHash } from 'node:crypto';
import { elfExecutable, type ElfMachine, type Row, type SystemCall } from './elf.js';
import { NATIVE_PLATFORM } from './native-platform.js';

export interface ExecutableOptions {
  /** `kubectl`, `kubelet`, `kube-apiserver`, ... */
  readonly tool: string;
  /** With `v` in front. */
  readonly version: string;
  /** `linux/amd64` */
  readonly platform: string;
  /** At least so many bytes; 48 KiB unless given, so that it arrives in several chunks. */
  readonly size?: number;
  /** The platform that the binary says it is for; the one it is for unless given. */
  readonly reportedPlatform?: string;
  /** What `--help` prints, instead of the tool's own text. */
  readonly help?: string;
  /** System calls before each answer; Linux alone. */
  readonly before?: readonly SystemCall[];
}

/** Whether this machine can run what {@link executable} makes for it. */
export const CAN_EXECUTE = elfMachine(NATIVE_PLATFORM) !== undefined;

/**
 * A small binary that answers like the release's own when asked for its version or for help: a real ELF executable for
 * linux/amd64 and linux/arm64, and for every other platform a file that nothing can start. The same options give the
 * same bytes, and different options different ones.
 */
export function executable({
  tool,
  version,
  platform,
  size = 48 * 1024,
  reportedPlatform = platform,
  help = helpText(tool),
  before = [],
}: ExecutableOptions): Buffer {
  const title = `# ${tool} ${version} ${platform}: made by the test world\n`;
  const trailer = Buffer.from(title + padding(`${tool} ${version} ${platform}`, size));
  const machine = elfMachine(platform);
  if (machine === undefined) return trailer;
  const answers = answersOf(tool, version, reportedPlatform, help).flatMap(([questions, text]) =>
    questions.map((question) => ({
      args: question.split(' ').filter(Boolean),
      calls: [...before, { call: 'write', text: `${text}\n` }, { call: 'exit', status: 0 }],
    })),
  ) as readonly Row[];
  return elfExecutable(machine, [...answers, { calls: [{ call: 'exit', status: 1 }] }], trailer);
}

function elfMachine(platform: string): ElfMachine | undefined {
  switch (platform) {
    case 'linux/amd64':
      return 'amd64';
    case 'linux/arm64':
      return 'arm64';
    default:
      return undefined;
  }
}

/** The command lines, and what comes out. */
function answersOf(
  tool: string,
  version: string,
  platform: string,
  helpAnswer: string,
): [questions: string[], answer: string][] {
  const info = versionInfo(version, platform);
  const help: [string[], string] = [['--help', '-h', 'help', ''], helpAnswer];
  const asJson = (value: object): string => JSON.stringify(value, null, 2);
  switch (tool) {
    case 'kubectl': {
      const client = { clientVersion: info, kustomizeVersion: KUSTOMIZE };
      return [
        [
          [
            'version --client -o json',
            'version --client --output=json',
            'version --client=true -o json',
          ],
          asJson(client),
        ],
        [
          ['version --client', 'version --client=true'],
          `Client Version: ${version}\nKustomize Version: ${KUSTOMIZE}`,
        ],
        help,
      ];
    }
    case 'kubeadm':
      return [
        [['version -o json', 'version --output=json'], asJson({ clientVersion: info })],
        [['version -o short', 'version --output=short'], version],
        [['version'], `kubeadm version: &${goSyntax(info)}`],
        [[`config images list --kubernetes-version ${version}`], imageList(version)],
        help,
      ];
    case 'kubectl-convert':
    case 'kube-log-runner':
    case 'mounter':
    case 'kube-aggregator':
    case 'apiextensions-apiserver':
      return [help];
    default:
      return [[['--version=raw'], goSyntax(info)], [['--version'], `Kubernetes ${version}`], help];
  }
}

const KUSTOMIZE = 'v5.4.2';

/** The images that kubeadm 1.31 pulls, in its order (kubernetes, cmd/kubeadm/app/images/images.go). */
const imageList = (version: string): string =>
  [
    `kube-apiserver:${version}`,
    `kube-controller-manager:${version}`,
    `kube-scheduler:${version}`,
    `kube-proxy:${version}`,
    'coredns/coredns:v1.11.3',
    'pause:3.10',
    'etcd:3.5.15-0',
  ]
    .map((name) => `registry.k8s.io/${name}`)
    .join('\n');

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
