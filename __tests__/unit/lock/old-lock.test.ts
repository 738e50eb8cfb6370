import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import Ajv from 'ajv';
import { digestFile, type DigestedFile } from '../../../src/files/digested-file.js';
import { LockedImages } from '../../../src/install/image-source.js';
import { readSbom } from '../../../src/kubernetes/sbom.js';
import { parseLock } from '../../../src/lock/read.js';
import { serializeLock } from '../../../src/lock/format.js';
import { verifySubject, type Policy } from '../../../src/sigstore/evidence/source.js';
import { parseTrustedRoot } from '../../../src/sigstore/trust/trusted-root-json.js';
import type { Verified } from '../../../src/sigstore/verify/verify.js';
import { IMAGE_IDENTITY, RELEASE_IDENTITY, RELEASE_ISSUER } from '../../support/index.js';
import { ROOT, textOf } from '../repository.js';
import { proveImages } from './prove-images.js';

const SBOM = 'kubernetes-release.spdx';

const LOCKS = [
  {
    name: 'lock-v1',
    files: ['bin/linux/amd64/kubeadm', 'bin/linux/amd64/kubectl', SBOM],
    images: [],
  },
  {
    name: 'lock-v1-images',
    files: [SBOM],
    images: ['registry.k8s.io/etcd:3.5.15-0', 'registry.k8s.io/kube-proxy:v1.31.9'],
  },
];

describe.each(LOCKS)('$name', ({ name, files, images }) => {
  const folder = join(ROOT, '__tests__', 'fixtures', name);
  const text = readFileSync(join(folder, 'kubernetes.lock.json'), 'utf8');
  const lock = parseLock(Buffer.from(text), name);
  const trust = parseTrustedRoot(readFileSync(join(folder, 'trusted_root.json')));
  const policyOf = (subjectAlternativeName: string): Policy => ({
    trust: Promise.resolve(trust),
    identity: { subjectAlternativeName, issuer: RELEASE_ISSUER },
  });

  test('has what it had', () => {
    expect(lock.version).toBe('v1.31.9');
    expect([...lock.files.keys()]).toEqual(files);
    expect([...lock.images.keys()]).toEqual(images);
  });

  test('is accepted by the schema', () => {
    const isValid = new Ajv().compile(JSON.parse(textOf('schema/lock.schema.json')) as object);
    isValid(JSON.parse(text));
    expect(isValid.errors).toBeNull();
  });

  test('is written the same way, so that refreshing it changes nothing else', () => {
    expect(serializeLock(lock)).toBe(text);
  });

  const provenFile = async (path: string): Promise<Verified<DigestedFile>> => {
    const file = await digestFile(join(folder, path), 1 << 20);
    const evidence = [lock.evidenceFor({ path, version: lock.version })];
    return (await verifySubject(policyOf(RELEASE_IDENTITY), path, file, evidence)).verified;
  };

  test.each(files)('proves %s', async (path) => {
    const identity = { subjectAlternativeName: RELEASE_IDENTITY, issuer: RELEASE_ISSUER };
    await expect(provenFile(path)).resolves.toMatchObject({ identity });
  });

  for (const image of images) {
    test(`proves ${image}`, async () => {
      const verified = await provenFile(SBOM);
      const sbom = { kind: 'signed', verified, sbom: await readSbom(verified.subject) } as const;
      const source = new LockedImages(lock, policyOf(IMAGE_IDENTITY));
      const isOfRelease = image.endsWith(lock.version);
      await expect(proveImages(source, [image], lock.version, sbom)).resolves.toMatchObject([
        { version: { proven: isOfRelease ? ['linux/amd64', 'linux/arm64'] : [] } },
      ]);
    });
  }
});
