import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { World, fault } from '../support/index.js';
import {
  IMPATIENT,
  NATIVE,
  expectRefused,
  expectInstalled,
  fileNameOf,
  reportsOf,
  requestedPaths,
  runIn,
  textOf,
} from './expectations.js';

const IDENTITY = 'krel-staging@k8s-releng-prod.iam.gserviceaccount.com';
const ISSUER = 'https://accounts.google.com';
const KUBECTL = `/${fileNameOf('kubectl')}`;

let world: World;

beforeAll(async () => {
  world = await World.start({ publish: [{ version: 'v1.31.9', platforms: [NATIVE] }] });
});

afterAll(async () => {
  await world.stop();
});

beforeEach(() => {
  world.reset();
});

describe('a run that succeeds', () => {
  test('sets every output', async () => {
    const run = await runIn(world);
    expectInstalled(run, { version: 'v1.31.9' });
    const { sha256, entry } = world.release.artifact('v1.31.9', NATIVE, 'kubectl');
    const path = run.outputs['kubectl-path'] ?? '';
    const answer = Object.values(world.log.answer(entry.uuid) ?? {})[0];
    const logged = {
      sha256,
      'certificate-identity': IDENTITY,
      'certificate-oidc-issuer': ISSUER,
      'log-index': String(answer?.logIndex),
      'log-entry-uuid': run.outputs['log-entry-uuid'],
      'integrated-time': new Date(Number(answer?.integratedTime) * 1000).toISOString(),
      'bundle-path': `${path}.sigstore.json`,
    };
    expect(run.outputs).toEqual({
      'kubectl-path': path,
      version: 'v1.31.9',
      'cache-hit': 'false',
      ...logged,
      report: run.outputs['report'],
    });
    expect(entry.uuid).toContain(run.outputs['log-entry-uuid']);
    expect(reportsOf(run)).toEqual([
      {
        ...logged,
        tool: 'kubectl',
        version: 'v1.31.9',
        platform: NATIVE,
        'cluster-version': null,
        'minor-version-skew': null,
        path,
        size: world.release.artifact('v1.31.9', NATIVE, 'kubectl').bytes.length,
        source: 'download',
        'cache-hit': false,
        'release-proof': 'proven by its signed SBOM',
        recovered: null,
        'durations-ms': {
          resolve: expect.any(Number),
          download: expect.any(Number),
          verify: expect.any(Number),
          install: expect.any(Number),
        },
      },
    ]);
  });

  test('from the cache: nothing was downloaded, and nothing else differs', async () => {
    const first = await runIn(world);
    const { toolCache } = first.dirs;
    const again = await runIn(world, { version: '1.31.9' }, { toolCache });
    expectInstalled(again, { version: 'v1.31.9' });
    const { outputs } = again;
    expect({ ...outputs, 'cache-hit': '', report: '' }).toEqual({
      ...first.outputs,
      'cache-hit': '',
      report: '',
    });
    expect(outputs['cache-hit']).toBe('true');
    expect(reportsOf(again)[0]).toMatchObject({
      source: 'cache',
      'durations-ms': { download: null },
    });
    expect(again.summary).toContain('tool cache, verified again');
    expect(again.summary).not.toContain('download ');
  });

  test('writes a log that reads like cosign', async () => {
    const { stdout, outputs } = await runIn(world);
    const uuid = outputs['log-entry-uuid'] ?? '';
    const index = outputs['log-index'] ?? '';
    expect(stdout).toContain(
      `tlog entry verified with uuid: ${uuid} index: ${index}\nVerified OK\n`,
    );
    expect(stdout).toContain(`::group::kubectl v1.31.9 (${NATIVE})`);
    expect(stdout).toContain('::endgroup::');
    expect(stdout).toMatch(/Took: resolving the version .* s, download .* s, verification .* s/);
  });

  test('writes a job summary with everything that was proven', async () => {
    const { summary, outputs } = await runIn(world);
    const text = textOf(summary);
    for (const shown of [
      'kubectl v1.31.9',
      NATIVE,
      outputs['sha256'],
      IDENTITY,
      ISSUER,
      outputs['log-index'],
      outputs['log-entry-uuid'],
      outputs['integrated-time'],
      'proven by its signed SBOM',
      'downloaded',
      'resolving the version',
      'verification',
    ]) {
      expect(text).toContain(shown);
    }
    // The link is to the public log's search, which knows nothing of another log.
    expect(summary).not.toContain('search.sigstore.dev');
  });

  test('without a file for the summary it succeeds all the same', async () => {
    const run = await runIn(world, {}, { env: { GITHUB_STEP_SUMMARY: undefined } });
    expectInstalled(run, { version: 'v1.31.9' });
    expect(run.stdout).toContain('Cannot write the job summary');
  });
});

describe('a run that fails', () => {
  test('writes an annotation and a summary: code, cause, next step', async () => {
    const run = await runIn(world, { version: '1.31.7' });
    const message = expectRefused(run, 'VERSION_NOT_FOUND', {
      says: ['Kubernetes v1.31.7 does not exist at'],
    });
    expect(message).toContain('See https://kubernetes.io/releases/');
    const text = textOf(run.summary);
    expect(text).toContain('VERSION_NOT_FOUND');
    expect(text).toContain('Kubernetes v1.31.7 does not exist at');
    expect(text).toContain('See https://kubernetes.io/releases/');
  });

  test('without a file for the summary it fails with the same code', async () => {
    const env = { GITHUB_STEP_SUMMARY: undefined };
    expectRefused(await runIn(world, { version: '1.31.7' }, { env }), 'VERSION_NOT_FOUND');
  });
});

describe('RUNNER_DEBUG', () => {
  const requestLines = (stdout: string): string[] =>
    stdout.split('\n').filter((line) => /^::debug::(GET|POST) .+: .+ after \d+ ms$/.test(line));

  test('1: each request with status and duration', async () => {
    const run = await runIn(world, {}, { env: { RUNNER_DEBUG: '1' } });
    expectInstalled(run, { version: 'v1.31.9' });
    const lines = requestLines(run.stdout);
    expect(lines).toHaveLength(requestedPaths(world).length);
    expect(lines.join('\n')).toContain(`GET ${world.host.url}/release/stable.txt: 200 after`);
    expect(lines.join('\n')).toContain(`${world.tufServer.url}/timestamp.json: 200 after`);
  });

  test('1: what went wrong, and where', async () => {
    world.host.server.fail('/stable.txt', fault.status(503), Infinity);
    const run = await runIn(world, {}, { env: { ...IMPATIENT, RUNNER_DEBUG: '1' } });
    expectRefused(run, 'DOWNLOAD_FAILED');
    expect(requestLines(run.stdout).join('\n')).toContain('/release/stable.txt: 503 after');
    expect(run.stdout).toContain('::debug::SetupError: ');
  });
});

describe('progress', () => {
  test('a slow download is told about every few seconds', async () => {
    world.host.server.fail(KUBECTL, fault.slow(6000));
    const run = await runIn(world);
    expectInstalled(run, { version: 'v1.31.9' });
    expect(run.stdout).toMatch(/^kubectl: 0\.0 MB downloaded \(\d+ %\)$/m);
  });

  test('a quick one is not', async () => {
    expect((await runIn(world)).stdout).not.toContain('downloaded (');
  });
});

describe('annotations', () => {
  test('a run without anything to say has none', async () => {
    expect((await runIn(world)).annotations).toEqual([]);
  });

  test('each has a title', async () => {
    const kubectl = world.release.artifact('v1.31.9', NATIVE, 'kubectl');
    const { signature, certificate } = kubectl;
    const other = world.release.putFile('release/other', Buffer.from('other'));
    kubectl.putMaterial({ signature, certificate: other.certificate });
    const run = await runIn(world, { version: '1.31.9', 'version-file': 'go.mod' });
    kubectl.putMaterial({ signature, certificate });
    expectInstalled(run, {
      version: 'v1.31.9',
      warnings: ['Broken publication'],
      notices: ['version-file ignored'],
    });
    expect(textOf(run.summary)).toContain('Broken publication');
  });
});

describe('hostile text from the network', () => {
  const HOSTILE = '\n::set-output name=version::v6.6.6\r::add-mask::x\u001b[2J##[error]y';

  test('in a pointer', async () => {
    world.host.server.fail('/stable.txt', fault.body(`v1.31.9${HOSTILE}`));
    const run = await runIn(world);
    expectRefused(run, 'VERSION_NOT_FOUND');
    expectHarmless(run.stdout, run.commands);
  });

  test.each(['/stable.txt', KUBECTL])('in a redirect of %s', async (path) => {
    const location = 'http://evil.example/%0A::set-output%20name=version::v6.6.6##[error]<img>';
    world.host.server.fail(path, fault.redirect(location), Infinity);
    const run = await runIn(world, {}, { env: { ...IMPATIENT, RUNNER_DEBUG: '1' } });
    expectRefused(run, 'DOWNLOAD_FAILED');
    expectHarmless(run.stdout, run.commands);
    expect(run.summary).not.toContain('<img>');
  });

  test.each([
    ['name', { subjectAlternativeName: { email: `<img src=x>@example.com${HOSTILE}` } }],
    ['issuer', { issuer: `<img src=x>${HOSTILE}` }],
  ])("in the %s of a signer's certificate", async (_, certificate) => {
    const version = 'issuer' in certificate ? 'v1.30.0' : 'v1.30.1';
    const published = { version, platforms: [NATIVE], pointers: false, signing: { certificate } };
    world.release.publish(published);
    const run = await runIn(world, { version }, { env: { RUNNER_DEBUG: '1' } });
    const message = expectRefused(run, 'IDENTITY_MISMATCH', { says: ['img src=x'] });
    expect(message).not.toContain('\u001b');
    expectHarmless(run.stdout, run.commands);
    expect(run.summary).not.toContain('<img');
  });

  function expectHarmless(stdout: string, commands: readonly { readonly name: string }[]): void {
    expect(new Set(commands.map(({ name }) => name))).not.toContain('set-output');
    expect(new Set(commands.map(({ name }) => name))).not.toContain('add-mask');
    expect(stdout).not.toContain('\u001b');
    expect(stdout).not.toContain('\r');
    expect(stdout).not.toContain('##[');
  }
});

describe('text of any length from the network', () => {
  /** The runner cuts annotations after so many code units, and with them what to do next. */
  const LONGEST_ANNOTATION = 4096;

  test.each([
    ['letters', 'x'],
    ['HTML', '<'],
    ['line feeds', '\n'],
    ['characters of four bytes', '\u{1f600}'],
    ['marks that reorder text', '\u202e'],
  ])('an issuer of 24 KB of %s is cut', async (_, unit) => {
    const issuer = unit.repeat(Math.ceil(24_000 / Buffer.byteLength(unit)));
    const certificate = { issuer };
    const published = { version: 'v1.29.0', platforms: [NATIVE], pointers: false };
    world.release.publish(published);
    // A bundle may be larger than a certificate file.
    const kubectl = world.release.artifact('v1.29.0', NATIVE, 'kubectl');
    kubectl.sign({ certificate });
    kubectl.putBundle(kubectl.bundle());
    kubectl.removeMaterial();
    const run = await runIn(world, { version: '1.29.0' }, { env: { RUNNER_DEBUG: '1' } });
    const message = expectRefused(run, 'IDENTITY_MISMATCH', { says: ['…'] });
    expect(message.length).toBeLessThan(LONGEST_ANNOTATION);
    expect(message).toContain('certificate-oidc-issuer');
    expect(Buffer.byteLength(run.stdout)).toBeLessThan(10 * LONGEST_ANNOTATION);
    expect(Buffer.byteLength(run.summary)).toBeLessThan(3 * LONGEST_ANNOTATION);
  });
});
