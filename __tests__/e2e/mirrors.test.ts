import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  LoopbackServer,
  ReleaseHost,
  World,
  fault,
  transparencyLogApi,
  type Handler,
} from '../support/index.js';
import {
  IMPATIENT,
  NATIVE,
  expectRefused,
  expectInstalled,
  fileNameOf,
  requestedPaths,
  runIn,
} from './expectations.js';

const TOKEN = 'mirror-token-9f3b';
const KUBECTL = `/release/v1.31.9/bin/${NATIVE}/${fileNameOf('kubectl')}`;

let world: World;
let mirror: ReleaseHost;
let folder: string;

beforeAll(async () => {
  world = await World.start({ publish: [{ version: 'v1.31.9', platforms: [NATIVE] }] });
  mirror = await ReleaseHost.start();
  folder = mkdtempSync(join(tmpdir(), 'mirror-'));
  for (const [path, content] of world.host.files) {
    mirror.put(path, content);
    mirror.put(`team/k8s/${path}`, content);
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, world.host.get(path));
  }
});

afterAll(async () => {
  await Promise.all([world.stop(), mirror.stop()]);
  rmSync(folder, { recursive: true });
});

beforeEach(() => {
  world.reset();
  mirror.server.reset();
});

describe('download-base-url', () => {
  test.each(['', '/', '/team/k8s', '/team/k8s/'])('http on loopback, path %j', async (path) => {
    const run = await runIn(world, { 'download-base-url': `${mirror.url}${path}` });
    expectInstalled(run, { version: 'v1.31.9' });
    expect(world.host.server.requests).toEqual([]);
    const prefix = path.replace(/\/$/, '');
    expect(
      mirror.server.requests.every((request) => request.path.startsWith(`${prefix}/release/`)),
    ).toBe(true);
  });

  test('a path that has no releases', async () => {
    const run = await runIn(world, { 'download-base-url': `${mirror.url}/other` });
    expectRefused(run, 'VERSION_NOT_FOUND', { says: [`${mirror.url}/other/release/stable.txt`] });
  });

  test.each(['http://192.0.2.1', 'http://mirror.example:8080/k8s'])(
    '%s is refused: http may not leave this machine',
    async (url) => {
      const run = await runIn(world, { 'download-base-url': url });
      expectRefused(run, 'INVALID_INPUT', { says: ['Input "download-base-url"', url, 'https'] });
      expect(requestedPaths(world)).toEqual([]);
    },
  );

  test('a folder', async () => {
    const run = await runIn(world, { 'download-base-url': pathToFileURL(folder).href });
    expectInstalled(run, { version: 'v1.31.9' });
    expect(world.host.server.requests).toEqual([]);
  });

  test('a folder whose pointer names a release that it has not: nobody waits for that', async () => {
    const empty = join(folder, 'empty');
    mkdirSync(join(empty, 'release'), { recursive: true });
    writeFileSync(join(empty, 'release', 'stable.txt'), 'v1.31.9\n');
    const run = await runIn(world, { 'download-base-url': pathToFileURL(empty).href });
    expectRefused(run, 'VERSION_NOT_FOUND', { says: ['v1.31.9'] });
    expect(run.stdout).not.toContain('waiting');
  });
});

describe('an air gap', () => {
  test('a folder with bundles and a trust root: not one request', async () => {
    const airGap = join(folder, 'air-gap');
    const kubectl = world.release.artifact('v1.31.9', NATIVE, 'kubectl');
    for (const published of [kubectl, world.release.sbom('v1.31.9')]) {
      const file = join(airGap, published.path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, published.bytes);
      writeFileSync(`${file}.sigstore.json`, JSON.stringify(published.bundle()));
    }
    const inputs = {
      version: '1.31.9',
      'download-base-url': pathToFileURL(airGap).href,
      'tuf-root': '',
      'tuf-mirror-url': '',
      'trusted-root': world.writeTrustedRoot(),
    };
    expectInstalled(await runIn(world, inputs), { version: 'v1.31.9' });
    expect(requestedPaths(world)).toEqual([]);

    writeFileSync(join(airGap, kubectl.path), Buffer.concat([kubectl.bytes, Buffer.from('#')]));
    const run = await runIn(world, inputs);
    expectRefused(run, 'SIGNATURE_MISMATCH');
    expect(requestedPaths(world)).toEqual([]);
  });
});

describe('download-token', () => {
  const authorizations = (server: LoopbackServer): (string | undefined)[] => [
    ...new Set(server.requests.map(({ headers }) => headers.authorization)),
  ];

  test('goes to the mirror, with every request, and to nobody else', async () => {
    const env = { RUNNER_DEBUG: '1' };
    const run = await runIn(world, { 'download-token': TOKEN }, { env });
    expectInstalled(run, { version: 'v1.31.9' });
    expect(authorizations(world.host.server)).toEqual([`Bearer ${TOKEN}`]);
    expect(authorizations(world.logServer)).toEqual([undefined]);
    expect(authorizations(world.tufServer)).toEqual([undefined]);
  });

  test('is not sent when it is not given', async () => {
    expectInstalled(await runIn(world), { version: 'v1.31.9' });
    expect(authorizations(world.host.server)).toEqual([undefined]);
  });

  test.each([
    ['download-token', TOKEN, 'VERSION'],
    ['nothing', '', 'DOWNLOAD_FAILED'],
  ])('a mirror that wants one gets %s', async (_, token, outcome) => {
    const isAnonymous = {
      match: ({ headers }: { headers: object }) => !('authorization' in headers),
    };
    world.host.server.fail(isAnonymous.match, fault.status(401), Infinity);
    const run = await runIn(world, { 'download-token': token }, { env: IMPATIENT });
    if (outcome === 'VERSION') expectInstalled(run, { version: 'v1.31.9' });
    else expectRefused(run, outcome, { says: ['401', 'download-token'] });
  });

  test('is masked in the log, and stands nowhere else', async () => {
    const run = await runIn(world, { 'download-token': TOKEN }, { env: { RUNNER_DEBUG: '1' } });
    const masks = run.commands.filter(({ name }) => name === 'add-mask');
    expect(masks.map(({ message }) => message)).toEqual([TOKEN]);
    expect(run.stdout.replace(`::add-mask::${TOKEN}`, '')).not.toContain(TOKEN);
    expect(`${run.stderr}${run.summary}${JSON.stringify(run.outputs)}`).not.toContain(TOKEN);
  });

  test('does not follow a redirect to another origin', async () => {
    world.host.server.fail(KUBECTL, fault.redirect(`${mirror.url}${KUBECTL}`), Infinity);
    expectInstalled(await runIn(world, { 'download-token': TOKEN }), { version: 'v1.31.9' });
    expect(mirror.server.requests.map(({ path }) => path)).toEqual([KUBECTL]);
    expect(authorizations(mirror.server)).toEqual([undefined]);
  });

  test('does not come back with a redirect that comes back', async () => {
    const back = `${world.host.url}${KUBECTL}?again`;
    world.host.server.fail(
      ({ path }) => path === KUBECTL,
      fault.redirect(`${mirror.url}${KUBECTL}`),
    );
    mirror.server.fail(KUBECTL, fault.redirect(back));
    expectInstalled(await runIn(world, { 'download-token': TOKEN }), { version: 'v1.31.9' });
    const last = world.host.server.requests.filter(({ path }) => path.endsWith('?again'));
    expect(last.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test('follows a redirect inside its origin', async () => {
    const moved = `${world.host.url}${KUBECTL}?moved`;
    world.host.server.fail(({ path }) => path === KUBECTL, fault.redirect(moved));
    expectInstalled(await runIn(world, { 'download-token': TOKEN }), { version: 'v1.31.9' });
    expect(authorizations(world.host.server)).toEqual([`Bearer ${TOKEN}`]);
  });
});

describe('rekor-url and tuf-mirror-url', () => {
  const below =
    (prefix: string, handler: Handler): Handler =>
    (request) =>
      request.path.startsWith(`${prefix}/`)
        ? handler({ ...request, path: request.path.slice(prefix.length) })
        : { status: 404 };

  test.each(['', '/'])('with a path, and %j behind it', async (slash) => {
    const log = await LoopbackServer.start(below('/log', transparencyLogApi(world.log)));
    const tuf = await LoopbackServer.start(below('/tuf', world.tuf.handler));
    try {
      const run = await runIn(world, {
        'rekor-url': `${log.url}/log${slash}`,
        'tuf-mirror-url': `${tuf.url}/tuf${slash}`,
      });
      expectInstalled(run, { version: 'v1.31.9' });
      expect(log.requests.length).toBeGreaterThan(0);
      expect(tuf.requests.length).toBeGreaterThan(0);
      expect([...world.logServer.requests, ...world.tufServer.requests]).toEqual([]);
    } finally {
      await Promise.all([log.stop(), tuf.stop()]);
    }
  });

  test.each(['rekor-url', 'tuf-mirror-url'])(
    '%s: http may not leave this machine',
    async (input) => {
      const run = await runIn(world, { [input]: 'http://192.0.2.1' });
      expectRefused(run, 'INVALID_INPUT', { says: [`Input "${input}"`, 'http://192.0.2.1'] });
      expect(requestedPaths(world)).toEqual([]);
    },
  );
});

describe('https', () => {
  let secure: World;

  beforeAll(async () => {
    secure = await World.start({
      tls: true,
      publish: [{ version: 'v1.31.9', platforms: [NATIVE] }],
    });
  });

  afterAll(async () => {
    await secure.stop();
  });

  beforeEach(() => {
    secure.reset();
  });

  test('everywhere', async () => {
    expectInstalled(await runIn(secure, { 'download-token': TOKEN }), { version: 'v1.31.9' });
  });

  test('by an authority that this machine does not trust', async () => {
    const inputs = { 'trusted-root': secure.writeTrustedRoot(), 'tuf-root': '' };
    const env = { ...IMPATIENT, NODE_EXTRA_CA_CERTS: undefined };
    const run = await runIn(secure, inputs, { env });
    expectRefused(run, 'DOWNLOAD_FAILED', { says: ['certificate'] });
  });

  test('redirected to http, even on loopback', async () => {
    secure.host.server.fail(KUBECTL, fault.redirect(`${mirror.url}${KUBECTL}`), Infinity);
    const run = await runIn(secure, {}, { env: IMPATIENT });
    expectRefused(run, 'DOWNLOAD_FAILED', { says: ['redirected from https to http'] });
    expect(mirror.server.requests).toEqual([]);
  });
});
