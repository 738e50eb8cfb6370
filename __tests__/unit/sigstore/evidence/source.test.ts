import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { GivenBundle } from '../../../../src/sigstore/evidence/given.js';
import { verifySubject, type Policy } from '../../../../src/sigstore/evidence/source.js';
import { parseTrustedRoot } from '../../../../src/sigstore/trust/trusted-root-json.js';
import { serializeBundle } from '../../../../src/sigstore/bundle.js';
import { RELEASE_IDENTITY, RELEASE_ISSUER, World } from '../../../support/index.js';
import { Signer } from '../signed-file.js';

const NAME = 'bin/linux/amd64/kubectl';

let world: World;
let signer: Signer;
let policy: Policy;

beforeAll(async () => {
  world = await World.start();
  signer = new Signer(world);
  const trust = parseTrustedRoot(Buffer.from(JSON.stringify(world.trustedRoot())));
  policy = {
    trust: Promise.resolve(trust),
    identity: { subjectAlternativeName: RELEASE_IDENTITY, issuer: RELEASE_ISSUER },
  };
});

afterAll(async () => {
  signer.cleanup();
  await world.stop();
});

describe('verifySubject', () => {
  test('verifies a file, and names it when it says what is wrong', async () => {
    const { file, bundle } = signer.sign(Buffer.from('kubectl'));
    const other = signer.file(Buffer.from('another file'));
    const evidence = [new GivenBundle(serializeBundle(bundle))];

    const { verified } = await verifySubject(policy, NAME, file, evidence);
    expect(verified.subject).toBe(file);

    await expect(verifySubject(policy, NAME, other, evidence)).rejects.toMatchObject({
      code: 'SIGNATURE_MISMATCH',
      message: expect.stringMatching(`^${NAME}: the signature is for a file with SHA-256 `),
    });
  });

  test('no evidence at all', async () => {
    const file = signer.file(Buffer.from('kubectl'));
    await expect(verifySubject(policy, NAME, file, [])).rejects.toMatchObject({
      code: 'RELEASE_NOT_SIGNED',
    });
  });
});
