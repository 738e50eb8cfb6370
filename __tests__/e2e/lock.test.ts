import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import Ajv from 'ajv';
import {
  Cosign,
  NATIVE_PLATFORM,
  World,
  fault,
  filesBelow,
  findCosign,
  lockOf,
  lockText,
  provenance,
  releaseFilePath,
  runAction,
  runCommand,
  startCommand,
  type ActionResult,
  type CommandResult,
  type LockJson,
} from '../support/index.js';
import { MISSING, testUnless } from '../support/skip.js';
import { textOf } from '../unit/repository.js';
import {
  STRANGER,
  expectArtifacts,
  expectInstalled,
  expectRefused,
  requestedPaths,
  runIn,
  serveAs,
} from './expectations.js';

const VERSION = 'v1.31.9';
const OLDER = 'v1.31.8';
const LINUX = 'linux/amd64';
const MAC = 'darwin/arm64';
const FILE = 'kubernetes.lock.json';
const SBOM = 'kubernetes-release.spdx';
const PROVENANCE = 'provenance.json';
const SOURCE = 'kubernetes-src.tar.gz';
const SERVER = 'kubernetes-server-linux-amd64.tar.gz';
const CLIENTS = ['kubernetes-client-darwin-arm64.tar.gz', 'kubernetes-client-linux-amd64.tar.gz'];
const TARBALLS = [...CLIENTS, SERVER, SOURCE];

const isValid = new Ajv().compile(JSON.parse(textOf('schema/lock.schema.json')) as object);

const cosign = findCosign();

let world: World;
let folder: string;
const finished: { cleanup(): void }[] = [];

beforeAll(async () => {
  world = await World.start();
});

beforeEach(() => {
  world.reset();
  for (const version of [OLDER, VERSION]) {
    const platforms = [...new Set([LINUX, MAC, NATIVE_PLATFORM])];
    world.release.publish({ version, platforms, artifacts: TARBALLS });
    world.release.publish({ version, tools: ['kubeadm'], platforms: [LINUX] });
  }
  folder = mkdtempSync(join(tmpdir(), 'lock-'));
});

afterEach(() => {
  for (const run of finished.splice(0)) run.cleanup();
  rmSync(folder, { recursive: true });
});

afterAll(() => world.stop());

const options = (): string[] =>
  Object.entries(world.inputs()).flatMap(([name, value]) => [`--${name}`, value]);

async function lock(...args: string[]): Promise<CommandResult> {
  const result = await runCommand(['lock', ...options(), ...args], { folder });
  finished.push(result);
  expect(filesBelow(result.temp)).toEqual([]);
  return result;
}

const written = (): string => readFileSync(join(folder, FILE), 'utf8');
const locked = (): LockJson => JSON.parse(written()) as LockJson;

describe('lock', () => {
  test('writes what a run installs from', async () => {
    const result = await lock('--version', '1.31', '--platforms', NATIVE_PLATFORM);
    expect(result).toMatchObject({ exitCode: 0 });
    const [binary = ''] = Object.keys(locked().files);
    expect(result.stdout).toBe(
      [
        `+version: ${VERSION}`,
        `+${binary}: ${locked().files[binary]?.sha256 ?? ''}`,
        `+${SBOM}: ${locked().files[SBOM]?.sha256 ?? ''}`,
        '',
      ].join('\n'),
    );
    expect(result.stderr).toContain(`Verified ${binary}: `);
    expect(result.stderr).toContain(`"${FILE}" was written: ${VERSION}, 2 files\n`);
    isValid(locked());
    expect(isValid.errors).toBeNull();
    expect(readdirSync(folder)).toEqual([FILE]);
    world.reset();
    const run = await runIn(
      world,
      {
        'lock-file': FILE,
        'tuf-root': '',
        'tuf-mirror-url': '',
        'trusted-root': world.writeTrustedRoot(),
      },
      { workspace: folder },
    );
    expectInstalled(run, { version: VERSION });
    expect(requestedPaths(world)).toHaveLength(2);
  });

  test('tools × platforms, without the pairs that Kubernetes does not publish', async () => {
    const result = await lock('--tools', 'kubectl,kubeadm', '--platforms', `${LINUX},${MAC}`);
    expect(result.exitCode).toBe(0);
    expect(result.stderr).toContain('Skipping kubeadm for darwin/arm64');
    expect(locked().version).toBe(VERSION);
    expect(Object.keys(locked().files)).toEqual([
      `bin/${MAC}/kubectl`,
      `bin/${LINUX}/kubeadm`,
      `bin/${LINUX}/kubectl`,
      SBOM,
    ]);
  });

  test('leaves an unchanged lock as it is, byte for byte, although the log has grown', async () => {
    await lock('--platforms', `${LINUX},${MAC}`);
    const before = { text: written(), time: statSync(join(folder, FILE)).mtimeMs };
    world.release.signAndLog(Buffer.from('something else'));
    const result = await lock('--platforms', `${LINUX},${MAC}`);
    expect(result).toMatchObject({ exitCode: 0, stdout: '' });
    expect(result.stderr).toContain('is up to date');
    expect({ text: written(), time: statSync(join(folder, FILE)).mtimeMs }).toEqual(before);
    // Another file is added; the others stay.
    await lock('--platforms', `${LINUX},${MAC}`, '--tools', 'kubectl,kubeadm');
    const removed = before.text.split('\n').filter((line) => !written().split('\n').includes(line));
    expect(removed).toEqual([]);
  });

  test('takes new evidence where the file was signed again', async () => {
    await lock('--platforms', LINUX);
    const before = locked();
    world.release.artifact(VERSION, LINUX, 'kubectl').sign();
    const result = await lock('--platforms', LINUX);
    expect(result.stdout).toBe(` bin/${LINUX}/kubectl: another bundle for the same bytes\n`);
    expect(locked().files[SBOM]).toEqual(before.files[SBOM]);
    expect(locked().files[`bin/${LINUX}/kubectl`]).not.toEqual(
      before.files[`bin/${LINUX}/kubectl`],
    );
  });

  test('writes a lock again that cannot be read', async () => {
    writeFileSync(join(folder, FILE), '<<<<<<< HEAD\n');
    const result = await lock('--platforms', LINUX);
    expect(result.exitCode).toBe(0);
    expect(result.stderr).toContain('warning: Lock file not readable');
    expect(locked().version).toBe(VERSION);
  });

  test('finds version and platform by itself', async () => {
    writeFileSync(join(folder, '.kubectl-version'), '1.31.8\n');
    await lock('--version-file', '.kubectl-version', '--lock-file', 'deep.json');
    const text = readFileSync(join(folder, 'deep.json'), 'utf8');
    const { version, files } = JSON.parse(text) as LockJson;
    expect([version, Object.keys(files)[0]]).toEqual([
      OLDER,
      expect.stringContaining(`bin/${NATIVE_PLATFORM}/kubectl`),
    ]);
  });
});

describe('lock --artifacts', () => {
  const lockArtifacts = (artifacts: string, ...more: string[]): Promise<CommandResult> =>
    lock('--tools', 'none', '--artifacts', artifacts, '--version', VERSION, ...more);

  test('writes what a run verifies tarballs with', async () => {
    expect(await lockArtifacts(SOURCE)).toMatchObject({ exitCode: 0 });
    expect(Object.keys(locked().files)).toEqual([SBOM, SOURCE]);
    isValid(locked());
    expect(isValid.errors).toBeNull();
    world.reset();
    const inputs = {
      'lock-file': FILE,
      tools: 'none',
      artifacts: SOURCE,
      'tuf-root': '',
      'tuf-mirror-url': '',
      'trusted-root': world.writeTrustedRoot(),
    };
    const run = await runIn(world, inputs, { workspace: folder });
    expectArtifacts(run, { version: VERSION, artifacts: { [SOURCE]: SOURCE } });
    expect(requestedPaths(world)).toHaveLength(2);
  });

  test('tarballs × platforms, beside tools', async () => {
    const result = await lock(
      ...['--artifacts', `client,server,${SERVER}`, '--platforms', `${LINUX},${MAC}`],
    );
    expect(result.exitCode).toBe(0);
    expect(result.stderr).toContain('Skipping server for darwin/arm64: Kubernetes does not');
    expect(Object.keys(locked().files)).toEqual([
      `bin/${MAC}/kubectl`,
      `bin/${LINUX}/kubectl`,
      ...CLIENTS,
      SBOM,
      SERVER,
    ]);
    const again = await lock(
      ...['--artifacts', `client,server`, '--platforms', `${LINUX},${MAC}`, '--check'],
    );
    expect(again).toMatchObject({ exitCode: 0, stdout: '' });
  });

  test('one that none of the platforms has is refused', async () => {
    const result = await lockArtifacts('server', '--platforms', MAC);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(/^error\[PLATFORM_NOT_PUBLISHED\]: .*server tarball/m);
    expect(requestedPaths(world)).toEqual([]);
  });

  test.each<[string, string, () => void]>([
    ['signed by somebody else', 'IDENTITY_MISMATCH', () => void source().sign(STRANGER)],
    [
      'of another version',
      'RELEASE_MISMATCH',
      () => serveAs(world, source(OLDER), releaseFilePath(VERSION, SOURCE)),
    ],
    [
      'not in the SBOM',
      'RELEASE_MISMATCH',
      () => void world.release.putSbom(VERSION, { omit: [SOURCE] }),
    ],
    ['without an SBOM', 'RELEASE_MISMATCH', () => world.host.remove(`release/${VERSION}/${SBOM}`)],
    ['missing', 'DOWNLOAD_FAILED', () => world.host.remove(releaseFilePath(VERSION, SOURCE))],
  ])('%s: %s, and nothing is written', async (_what, code, change) => {
    change();
    const result = await lockArtifacts(SOURCE);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(new RegExp(`^error\\[${code}\\]: `, 'm'));
    expect(readdirSync(folder)).toEqual([]);
  });

  const source = (version = VERSION): ReturnType<World['release']['file']> =>
    world.release.file(version, SOURCE);

  describe('what no SBOM lists', () => {
    function putProvenance(): void {
      const files = [{ name: SOURCE, bytes: source().bytes }];
      world.release.putFile(releaseFilePath(VERSION, PROVENANCE), provenance(VERSION, files));
    }

    test('is locked with the SBOM', async () => {
      putProvenance();
      expect(await lockArtifacts(PROVENANCE)).toMatchObject({ exitCode: 0 });
      expect(Object.keys(locked().files)).toEqual([SBOM, PROVENANCE]);
    });

    test.each<[string, string, () => void]>([
      ['no SBOM', 'has no SBOM at', () => world.host.remove(`release/${VERSION}/${SBOM}`)],
      [
        'the SBOM of another release',
        `/${OLDER}/release`,
        () => serveAs(world, world.release.sbom(OLDER), `release/${VERSION}/${SBOM}`),
      ],
    ])('and not with %s', async (_what, says, change) => {
      putProvenance();
      change();
      const result = await lockArtifacts(PROVENANCE);
      expect(result.exitCode).toBe(1);
      expect(result.stderr).toMatch(/^error\[RELEASE_MISMATCH\]: /m);
      expect(result.stderr).toContain(says);
      expect(readdirSync(folder)).toEqual([]);
    });

    test('the SBOM itself is locked once', async () => {
      expect(await lockArtifacts(SBOM)).toMatchObject({ exitCode: 0 });
      expect(Object.keys(locked().files)).toEqual([SBOM]);
    });

    test('two SBOMs in one run are refused', async () => {
      const { bytes } = world.release.putSbom(VERSION, { appended: '\n# another run\n' });
      world.release.putSbom(VERSION);
      world.host.server.fail(`/release/${VERSION}/${SBOM}`, fault.body(bytes));
      const result = await lockArtifacts(SBOM);
      expect(result.stderr).toMatch(/^error\[RELEASE_MISMATCH\]: .* changed during this run: /m);
      expect(readdirSync(folder)).toEqual([]);
      expect(await lockArtifacts(SBOM)).toMatchObject({ exitCode: 0 });
    });

    test('a checksum for the SBOM is checked', async () => {
      const { sha256 } = world.release.sbom(VERSION);
      expect(await lockArtifacts(SBOM, '--checksum', sha256)).toMatchObject({ exitCode: 0 });
      const result = await lockArtifacts(SBOM, '--checksum', 'ab'.repeat(32));
      expect(result.stderr).toMatch(/^error\[CHECKSUM_MISMATCH\]: /m);
    });
  });

  test('a checksum for "client" is refused where that means several files', async () => {
    const sums = CLIENTS.map((name) => `${name}=${world.release.file(VERSION, name).sha256}`);
    const platforms = ['--platforms', `${LINUX},${MAC}`];
    const good = await lockArtifacts('client', ...platforms, '--checksum', sums.join());
    expect(good.exitCode).toBe(0);
    const sum = `client=${world.release.file(VERSION, CLIENTS[0] ?? '').sha256}`;
    expect(await lockArtifacts('client', ...platforms, '--checksum', sum)).toMatchObject({
      exitCode: 2,
    });
    expect(await lockArtifacts('client', '--platforms', MAC, '--checksum', sum)).toMatchObject({
      exitCode: 0,
    });
  });
});

describe('lock --checksum', () => {
  const lockKubectl = (checksum: string, platforms = [LINUX, MAC]): Promise<CommandResult> =>
    lock('--version', VERSION, '--platforms', platforms.join(), '--checksum', checksum);
  const sha256 = (platform: string): string =>
    world.release.artifact(VERSION, platform, 'kubectl').sha256;

  test.each([
    ['a tool', () => `kubectl=${sha256(LINUX)}`],
    ['nothing', () => sha256(LINUX)],
    ['another platform', () => `bin/linux/arm64/kubectl=${sha256(LINUX)}`],
  ])('that names %s is refused for several platforms, before any request', async (_, checksum) => {
    const result = await lockKubectl(checksum());
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain(`for each of bin/${LINUX}/kubectl, bin/${MAC}/kubectl`);
    expect(requestedPaths(world)).toEqual([]);
  });

  test('that names each file by its path is checked for each', async () => {
    const right = `bin/${LINUX}/kubectl=${sha256(LINUX)}\nbin/${MAC}/kubectl=${sha256(MAC)}`;
    expect(await lockKubectl(right)).toMatchObject({ exitCode: 0 });
    rmSync(join(folder, FILE));
    const wrong = `bin/${LINUX}/kubectl=${sha256(MAC)}`;
    const result = await lockKubectl(wrong);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain(
      `error[CHECKSUM_MISMATCH]: bin/${LINUX}/kubectl: expected SHA-256 ${sha256(MAC)}`,
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  test('that names the tool is taken for one platform', async () => {
    expect(await lockKubectl(`kubectl=${sha256(MAC)}`, [MAC])).toMatchObject({ exitCode: 0 });
    expect(await lockKubectl(`kubectl=${sha256(MAC)}`, [LINUX])).toMatchObject({ exitCode: 1 });
  });
});

describe('lock --check', () => {
  test('succeeds for a lock that is up to date, and writes nothing', async () => {
    await lock('--version', '1.31', '--platforms', LINUX);
    const before = written();
    const result = await lock('--version', '1.31', '--platforms', LINUX, '--check');
    expect(result).toMatchObject({ exitCode: 0, stdout: '' });
    expect(written()).toBe(before);
  });

  test('fails with a diff, and writes nothing', async () => {
    await lock('--version', OLDER, '--platforms', LINUX);
    const before = written();
    const result = await lock('--version', '1.31', '--platforms', LINUX, '--check');
    expect(result.exitCode).toBe(3);
    expect(result.stdout).toMatch(
      /^-version: v1\.31\.8\n\+version: v1\.31\.9\n-bin\/linux\/amd64\/kubectl: [0-9a-f]{64}\n\+bin/,
    );
    expect(result.stderr).toContain(`"${FILE}" is out of date.`);
    expect(written()).toBe(before);
  });

  test('fails where there is no lock yet', async () => {
    expect(await lock('--platforms', LINUX, '--check')).toMatchObject({ exitCode: 3 });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('refuses a lock that cannot be read', async () => {
    writeFileSync(join(folder, FILE), '{}');
    const result = await lock('--platforms', LINUX, '--check');
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(/^error\[LOCK_INVALID\]: /m);
  });

  test('finds evidence that no longer proves anything', async () => {
    await lock('--platforms', LINUX);
    const good = locked();
    world.release.artifact(VERSION, LINUX, 'kubectl').sign(STRANGER);
    const forged = lockOf(world, VERSION, { platforms: [LINUX] });
    forged.files[SBOM] = good.files[SBOM] ?? forged.files[SBOM] ?? never();
    writeFileSync(join(folder, FILE), lockText(forged));
    world.release.publish({ version: VERSION, platforms: [LINUX] });
    expect(await lock('--platforms', LINUX, '--check')).toMatchObject({ exitCode: 3 });
  });
});

const never = (): never => {
  throw new Error('not locked');
};

describe('nothing is written unless everything was proven', () => {
  test.each<[string, string, () => void]>([
    [
      'one of two files is signed by somebody else',
      'IDENTITY_MISMATCH',
      () => void world.release.artifact(VERSION, MAC, 'kubectl').sign(STRANGER),
    ],
    [
      'one of two files is not in the SBOM',
      'RELEASE_MISMATCH',
      () => void world.release.putSbom(VERSION, { omit: [`bin/${MAC}/kubectl`] }),
    ],
    ['there is no SBOM', 'RELEASE_MISMATCH', () => world.host.remove(`release/${VERSION}/${SBOM}`)],
    [
      'one of two files is missing',
      'PLATFORM_NOT_PUBLISHED',
      () => world.host.remove(`release/${VERSION}/bin/${MAC}/kubectl`),
    ],
  ])('%s: %s', async (_what, code, change) => {
    writeFileSync(join(folder, FILE), lockText(lockOf(world, OLDER, { platforms: [LINUX] })));
    const before = written();
    change();
    const result = await lock('--version', VERSION, '--platforms', `${LINUX},${MAC}`);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(new RegExp(`^error\\[${code}\\]: `, 'm'));
    expect(result.stderr).toMatch(/^hint: [A-Z].*\.$/m);
    expect(result.stdout).toBe('');
    expect(written()).toBe(before);
    expect(readdirSync(folder)).toEqual([FILE]);
  });

  testUnless(MISSING.signals)('Ctrl-C leaves nothing behind', async () => {
    world.host.server.fail(/\/kubectl$/, fault.stall(), Infinity);
    const { child, finished: ending } = startCommand(
      ['lock', ...options(), '--version', VERSION, '--platforms', LINUX],
      { folder },
    );
    while (world.host.server.requestsFor(/\/kubectl$/).length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    child.kill('SIGINT');
    const result = await ending;
    finished.push(result);
    expect(result.exitCode).toBe(130);
    expect(readdirSync(folder)).toEqual([]);
    expect(filesBelow(result.temp)).toEqual([]);
  });
});

describe('where a lock is written', () => {
  test.each([['../outside.json'], [join(tmpdir(), 'outside.json')]])('not to %s', async (file) => {
    const result = await lock('--platforms', LINUX, '--lock-file', file);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain('is outside the workspace');
    expect(requestedPaths(world)).toEqual([]);
  });

  test('not to a folder that does not exist', async () => {
    const result = await lock('--platforms', LINUX, '--lock-file', 'missing/lock.json');
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(/^error\[INSTALL_FAILED\]: cannot write the lock file/m);
    expect(requestedPaths(world)).toEqual([]);
  });

  test.each([[[]], [['--check']]])('not in the place of a folder, with %j', async (more) => {
    mkdirSync(join(folder, FILE));
    const result = await lock('--platforms', LINUX, ...more);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain(`Input "lock-file": "${FILE}" is a folder.`);
    expect(requestedPaths(world)).toEqual([]);
    expect(readdirSync(join(folder, FILE))).toEqual([]);
  });

  testUnless(MISSING.symbolicLinks)('not through a link to a folder elsewhere', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'elsewhere-'));
    symlinkSync(elsewhere, join(folder, 'link'));
    const result = await lock('--platforms', LINUX, '--lock-file', 'link/lock.json');
    expect(result.exitCode).toBe(2);
    expect(readdirSync(elsewhere)).toEqual([]);
    rmSync(elsewhere, { recursive: true });
  });

  testUnless(MISSING.symbolicLinks)('a link is replaced, and not followed', async () => {
    symlinkSync('nowhere.json', join(folder, FILE));
    expect(await lock('--platforms', LINUX)).toMatchObject({ exitCode: 0 });
    expect(readdirSync(folder)).toEqual([FILE]);
    expect(locked().version).toBe(VERSION);
  });
});

describe('the command line', () => {
  const run = async (...args: string[]): Promise<CommandResult> => {
    const result = await runCommand(args, { folder });
    finished.push(result);
    return result;
  };

  test.each([[[]], [['--help']], [['help']]])('%j: the help', async (args) => {
    const { exitCode, stdout, stderr } = await run(...args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('Usage: setup-verified-kubectl <command> [options]');
    expect(stdout).toContain('--check found a difference');
  });

  test('lock --help has examples and exit codes', async () => {
    const { exitCode, stdout } = await run('lock', '--help');
    expect(exitCode).toBe(0);
    for (const words of ['Examples:', 'Exit codes:', '--platforms <list>', 'Trust options:']) {
      expect(stdout).toContain(words);
    }
  });

  test.each([
    [['unlock']],
    [['lock', '--versoin', '1.31']],
    [['lock', 'argument']],
    [['lock', '--version']],
    [['lock', '--version', 'abc']],
    [['lock', '--tools', 'kubectx']],
    [['lock', '--platforms', 'linux']],
    [['lock', '--platforms', 'plan9/amd64']],
    [['lock', '--platforms', 'linux/amd64/v2']],
    [['lock', '--platforms', LINUX, '--architecture', 'arm64']],
    [['lock', '--bind-release', 'false']],
    [['lock', '--tools', 'none']],
    [['lock', '--artifacts', '../kubernetes-src.tar.gz']],
    [['lock', '--images', 'control-plain']],
    [['lock', '--images', 'control-plane', '--image-certificate-identity', '']],
    [['lock', '--tools', 'none', '--platforms', LINUX]],
    [['lock', '--certificate-identity', '']],
  ])('%j: exit code 2', async (args) => {
    const { exitCode, stdout, stderr } = await run(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/^error/m);
  });

  test('a mistyped option is corrected', async () => {
    const { stderr } = await run('lock', '--platform', LINUX);
    expect(stderr).toContain('Did you mean --platforms?');
  });

  test('inputs of a workflow have no effect', async () => {
    const env = { INPUT_VERSION: 'abc', GITHUB_WORKSPACE: '/nowhere' };
    const result = await runCommand(['lock', ...options(), '--platforms', LINUX], { folder, env });
    finished.push(result);
    expect(result.exitCode).toBe(0);
    expect(existsSync(join(folder, FILE))).toBe(true);
  });
});

testUnless('absent' in cosign ? cosign.absent : undefined)(
  'cosign accepts a bundle that was taken out of the lock, as docs/lock-file.md tells',
  async () => {
    await lock('--platforms', LINUX);
    const kubectl = world.release.artifact(VERSION, LINUX, 'kubectl');
    writeFileSync(join(folder, 'kubectl'), kubectl.bytes);
    const bundle = join(folder, 'kubectl.sigstore.json');
    writeFileSync(bundle, JSON.stringify(locked().files[`bin/${LINUX}/kubectl`]?.bundle));
    const executable = 'executable' in cosign ? cosign.executable : '';
    const judge = new Cosign(executable, world, folder);
    expect(await judge.verifyBundle(join(folder, 'kubectl'), bundle)).toMatchObject({
      accepted: true,
    });
    writeFileSync(join(folder, 'kubectl'), 'another file');
    expect(await judge.verifyBundle(join(folder, 'kubectl'), bundle)).toMatchObject({
      accepted: false,
    });
  },
);

describe('the action in lock/', () => {
  const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

  async function runLock(inputs: Readonly<Record<string, string>>): Promise<ActionResult> {
    const run = await runAction({
      actionRoot: join(REPOSITORY, 'lock'),
      inputs: { ...world.inputs(), ...inputs },
      workspace: folder,
    });
    finished.push(run);
    return run;
  }

  test('writes, leaves alone, and checks', async () => {
    const first = await runLock({ version: OLDER, platforms: `${LINUX},${MAC}` });
    expect(first.annotations).toEqual([]);
    expect(first.outputs).toEqual({ version: OLDER, changed: 'true' });
    expect(first.exitCode).toBe(0);
    expect(first.summary).toContain('was written');
    expect(Object.keys(locked().files)).toHaveLength(3);
    const second = await runLock({ version: OLDER, platforms: `${LINUX},${MAC}` });
    expect(second.outputs).toEqual({ version: OLDER, changed: 'false' });
    const third = await runLock({ version: '1.31', platforms: LINUX, check: 'true' });
    expect(third.exitCode).toBe(1);
    expect(third.outputs).toEqual({ version: VERSION, changed: 'true' });
    expect(third.stdout).toContain('-version: v1.31.8\n+version: v1.31.9\n');
    expect(third.annotations.map(({ title }) => title)).toEqual([
      'setup-verified-kubectl: lock file out of date',
    ]);
    expect(locked().version).toBe(OLDER);
  });

  test('fails with an annotation', async () => {
    world.release.artifact(VERSION, LINUX, 'kubectl').sign(STRANGER);
    const run = await runLock({ version: VERSION, platforms: LINUX, 'download-token': 'secret-x' });
    expect(run.annotations.map(({ title }) => title)).toEqual([
      'setup-verified-kubectl: IDENTITY_MISMATCH',
    ]);
    expect(run.summary).toContain('The lock file was not written');
    expect(run.stdout.replace('::add-mask::secret-x', '')).not.toContain('secret-x');
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('a step of a workflow', () => {
  const SIGNATURES = '@noble/curves';

  /** A copy of the action with index.js, and these of the other scripts. */
  function actionWith(isKept: (code: string) => boolean): string {
    const copy = join(folder, 'action');
    mkdirSync(copy);
    const repository = fileURLToPath(new URL('../..', import.meta.url));
    for (const name of ['action.yml', 'dist']) {
      cpSync(join(repository, name), join(copy, name), { recursive: true });
    }
    const scripts = readdirSync(join(copy, 'dist')).filter((name) => name.endsWith('.js'));
    for (const script of scripts.filter((name) => name !== 'index.js')) {
      const path = join(copy, 'dist', script);
      if (!isKept(readFileSync(path, 'utf8'))) rmSync(path);
    }
    return copy;
  }

  test('loads nothing that only commands need', async () => {
    const actionRoot = actionWith((code) => code.includes(SIGNATURES));
    expect(
      readdirSync(join(actionRoot, 'dist')).filter((name) => name.endsWith('.js')),
    ).toHaveLength(2);
    expectInstalled(await runIn(world, { version: VERSION }, { actionRoot }), { version: VERSION });
  });

  test('installs nothing without the library that verifies signatures', async () => {
    const actionRoot = actionWith((code) => !code.includes(SIGNATURES));
    expectRefused(await runIn(world, { version: VERSION }, { actionRoot }), 'UNEXPECTED');
  });
});
