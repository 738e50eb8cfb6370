import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Bundle } from '@sigstore/bundle';
import { explain } from '../../../src/errors.js';
import { parseBundle, serializeBundle } from '../../../src/sigstore/bundle.js';
import { parseLogEntries, type LogEntry } from '../../../src/sigstore/evidence/rekor.js';
import { World, bundledEntries, bundleJson } from '../../support/index.js';
import { codeOf } from './errors.js';
import { bundleOf, Signer } from './signed-file.js';

const artifact = Buffer.from('an artifact');

let world: World;
let signer: Signer;

beforeAll(async () => {
  world = await World.start();
  signer = new Signer(world);
});

afterAll(async () => {
  signer.cleanup();
  await world.stop();
});

test('toBundle makes the bundle that the world makes of the same signature', () => {
  const signed = world.release.signAndLog(artifact);
  const { signature, certificate } = signed;
  // One answer for both: its signatures are made anew each time.
  const answer = world.log.answer(signed.entry?.uuid ?? '') ?? {};
  const [entry] = parseLogEntries(Buffer.from(JSON.stringify(answer)));
  if (entry === undefined) throw new Error('not logged');
  const made = bundleOf(signer.file(artifact), signed, entry);
  const entries = bundledEntries(answer);
  expect(JSON.parse(serializeBundle(made).toString())).toMatchObject(
    bundleJson({ artifact, signature, certificate, entries }),
  );
});

test('toBundle leaves out signatures of others under the checkpoint', () => {
  const signed = world.release.signAndLog(artifact);
  const answer = world.log.answer(signed.entry?.uuid ?? '') ?? {};
  const entryOf = (): LogEntry => {
    const [entry] = parseLogEntries(Buffer.from(JSON.stringify(answer)));
    if (entry === undefined) throw new Error('not logged');
    return entry;
  };
  const file = signer.file(artifact);
  const before = serializeBundle(bundleOf(file, signed, entryOf())).toString();
  for (const { verification } of Object.values(answer)) {
    const proof = verification?.inclusionProof;
    if (proof !== undefined) proof.checkpoint += '\u2014 witness.test AAAAAAAA\n';
  }
  expect(entryOf().inclusionProof.checkpoint).toContain('witness.test');
  expect(serializeBundle(bundleOf(file, signed, entryOf())).toString()).toBe(before);
});

test('serializeBundle writes what parseBundle reads, and ends in a line feed', () => {
  const { bundle } = signer.sign(artifact);
  const json = serializeBundle(bundle);
  expect(json.toString()).toMatch(/^\{\n[^]*\}\n$/);
  expect(serializeBundle(parseBundle(json))).toEqual(json);
  expect(JSON.parse(json.toString())).toMatchObject({
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
  });
});

describe('parseBundle', () => {
  function changed(path: string, value: unknown): Buffer {
    const json: unknown = JSON.parse(serializeBundle(signer.sign(artifact).bundle).toString());
    Reflect.set(json as object, path, value);
    return Buffer.from(JSON.stringify(json));
  }

  test('reads a bundle of Rekor v2', () => {
    const { bundle } = signer.signV2(artifact);
    expect(parseBundle(serializeBundle(bundle))).toEqual(bundle);
  });

  test('leaves out certificates behind the leaf', () => {
    const { bundle, signed } = signer.sign(artifact);
    const chain = [signed.certificate.der, world.authority.intermediate, Buffer.from('garbage')];
    const content = (
      certificates: readonly Buffer[],
    ): Bundle['verificationMaterial']['content'] => ({
      $case: 'x509CertificateChain',
      x509CertificateChain: { certificates: certificates.map((rawBytes) => ({ rawBytes })) },
    });
    bundle.mediaType = 'application/vnd.dev.sigstore.bundle+json;version=0.2';
    bundle.verificationMaterial.content = content(chain);
    const read = parseBundle(serializeBundle(bundle));
    expect(read.verificationMaterial.content).toEqual(content(chain.slice(0, 1)));
  });

  test('leaves out signatures of others under the checkpoint', () => {
    const { bundle } = signer.sign(artifact);
    const before = serializeBundle(bundle);
    const checkpoint = bundle.verificationMaterial.tlogEntries[0]?.inclusionProof?.checkpoint;
    if (checkpoint === undefined) throw new Error('no checkpoint');
    const stranger = Buffer.alloc(70, 1).toString('base64');
    for (let n = 0; n < 50; n++) checkpoint.envelope += `\u2014 witness-${n}.test ${stranger}\n`;
    const json = serializeBundle(bundle);
    expect(json.equals(before)).toBe(false);
    expect(serializeBundle(parseBundle(json)).toString()).toBe(before.toString());
  });

  test.each([
    ['leaves out a time that nobody signed', 'v2', '0'],
    ['keeps the one that the promise holds', 'v1', '1700000000'],
  ])('%s', (_, kind, left) => {
    const { bundle } = kind === 'v1' ? signer.sign(artifact) : signer.signV2(artifact);
    const [entry] = bundle.verificationMaterial.tlogEntries;
    if (entry === undefined) throw new Error('no entry');
    entry.integratedTime = '1700000000';
    const [read] = parseBundle(serializeBundle(bundle)).verificationMaterial.tlogEntries;
    expect(read?.integratedTime).toBe(left);
  });

  test.each<[string, unknown]>([
    ['mediaType', 'application/json'],
    ['mediaType', undefined],
    ['verificationMaterial', undefined],
    ['messageSignature', undefined],
    ['messageSignature', {}],
  ])('refuses one whose %s is %j', (path, value) => {
    expect(codeOf(() => parseBundle(changed(path, value)))).toBe('SIGNATURE_MALFORMED');
  });

  test.each(['', '<html>', 'null', '[]', '7', '{}'])('refuses %j', (text) => {
    expect(codeOf(() => parseBundle(Buffer.from(text)))).toBe('SIGNATURE_MALFORMED');
  });

  // With a file: host, the bundle may be a link to something that is not for the log.
  test.each(['hunter2', '"hunter2"', '{"mediaType": "hunter2"}'])(
    'repeats nothing of %j',
    (text) => {
      const error = errorOf(() => parseBundle(Buffer.from(text)));
      expect(explain(error)).toMatch(/^cannot parse the Sigstore bundle: /);
      expect(explain(error)).not.toContain('hunter2');
    },
  );
});

function errorOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
