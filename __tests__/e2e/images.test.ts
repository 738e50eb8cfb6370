import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  DAY,
  IMAGE_IDENTITY,
  LoopbackServer,
  RELEASE_ISSUER,
  World,
  digestOf,
  imagePayload,
  putSignature,
  putSignatures,
  registryRedirector,
  signAsPromoter,
  signatureAnnotations,
  type ActionResult,
  type LogEntryAnswer,
} from '../support/index.js';
import { MISSING, describeUnless } from '../support/skip.js';
import {
  IMPATIENT,
  NATIVE,
  STRANGER,
  errorsOf,
  reportsOf,
  expectInstalled,
  expectRefused,
  runIn,
  textOf,
  titlesOf,
} from './expectations.js';
import { FORGERIES } from './images/rows.js';
import {
  CONTROL_PLANE,
  ARCHITECTURES,
  ETCD,
  NO_SBOM,
  OLDER,
  RESIGNED,
  UNLISTED,
  UNPROVEN,
  VERSION,
  expectVerified,
  layersOf,
  one,
  pinned,
  proofsOf,
  publishImage,
  published,
  run,
  serveAs,
  sign,
  signature,
  BY_LAYERS,
  world,
} from './images/stage.js';
import { runRecipe } from './recipe.js';

describe('accepted', () => {
  test('the control plane of a release, with nothing installed', async () => {
    const result = await run({ images: 'control-plane' });
    expectVerified(result, Object.fromEntries(CONTROL_PLANE.map((name) => [name, pinned(name)])));
    expect(result.paths).toEqual([]);
    expect(Object.keys(result.outputs).toSorted()).toEqual(['images', 'report', 'version']);
    expect(proofsOf(result)).toEqual(CONTROL_PLANE.map(() => BY_LAYERS));
    expect(result.stdout).toContain(`Reference: ${pinned('kube-proxy')}`);
    expect(result.stdout).toContain(`Signed by: ${IMAGE_IDENTITY}`);
    expect(result.summary).toContain('Verified Kubernetes images');
    expect(result.summary).toContain(pinned('kube-scheduler').replace(/^.*:/, ''));
    expect(result.summary).not.toContain('Verified Kubernetes tools');
  });

  test('with everything that was proven in the report, the log and the summary', async () => {
    const result = await run({ images: 'kube-proxy' });
    const digest = published.get(`kube-proxy:${VERSION}`) ?? '';
    const [report = {}] = reportsOf(result);
    const uuid = report['log-entry-uuid'] ?? '';
    const logged = await fetch(`${world.logServer.url}/api/v1/log/entries/${uuid}`);
    const [answer] = Object.values((await logged.json()) as LogEntryAnswer);
    expect(report).toEqual({
      image: 'kube-proxy',
      name: `registry.k8s.io/kube-proxy:${VERSION}`,
      reference: `registry.k8s.io/kube-proxy@${digest}`,
      'certificate-identity': IMAGE_IDENTITY,
      'certificate-oidc-issuer': RELEASE_ISSUER,
      'log-entry-uuid': expect.stringMatching(/^[0-9a-f]{64}$/),
      'log-index': String(answer?.logIndex),
      'integrated-time': new Date(Number(answer?.integratedTime) * 1000).toISOString(),
      'release-proof': BY_LAYERS,
      'proven-platforms': ['linux/amd64', 'linux/arm64'],
      'unproven-platforms': [],
      'durations-ms': { resolve: expect.any(Number), verify: expect.any(Number) },
    });
    const summary = textOf(result.summary);
    const shown = ['name', 'reference', 'certificate-identity', 'certificate-oidc-issuer'];
    const proof = ['log-entry-uuid', 'log-index', 'integrated-time', 'release-proof'];
    for (const field of [...shown, ...proof]) {
      expect(summary).toContain(report[field]);
      expect(result.stdout).toContain(report[field]);
    }
  });

  test('images beside a tool', async () => {
    const result = await run({ tools: 'kubectl', images: `kube-proxy ${ETCD}` });
    expectInstalled(result);
    expect(JSON.parse(result.outputs['images'] ?? '')).toEqual({
      'kube-proxy': pinned('kube-proxy'),
      [ETCD]: pinned('etcd', '3.5.15-0'),
    });
    expect(proofsOf(result)).toEqual([
      'proven by its signed SBOM',
      BY_LAYERS,
      `version not proven (not requested as an image of Kubernetes ${VERSION})`,
    ]);
  });

  test('a reference by digest, and one with a tag too', async () => {
    const digest = published.get('etcd:3.5.15-0') ?? '';
    const byDigest = `registry.k8s.io/etcd@${digest}`;
    const both = `${ETCD}@${digest}`;
    const result = await run({ images: `${byDigest} ${both}` });
    expectVerified(result, { [byDigest]: byDigest, [both]: byDigest });
  });

  test('a tag of another release: its version is not proven, and there is a warning', async () => {
    const name = `registry.k8s.io/kube-proxy:${OLDER}`;
    const digest = published.get(`kube-proxy:${OLDER}`) ?? '';
    const result = await run({ images: name });
    expectVerified(result, { [name]: `registry.k8s.io/kube-proxy@${digest}` }, [UNPROVEN]);
    expect(result.stdout).toContain(
      `${name}: version not proven (not requested as an image of Kubernetes ${VERSION}).`,
    );
    const requested = await run({ version: OLDER, images: name });
    expectVerified(requested, { [name]: `registry.k8s.io/kube-proxy@${digest}` });
    expect(proofsOf(requested)).toEqual([BY_LAYERS]);
  });

  test('the image for one architecture', async () => {
    const layers = layersOf('kube-proxy', VERSION, 'arm64');
    const image = { layers, platform: 'linux/arm64' };
    const digest = world.registry.putImage('kube-proxy-arm64', VERSION, image);
    sign('kube-proxy-arm64', digest);
    const result = await run({ images: 'kube-proxy-arm64' });
    expectVerified(result, { 'kube-proxy-arm64': `registry.k8s.io/kube-proxy-arm64@${digest}` });
    expect(proofsOf(result)).toEqual(['proven by its signed SBOM, by the layers for linux/arm64']);
  });

  test('without proof of the version, where the SBOM does not list it', async () => {
    const digest = publishImage('kube-proxy', UNLISTED);
    sign('kube-proxy', digest);
    const result = await run({ version: UNLISTED, images: 'kube-proxy' });
    expectVerified(result, { 'kube-proxy': `registry.k8s.io/kube-proxy@${digest}` }, [UNPROVEN]);
    expect(proofsOf(result)).toEqual([
      'version not proven (the SBOM of the release does not list it)',
    ]);
  });

  test('without proof of the version, if the release has no SBOM; one warning for all', async () => {
    const names = ['kube-proxy', 'kube-scheduler'];
    const images = names.map((name) => {
      const digest = publishImage(name, NO_SBOM);
      sign(name, digest);
      return [name, `registry.k8s.io/${name}@${digest}`] as const;
    });
    const result = await run({ version: NO_SBOM, images: names.join() });
    expectVerified(result, Object.fromEntries<string>(images), [UNPROVEN]);
    for (const proof of proofsOf(result)) {
      expect(proof).toContain(`version not proven (Kubernetes ${NO_SBOM} has no SBOM at `);
    }
  });

  test('without proof for one platform of several, if the SBOM does not list it', async () => {
    const digest = publishImage('kube-proxy', VERSION, [...ARCHITECTURES, 'riscv64']);
    sign('kube-proxy', digest);
    const result = await run({ images: 'kube-proxy' });
    expectVerified(result, { 'kube-proxy': `registry.k8s.io/kube-proxy@${digest}` }, [UNPROVEN]);
    expect(proofsOf(result)).toEqual([
      `${BY_LAYERS}; not for linux/riscv64 (the SBOM of the release does not list it)`,
    ]);
    expect(reportsOf(result)).toMatchObject([
      {
        'proven-platforms': ['linux/amd64', 'linux/arm64'],
        'unproven-platforms': ['linux/riscv64'],
      },
    ]);
  });

  test('without proof of the version, if the index has no image for a platform', async () => {
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    const index = { schemaVersion: 2, mediaType, manifests: [] };
    const digest = world.registry.putManifest('kube-proxy', index, VERSION);
    sign('kube-proxy', digest);
    const result = await run({ images: 'kube-proxy' });
    expectVerified(result, { 'kube-proxy': `registry.k8s.io/kube-proxy@${digest}` }, [UNPROVEN]);
    expect(proofsOf(result)).toEqual(['version not proven (it has no image for any platform)']);
  });

  test('without proof of the version, where the user wants none', async () => {
    const result = await run({ images: 'kube-proxy', 'bind-release': 'false' });
    expectVerified(result, { 'kube-proxy': pinned('kube-proxy') });
    expect(proofsOf(result)).toEqual(['version not proven (bind-release: false)']);
  });

  test('behind redirects, and a registry that asks for a token', async () => {
    const redirector = await LoopbackServer.start(registryRedirector(world.registryServer.url));
    const tokenServer = await LoopbackServer.start(() => ({
      status: 200,
      body: '{"token":"open-sesame"}',
    }));
    try {
      const challenge = (): string =>
        `Bearer realm="${tokenServer.url}",scope="repository:etcd:pull"`;
      world.registry.demand = { challenge, token: 'open-sesame' };
      const result = await run({ images: ETCD, 'image-registry': redirector.url });
      expectVerified(result, { [ETCD]: pinned('etcd', '3.5.15-0') });
      expect(result.stdout).not.toContain('open-sesame');
    } finally {
      await Promise.all([redirector.stop(), tokenServer.stop()]);
    }
  });

  test('a token server at the mirror does not get the token of the mirror', async () => {
    world.host.put('token', '{"token":"open"}');
    const challenge = (): string => `Bearer realm="${world.host.url}/token",scope="a:b:pull"`;
    world.registry.demand = { challenge, token: 'open' };
    const result = await run({ images: 'kube-proxy', 'download-token': 'open-sesame' });
    world.registry.demand = undefined;
    expect(result.exitCode).toBe(0);
    const asked = world.host.server.requests.filter(({ path }) => path.startsWith('/token'));
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.map(({ headers }) => headers.authorization)).toEqual(asked.map(() => undefined));
    // Its twin: the mirror's own files are asked for with it.
    const others = world.host.server.requests.filter(({ path }) => path.startsWith('/release/'));
    expect(new Set(others.map(({ headers }) => headers.authorization))).toEqual(
      new Set(['Bearer open-sesame']),
    );
  });

  test('a registry that is not the mirror never sees the token of the mirror', async () => {
    const result = await run({ images: 'kube-proxy', 'download-token': 'open-sesame' });
    expectVerified(result, { 'kube-proxy': pinned('kube-proxy') });
    const sentTo = ({ requests }: LoopbackServer): Set<string | undefined> =>
      new Set(requests.map(({ headers }) => headers.authorization));
    expect(sentTo(world.host.server)).toEqual(new Set(['Bearer open-sesame']));
    expect(sentTo(world.registryServer)).toEqual(new Set([undefined]));
  });

  test('a mirror below a path', async () => {
    const digest = world.registry.putImage('mirror/k8s/etcd', '3.5.15-0');
    putSignatures(world.registry, 'mirror/k8s/etcd', digest, [signature('etcd', digest)]);
    const mirror = `${world.registryServer.url}/mirror/k8s`;
    const result = await run({ images: ETCD, 'image-registry': mirror });
    expectVerified(result, { [ETCD]: `registry.k8s.io/etcd@${digest}` });
  });

  test('a tag that moves after it was asked for: the digest is the one that was verified', async () => {
    const moved = publishImage('kube-proxy', OLDER);
    world.registryServer.faults.push({
      match: `/manifests/${VERSION}`,
      act: async ({ answer, response }) => {
        const { body, headers } = await answer();
        response.writeHead(200, { ...headers, 'content-length': String(body.length) }).end(body);
        world.registry.putManifest(
          'kube-proxy',
          world.registry.manifest('kube-proxy', moved),
          VERSION,
        );
      },
    });
    const result = await run({ images: 'kube-proxy' });
    expectVerified(result, { 'kube-proxy': pinned('kube-proxy') });
    expect(world.registryServer.requestsFor(`/manifests/${VERSION}`)).toHaveLength(1);
  });
});

describe('refused', () => {
  test.each(FORGERIES)('%s: %s', async (_what, code, forge, { images = ETCD } = {}) => {
    forge();
    const asked = images.replace('$', published.get('etcd:3.5.15-0') ?? '');
    const result = await run({ images: asked, tools: 'none' }, { env: IMPATIENT });
    expect(expectRefused(result, code)).not.toContain('Do not use the file');
  });

  test('one image of several, and so everything: the tool too', async () => {
    one(STRANGER)();
    const result = await run({ images: `control-plane ${ETCD}`, tools: 'kubectl' });
    expectRefused(result, 'IDENTITY_MISMATCH');
  });

  test('an image that is younger than allowed', async () => {
    const result = await run({ images: ETCD, 'minimum-release-age': '31d' });
    expectRefused(result, 'RELEASE_TOO_NEW');
    expectVerified(await run({ images: ETCD, 'minimum-release-age': '29d' }), {
      [ETCD]: pinned('etcd', '3.5.15-0'),
    });
  });

  test('an image whose SBOM is younger than allowed', async () => {
    const inputs = { version: RESIGNED, images: 'kube-proxy', 'minimum-release-age': '29d' };
    sign('kube-proxy', publishImage('kube-proxy', RESIGNED));
    expect((await run(inputs)).outputs['version']).toBe(RESIGNED);
    world.release.sbom(RESIGNED).sign({ at: new Date(Date.now() - DAY) });
    expectRefused(await run(inputs), 'RELEASE_TOO_NEW');
    // Its tag is not that of the release, so no SBOM proves anything about it.
    const other = await run({ ...inputs, images: ETCD });
    expectVerified(other, { [ETCD]: pinned('etcd', '3.5.15-0') });
  });

  test('an image of the release that is older than allowed, but not another one', async () => {
    const age = { 'maximum-release-age': '29d' };
    expectRefused(await run({ images: 'kube-proxy', ...age }), 'RELEASE_TOO_OLD');
    expectVerified(await run({ images: ETCD, ...age }), { [ETCD]: pinned('etcd', '3.5.15-0') });
  });

  test('another signer than the one that is named', async () => {
    const named = { images: ETCD, 'image-certificate-identity': 'stranger@example.com' };
    const says = ['set "image-certificate-identity"'];
    expectRefused(await run(named), 'IDENTITY_MISMATCH', { says });
    one(STRANGER)();
    expectVerified(await run(named), { [ETCD]: pinned('etcd', '3.5.15-0') });
  });
});

describe('an outdated pointer', () => {
  const stable = (inputs: Readonly<Record<string, string>>): Promise<ActionResult> =>
    run({ version: 'stable', ...inputs });

  test('is not suspected because of an image that is not of the release', async () => {
    const digest = published.get('etcd:3.5.15-0') ?? '';
    const at = new Date(Date.now() - 200 * DAY);
    putSignatures(world.registry, 'etcd', digest, [signature('etcd', digest, { at })]);
    const result = await stable({ images: ETCD });
    expectVerified(result, { [ETCD]: pinned('etcd', '3.5.15-0') });
  });

  test('is suspected because of an old image of the release', async () => {
    const digest = published.get(`kube-proxy:${VERSION}`) ?? '';
    const at = new Date(Date.now() - 200 * DAY);
    putSignatures(world.registry, 'kube-proxy', digest, [signature('kube-proxy', digest, { at })]);
    const result = await stable({ images: 'kube-proxy' });
    expect(errorsOf(result)).toEqual([]);
    expect(titlesOf(result, 'warning')).toEqual(['Newest stable release is old']);
  });
});

describe('over https', () => {
  let secure: World;
  let tokenServer: LoopbackServer;

  beforeAll(async () => {
    secure = await World.start({ tls: true });
    tokenServer = await LoopbackServer.start(() => ({ status: 200, body: '{"token":"open"}' }));
    secure.release.publish({ version: VERSION, platforms: [NATIVE] });
  });

  afterAll(() => Promise.all([secure.stop(), tokenServer.stop()]));

  const etcd = (): Promise<ActionResult> =>
    runIn(secure, { version: VERSION, tools: 'none', images: ETCD }, { env: IMPATIENT });

  test('an image is verified', async () => {
    const digest = secure.registry.putImage('etcd', '3.5.15-0');
    const payload = imagePayload({ reference: 'registry.k8s.io/etcd', digest });
    const annotations = signatureAnnotations(signAsPromoter(secure.release, payload));
    const layer = putSignature(secure.registry, payload, annotations);
    putSignatures(secure.registry, 'etcd', digest, [layer]);
    expectVerified(await etcd(), { [ETCD]: `registry.k8s.io/etcd@${digest}` });
  });

  test('a registry cannot name a token server on this machine without https', async () => {
    const challenge = (): string => `Bearer realm="${tokenServer.url}/"`;
    secure.registry.demand = { challenge, token: 'open' };
    expectRefused(await etcd(), 'REGISTRY_UNAVAILABLE');
    expect(tokenServer.requests).toEqual([]);
  });
});

const hasJq = spawnSync('jq', ['--version']).status === 0;

describeUnless(
  MISSING.linux,
  MISSING.executables,
  hasJq ? undefined : 'needs jq, which GitHub-hosted runners have',
)('the recipes of the README', () => {
  beforeEach(() => {
    for (const [repository, tag] of [
      ['coredns/coredns', 'v1.11.3'],
      ['pause', '3.10'],
    ] as const) {
      const digest = world.registry.putImage(repository, tag);
      published.set(`${repository}:${tag}`, digest);
      sign(repository, digest);
    }
  });

  const PIN = 'Pin the images of the control plane';
  const KUBEADM = 'Check the images that kubeadm pulls';

  test(`${PIN}: docker pulls each by its digest`, async () => {
    const { runs, docker } = await runRecipe(world, PIN);
    expect(runs).toHaveLength(1);
    for (const run of runs) {
      expectVerified(run, Object.fromEntries(CONTROL_PLANE.map((name) => [name, pinned(name)])));
    }
    expect(docker).toEqual(CONTROL_PLANE.map((name) => `pull ${pinned(name)}`));
  });

  test(`${PIN}: with one of them forged, docker pulls nothing`, async () => {
    serveAs('kube-proxy', OLDER)();
    const { runs, docker } = await runRecipe(world, PIN);
    expect(runs.map((run) => expectRefused(run, 'IMAGE_MISMATCH'))).toHaveLength(1);
    expect(docker).toEqual([]);
  });

  test(`${KUBEADM}: all that it lists are verified`, async () => {
    const { runs } = await runRecipe(world, KUBEADM);
    const [kubeadm, images] = runs;
    if (kubeadm === undefined || images === undefined) throw new Error('two runs, please');
    expectInstalled(kubeadm, { tools: ['kubeadm'] });
    const others = [
      ['coredns/coredns', 'v1.11.3'],
      ['pause', '3.10'],
      ['etcd', '3.5.15-0'],
    ] as const;
    expectVerified(images, {
      ...Object.fromEntries(
        CONTROL_PLANE.map((name) => [`registry.k8s.io/${name}:${VERSION}`, pinned(name)]),
      ),
      ...Object.fromEntries(
        others.map(([name, tag]) => [`registry.k8s.io/${name}:${tag}`, pinned(name, tag)]),
      ),
    });
    expect(proofsOf(images).filter((proof) => proof === BY_LAYERS)).toHaveLength(4);
  });

  test(`${KUBEADM}: with one of them forged, the job fails`, async () => {
    one(STRANGER)();
    const { runs } = await runRecipe(world, KUBEADM);
    const [, images] = runs;
    if (images === undefined) throw new Error('two runs, please');
    expectRefused(images, 'IDENTITY_MISMATCH');
  });
});

test('a digest of the test world is that of the bytes', () => {
  const bytes = world.registry.manifest('etcd', '3.5.15-0');
  expect(digestOf(bytes)).toBe(published.get('etcd:3.5.15-0'));
});
