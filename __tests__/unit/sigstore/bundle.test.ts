import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseBundle, serializeBundle } from '../../../src/sigstore/bundle.js';
import { parseLogEntries } from '../../../src/sigstore/evidence/rekor.js';
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
});
