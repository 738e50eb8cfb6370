import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { checkSubjects } from '../../../src/kubernetes/provenance.js';
import { provenance } from '../../support/provenance.js';
import { rejectionOf } from '../expect-error.js';

const VERSION = 'v1.31.9';
const PREFIX = `gs://bucket/release/${VERSION}`;
const STATEMENT = {
  _type: 'https://in-toto.io/Statement/v0.1',
  subject: [{ name: `${PREFIX}/a` }],
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'provenance-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();

function check(content: Buffer | string | object, digest?: Buffer): Promise<void> {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(text);
  const path = join(folder, 'provenance.json');
  writeFileSync(path, bytes);
  return checkSubjects({ path, sha256: digest ?? sha256(bytes) }, VERSION, 'provenance.json');
}

const about = (...names: unknown[]): object => ({
  ...STATEMENT,
  subject: names.map((name) => ({ name })),
});

test('accepts what krel writes', async () => {
  const files = ['bin/linux/amd64/kubectl', 'kubernetes-src.tar.gz'];
  const bytes = provenance(
    VERSION,
    files.map((name) => ({ name, bytes: Buffer.from(name) })),
  );
  await expect(check(bytes)).resolves.toBeUndefined();
});

test.each([
  ['one subject', STATEMENT],
  ['version 1 of statements', { ...STATEMENT, _type: 'https://in-toto.io/Statement/v1' }],
  ['several subjects', about(`${PREFIX}/a`, `${PREFIX}/bin/linux/amd64/kubectl`)],
])('accepts %s', async (_, statement) => {
  await expect(check(statement)).resolves.toBeUndefined();
});

test.each<[string, string | object]>([
  ['another version', about(`gs://bucket/release/v1.31.8/a`)],
  ['a version that begins the same', about(`gs://bucket/release/${VERSION}0/a`)],
  ['another version among them', about(`${PREFIX}/a`, 'gs://bucket/release/v1.31.8/a')],
  ['a stage', about(`gs://bucket/stage/${VERSION}/a`)],
  ['a folder', about(`${PREFIX}/`)],
  ['a release', about(PREFIX)],
  ['a path that leaves the release', about(`${PREFIX}/../v1.31.8/a`)],
  ['no bucket', about(`gs:///release/${VERSION}/a`)],
  ['a folder before the bucket', about(`gs:/x/bucket/release/${VERSION}/a`)],
  ['another scheme', about(`https://bucket/release/${VERSION}/a`)],
  ['no scheme', about(`bucket/release/${VERSION}/a`)],
  ['nothing', about()],
  ['subjects without names', about(undefined)],
  ['a subject without a name among others', about(`${PREFIX}/a`, undefined)],
  ['names that are none', about(7)],
  ['subjects that are none', { ...STATEMENT, subject: [null] }],
  ['subjects in no list', { ...STATEMENT, subject: { name: `${PREFIX}/a` } }],
  ['no subjects', { _type: STATEMENT._type }],
  ['another type', { ...STATEMENT, _type: 'https://in-toto.io/Link/v1' }],
  ['no type', { subject: STATEMENT.subject }],
  ['a list', [STATEMENT]],
  ['null', 'null'],
  ['no JSON', '{'],
  ['an empty file', ''],
])('refuses %s', async (_, content) => {
  expect(await rejectionOf(check(content))).toMatchObject({ code: 'RELEASE_MISMATCH' });
});

test('refuses what is no longer what was verified', async () => {
  const error = await rejectionOf(check(STATEMENT, sha256(Buffer.from('other'))));
  expect(error).toMatchObject({ code: 'RELEASE_MISMATCH' });
});
