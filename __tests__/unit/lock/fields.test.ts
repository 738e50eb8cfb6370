import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { TrustMaterial } from '@sigstore/verify';
import Ajv from 'ajv';
import { digestFile } from '../../../src/files/digested-file.js';
import { LockedImages } from '../../../src/install/image-source.js';
import { checkRelease, readSbom } from '../../../src/kubernetes/sbom.js';
import { parseLock } from '../../../src/lock/read.js';
import { verifySubject } from '../../../src/sigstore/evidence/source.js';
import { parseTrustedRoot } from '../../../src/sigstore/trust/trusted-root-json.js';
import {
  IMAGE_IDENTITY,
  RELEASE_IDENTITY,
  RELEASE_ISSUER,
  World,
  imageLayers,
  lockOf,
  lockedImage,
  putSignedImage,
  tally,
  type PublishedFile,
} from '../../support/index.js';
import { errorOf } from '../expect-error.js';
import { textOf } from '../repository.js';
import { fieldsOf, mutationsOf, type Json, type Mutation } from './mutations.js';
import { proveImages } from './prove-images.js';

// Every field of a lock, wrong in every way, through the real reader and the real verification.

const VERSION = 'v1.31.9';
const PLATFORM = 'linux/amd64';
const schema = JSON.parse(textOf('schema/lock.schema.json')) as object;
const isValid = new Ajv().compile(schema);
const IDENTITY = { subjectAlternativeName: RELEASE_IDENTITY, issuer: RELEASE_ISSUER };

let world: World;
let folder: string;
let trust: TrustMaterial;
let document: Json;
let genuine: string;
let mutations: readonly Mutation[];
let files: readonly { path: string; file: string }[];

const IMAGE_POLICY = { subjectAlternativeName: IMAGE_IDENTITY, issuer: RELEASE_ISSUER };
/** Two of the release, for two platforms, and another one. */
const RELEASE_IMAGES = ['kube-proxy', 'kube-scheduler'];
const ARCHITECTURES = ['amd64', 'arm64'];
const IMAGES = [
  'registry.k8s.io/etcd:3.5.15-0',
  ...RELEASE_IMAGES.map((name) => `registry.k8s.io/${name}:${VERSION}`),
];

beforeAll(async () => {
  world = await World.start({
    baseEntries: 100,
    publish: [
      {
        version: VERSION,
        tools: ['kubectl', 'kubeadm'],
        platforms: [PLATFORM],
        sbom: {
          releaseImages: RELEASE_IMAGES.flatMap((name) =>
            ARCHITECTURES.map((arch) => ({ name, arch, layers: imageLayers(name, VERSION, arch) })),
          ),
        },
      },
    ],
  });
  putSignedImage(world, 'etcd', '3.5.15-0');
  for (const name of RELEASE_IMAGES) putSignedImage(world, name, VERSION, ARCHITECTURES);
  trust = parseTrustedRoot(Buffer.from(JSON.stringify(world.trustedRoot())));
  folder = mkdtempSync(join(tmpdir(), 'lock-fields-'));
  // One of the files and one of the images are in Rekor v2, with a timestamp.
  const isV2 = ({ path }: PublishedFile): boolean => path.endsWith('/kubeadm');
  const lock = lockOf(world, VERSION, {
    tools: ['kubectl', 'kubeadm'],
    platforms: [PLATFORM],
    bundleOf: (file) => {
      world.release.signAndLog(Buffer.from(file.path)); // Each checkpoint is of another tree.
      return isV2(file) ? file.bundleV2() : file.bundle();
    },
  });
  lock.images = Object.fromEntries(
    IMAGES.map((name) => {
      world.release.signAndLog(Buffer.from(name));
      return [name, lockedImage(world, name, name.endsWith(VERSION))];
    }),
  );
  const { payload = '' } = lock.images[IMAGES[1] ?? ''] ?? {};
  const certificate = { subjectAlternativeName: { email: IMAGE_IDENTITY } };
  const signed = world.release.putFile('payload', Buffer.from(payload, 'base64'));
  Object.assign(lock.images[IMAGES[1] ?? ''] ?? {}, { bundle: signed.bundleV2({ certificate }) });
  document = lock as unknown as Json;
  genuine = JSON.stringify(document);
  mutations = mutationsOf(schema, document);
  const published = ['kubectl', 'kubeadm']
    .map((tool) => world.release.artifact(VERSION, PLATFORM, tool))
    .concat(world.release.sbom(VERSION));
  files = published.map(({ path, bytes }, index) => {
    const file = join(folder, String(index));
    writeFileSync(file, bytes);
    return { path: path.slice(`release/${VERSION}/`.length), file };
  });
});

afterAll(async () => {
  await world.stop();
  rmSync(folder, { recursive: true });
});

/** What a run does with a lock, for all of its files and images. */
async function prove(text: string): Promise<void> {
  const lock = parseLock(Buffer.from(text), 'a lock');
  const policy = { trust: Promise.resolve(trust), identity: IDENTITY };
  const proven = [];
  for (const { path, file } of files) {
    const subject = await digestFile(file, 1 << 20);
    const evidence = [lock.evidenceFor({ path, version: VERSION })];
    const { verified } = await verifySubject(policy, path, subject, evidence);
    proven.push({ path, signedAt: verified.signedAt, subject, verified });
  }
  const sbom = proven.pop();
  if (sbom === undefined) throw new Error('no SBOM');
  const listed = await readSbom(sbom.subject);
  for (const { path, subject, signedAt } of proven) {
    checkRelease(listed, VERSION, path, { sha256: subject.sha256.toString('hex'), signedAt });
  }
  const images = new LockedImages(lock, { trust: Promise.resolve(trust), identity: IMAGE_POLICY });
  const published = { kind: 'signed', verified: sbom.verified, sbom: listed } as const;
  for (const { image, version } of await proveImages(images, IMAGES, VERSION, published)) {
    // Not to be taken for one of the release would be a weaker proof.
    const isOfRelease = image.repository !== 'etcd';
    expect(version.proven).toEqual(isOfRelease ? ['linux/amd64', 'linux/arm64'] : []);
  }
}

describe('as it was written', () => {
  test.each<[string, (text: string) => string]>([
    ['on one line', (text) => text],
    ['indented', (text) => JSON.stringify(JSON.parse(text), undefined, 4)],
    [
      'with the line ends of Windows',
      (text) => JSON.stringify(JSON.parse(text), undefined, 2).replaceAll('\n', '\r\n'),
    ],
  ])('%s: accepted by the reader and by the schema', async (_how, format) => {
    await prove(format(genuine));
    isValid(JSON.parse(format(genuine)));
    expect(isValid.errors).toBe(null);
  });

  test('it has every field of the schema', () => {
    expect(
      [...new Set(mutations.map(({ field }) => field))].filter((field) => field !== '').sort(),
    ).toEqual([...fieldsOf(schema)].sort());
  });
});

describe('a field that is wrong', () => {
  test('in every way: the reader or the verification refuses', async () => {
    expect(mutations.length).toBeGreaterThan(500);
    const accepted: string[] = [];
    for (const { what, text } of mutations) {
      const outcome = await prove(text).then(
        () => 'accepted',
        (error: unknown) => errorOf(() => rethrow(error)).code,
      );
      if (outcome === 'accepted') accepted.push(what);
      else tally('wrong fields of a lock refused');
    }
    expect(accepted).toEqual([]);
  }, 300_000);

  test('the schema refuses what is malformed, and nothing that only the evidence can tell', () => {
    const wrong = mutations.filter(
      ({ isMalformed, text }) => isMalformed === isValid(JSON.parse(text)),
    );
    expect(wrong.map(({ what }) => what)).toEqual([]);
  });

  test('what the schema refuses, the reader refuses before anything is verified', () => {
    const late = mutations.filter(({ text, isMalformed }) => isMalformed && isReadable(text));
    // Whatever is wrong in a log entry or a timestamp is for the verification to say.
    expect(
      late.map(({ field }) => field).filter((field) => !/tlogEntries|signedTimestamp/.test(field)),
    ).toEqual([]);
  });
});

function isReadable(text: string): boolean {
  try {
    parseLock(Buffer.from(text), 'a lock');
    return true;
  } catch {
    return false;
  }
}

function rethrow(error: unknown): never {
  throw error;
}
