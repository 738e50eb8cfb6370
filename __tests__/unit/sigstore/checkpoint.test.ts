import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { isSignedByLogAlone, withoutForeignSignatures } from '../../../src/sigstore/checkpoint.js';
import { signedCheckpoint, type CheckpointSigner } from '../../support/checkpoint.js';
import { spki } from '../../support/x509.js';

const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

const key = newKey();
const logId = createHash('sha256').update(spki(key)).digest();
const log: CheckpointSigner = {
  name: 'rekor.test',
  keyHint: logId.subarray(0, 4),
  privateKey: key,
};
const witness: CheckpointSigner = {
  name: 'witness.test',
  keyHint: Buffer.of(1, 2, 3, 4),
  privateKey: newKey(),
};

const checkpoint = (origin: string, ...signers: readonly CheckpointSigner[]): string =>
  signedCheckpoint({ origin, size: 7, root: Buffer.alloc(32, 1) }, ...signers);

/** The signature line of a signer over the same text. */
const lineOf = (signer: CheckpointSigner): string =>
  checkpoint('rekor.test', signer).split('\n\n')[1] ?? '';

const alone = checkpoint('rekor.test', log);

describe('isSignedByLogAlone', () => {
  test.each([
    [
      'of Rekor v1, whose origin ends in a tree id',
      checkpoint('rekor.test - 1193050959916656506', log),
    ],
    ['of Rekor v2', alone],
  ])('accepts a checkpoint %s', (_, text) => {
    expect(isSignedByLogAlone(text, logId)).toBe(true);
  });

  test.each([
    ['nothing', ''],
    ['no signature', checkpoint('rekor.test')],
    ['no empty line', alone.replace('\n\n', '\n')],
    ['no line feed at the end', alone.slice(0, -1)],
    ['an empty line at the end', `${alone}\n`],
    ['two signatures by the log', checkpoint('rekor.test', log, log)],
    ['a witness as well', checkpoint('rekor.test', log, witness)],
    ['a witness in front', checkpoint('rekor.test', witness, log)],
    ['a witness alone', checkpoint('rekor.test', witness)],
    ['another name', checkpoint('rekor.test', { ...log, name: 'rekor' })],
    [
      'the origin with the tree id as name',
      checkpoint('rekor.test - 7', { ...log, name: 'rekor.test-7' }),
    ],
    ['the name of another origin', checkpoint('other.test', log)],
    ['another key hint', checkpoint('rekor.test', { ...log, keyHint: witness.keyHint })],
    ['another dash', alone.replace('\u2014', '-')],
    ['two blanks', alone.replace('rekor.test ', 'rekor.test  ')],
    ['base64 with something behind it', alone.replace(/\n$/, '=\n')],
  ])('refuses one with %s', (_, text) => {
    expect(isSignedByLogAlone(text, logId)).toBe(false);
  });
});

describe('withoutForeignSignatures', () => {
  const many = Array.from({ length: 50 }, (_, n) => ({ ...witness, name: `witness-${n}.test` }));

  test.each([
    ['none', alone],
    ['one behind', checkpoint('rekor.test', log, witness)],
    ['fifty around it', checkpoint('rekor.test', ...many, log, ...many)],
    ['one under the log’s name', checkpoint('rekor.test', { ...witness, name: log.name }, log)],
    [
      'one under the log’s key hint',
      checkpoint('rekor.test', { ...witness, keyHint: log.keyHint }, log),
    ],
  ])('leaves the log’s own: %s', (_, text) => {
    const left = withoutForeignSignatures(text, logId);
    expect(isSignedByLogAlone(left, logId)).toBe(true);
    expect(left.split('\n\n')[0]).toBe(alone.split('\n\n')[0]);
    expect(text).toContain(left.split('\n\n')[1]);
  });

  test('leaves nothing where there is none of the log', () => {
    const left = withoutForeignSignatures(checkpoint('rekor.test', witness), logId);
    expect(left).toBe(checkpoint('rekor.test'));
    expect(isSignedByLogAlone(left, logId)).toBe(false);
  });

  test.each([
    ['a line that is no signature', `${alone}a line\n`],
    ['an empty line', `${alone}\n`],
    ['a signature that is no base64', `${alone}\u2014 witness.test !!!!\n`],
    ['no line feed at the end', alone.slice(0, -1)],
    ['two signatures by the log', alone + lineOf(log)],
  ])('hides nothing that is malformed: %s', (_, text) => {
    const left = withoutForeignSignatures(text, logId);
    expect(left).toBe(text);
    expect(isSignedByLogAlone(left, logId)).toBe(false);
  });
});
