import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseBundle, serializeBundle } from '../../../../src/sigstore/bundle.js';
import { readStoredBundle } from '../../../../src/sigstore/evidence/stored.js';
import {
  CertificateAuthority,
  TransparencyLog,
  bundleJson,
  bundledEntries,
} from '../../../support/index.js';

let folder: string;
let written: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'evidence-'));
  const artifact = Buffer.from('artifact');
  const certificate = CertificateAuthority.create().issue();
  const signature = certificate.sign(artifact);
  const log = TransparencyLog.create({ baseEntries: 5 });
  const digest = 'a'.repeat(64);
  const entry = log.add({ digest, signature, certificatePem: certificate.pem });
  const entries = bundledEntries(log.answer(entry.uuid) ?? {});
  const json = bundleJson({ artifact, signature, certificate, entries });
  written = serializeBundle(parseBundle(Buffer.from(JSON.stringify(json)))).toString();
});
afterAll(() => rmSync(folder, { recursive: true }));

function read(text: string): ReturnType<typeof readStoredBundle> {
  const file = join(folder, 'kubectl.sigstore.json');
  writeFileSync(file, text);
  return readStoredBundle(file);
}

describe('readStoredBundle', () => {
  test('reads what was written', async () => {
    expect(serializeBundle(await read(written)).toString()).toBe(written);
  });

  test.each<[string, (text: string) => string]>([
    ['without the line feed at its end', (text) => text.trimEnd()],
    ['with a space more', (text) => text.replace('{', '{ ')],
    ['with a member more', (text) => text.replace('{', '{"comment": "harmless",')],
    ['with something behind it', (text) => `${text}\n`],
    ['that is no JSON', () => 'kubectl'],
    ['that is empty', () => ''],
    ['of a version that does not exist', (text) => text.replace('v0.3', 'v9.9')],
  ])('refuses evidence %s', async (_, change) => {
    await expect(read(change(written))).rejects.toMatchObject({ code: 'SIGNATURE_MALFORMED' });
  });
});
