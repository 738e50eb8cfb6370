import { invalidLine, type PinnedVersion } from './pinned-version.js';

/** Modules published from the Kubernetes repository: their v0.N.P belongs to Kubernetes v1.N.P. */
export const STAGING_MODULES = [
  'k8s.io/client-go',
  'k8s.io/api',
  'k8s.io/apimachinery',
  'k8s.io/kubectl',
  'k8s.io/cli-runtime',
  'k8s.io/apiextensions-apiserver',
  'k8s.io/apiserver',
  'k8s.io/component-base',
  'k8s.io/controller-manager',
  'k8s.io/kubelet',
  'k8s.io/metrics',
  'k8s.io/code-generator',
  'k8s.io/kubernetes',
];

/**
 * Reads `require` and `replace` statements, single or in a block (Go modules reference, §go.mod
 * files).
 *
 * @throws {SetupError} INVALID_INPUT for a version that belongs to no Kubernetes release
 */
export function parseGoMod(lines: readonly string[], shown: string): PinnedVersion | undefined {
  const statements = goModStatements(lines);
  const required = statements
    .filter(({ verb }) => verb === 'require')
    .map(({ words: [module = '', version = ''], line }) => ({ module, version, line }));
  for (const name of STAGING_MODULES) {
    const requirement = required.find(({ module }) => module === name);
    if (requirement !== undefined) {
      return kubernetesVersion(name, replaced(requirement, statements), shown);
    }
  }
  return undefined;
}

interface Statement {
  readonly verb: string;
  readonly words: readonly string[];
  readonly line: number;
}

interface Requirement {
  readonly module: string;
  readonly version: string;
  readonly line: number;
}

function goModStatements(lines: readonly string[]): Statement[] {
  const statements: Statement[] = [];
  let block: string | undefined;
  lines.forEach((text, index) => {
    const words = text
      .replace(/\/\/.*/, '')
      .trim()
      .split(/\s+/);
    const [first = ''] = words;
    if (block === undefined && words[1] === '(') {
      block = first;
    } else if (first === ')') {
      block = undefined;
    } else if (first !== '') {
      const isAlone = block === undefined;
      const verb = block ?? first;
      statements.push({ verb, words: isAlone ? words.slice(1) : words, line: index + 1 });
    }
  });
  return statements;
}

/** `replace old [version] => new [version]`; a path has no version. */
function replaced(requirement: Requirement, statements: readonly Statement[]): Requirement {
  for (const { verb, words, line } of statements) {
    const arrow = words.indexOf('=>');
    const [module, version] = words.slice(0, arrow);
    const isMeant =
      verb === 'replace' &&
      arrow > 0 &&
      module === requirement.module &&
      (version === undefined || version === requirement.version);
    if (isMeant) {
      const [target = '', targetVersion = ''] = words.slice(arrow + 1);
      return { module: target, version: targetVersion, line };
    }
  }
  return requirement;
}

/** @param name of the required module; its replacement may have any other */
function kubernetesVersion(
  name: string,
  { version, line }: Requirement,
  shown: string,
): PinnedVersion {
  const [, major, rest] = /^v([01])\.(\d+\.\d+(?:-(?:alpha|beta|rc)\.\d+)?)$/.exec(version) ?? [];
  const isRelease = rest !== undefined && (major === '1' || !rest.startsWith('0.'));
  if (!isRelease) {
    throw invalidLine(
      shown,
      line,
      `requires ${name} at a version that matches no Kubernetes release`,
    );
  }
  return { version: `1.${rest}`, line };
}
