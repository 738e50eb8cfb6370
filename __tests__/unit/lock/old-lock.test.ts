import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import Ajv from 'ajv';
import { digestFile } from '../../../src/files/digested-file.js';
import { parseLock } from '../../../src/lock/read.js';
import { serializeLock } from '../../../src/lock/format.js';
import { verifySubject } from '../../../src/sigstore/evidence/source.js';
import { parseTrustedRoot } from '../../../src/sigstore/trust/trusted-root-json.js';
import { RELEASE_IDENTITY, RELEASE_ISSUER } from '../../support/index.js';
import { ROOT, textOf } from '../repository.js';

const FOLDER = join(ROOT, '__tests__', 'fixtures', 'lock-v1');
const lock = parseLock(readFileSync(join(FOLDER, 'kubernetes.lock.json')), 'a lock of version 1');
const trust = parseTrustedRoot(readFileSync(join(FOLDER, 'trusted_root.json')));

test('a lock file of version 1 has the files that it had', () => {
  expect(lock.version).toBe('v1.31.9');
  expect([...lock.files.keys()]).toEqual([
    'bin/linux/amd64/kubeadm',
    'bin/linux/amd64/kubectl',
    'kubernetes-release.spdx',
  ]);
});

test('it is accepted by the schema', () => {
  const isValid = new Ajv().compile(JSON.parse(textOf('schema/lock.schema.json')) as object);
  isValid(JSON.parse(readFileSync(join(FOLDER, 'kubernetes.lock.json'), 'utf8')));
  expect(isValid.errors).toBeNull();
});

test('it is written the same way, so that refreshing it changes nothing else', () => {
  expect(serializeLock(lock)).toBe(readFileSync(join(FOLDER, 'kubernetes.lock.json'), 'utf8'));
});

test.each([...lock.files.keys()])('its evidence proves %s', async (path) => {
  const file = await digestFile(join(FOLDER, path), 1 << 20);
  const identity = { subjectAlternativeName: RELEASE_IDENTITY, issuer: RELEASE_ISSUER };
  const evidence = [lock.evidenceFor({ path, version: lock.version })];
  const policy = { trust: Promise.resolve(trust), identity };
  await expect(verifySubject(policy, path, file, evidence)).resolves.toMatchObject({
    verified: { identity },
  });
});
