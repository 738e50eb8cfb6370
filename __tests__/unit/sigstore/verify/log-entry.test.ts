import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Bundle, TransparencyLogEntry } from '@sigstore/bundle';
import { X509Certificate } from '@sigstore/core';
import type { TrustMaterial } from '@sigstore/verify';
import { parseTrustedRoot } from '../../../../src/sigstore/trust/trusted-root-json.js';
import {
  checkEntryBody,
  checkEntryKind,
  checkInclusionProof,
  checkIntegratedTime,
  checkLogValidity,
  checkNumbers,
} from '../../../../src/sigstore/verify/log-entry.js';
import { World } from '../../../support/index.js';
import { codeOf } from '../errors.js';
import { Signer, entryOf, flip, proofOf } from '../signed-file.js';

const artifact = Buffer.from('an artifact');

let world: World;
let signer: Signer;
let trust: TrustMaterial;

beforeAll(async () => {
  world = await World.start();
  signer = new Signer(world);
  trust = parseTrustedRoot(Buffer.from(JSON.stringify(world.trustedRoot())));
});

afterAll(async () => {
  signer.cleanup();
  await world.stop();
});

describe('checkEntryBody', () => {
  function bodyAndContent(): {
    entry: TransparencyLogEntry;
    content: { digest: Buffer; signature: Buffer; certificate: Buffer };
  } {
    const { file, bundle, signed } = signer.sign(artifact);
    const { signature, certificate } = signed;
    const content = { digest: file.sha256, signature, certificate: certificate.der };
    return { entry: entryOf(bundle), content };
  }

  test('accepts the body of the same digest, signature and certificate', () => {
    const { entry, content } = bodyAndContent();
    expect(codeOf(() => checkEntryBody(entry, content))).toBeUndefined();
  });

  test.each(['digest', 'signature', 'certificate'] as const)('refuses another %s', (name) => {
    const { entry, content } = bodyAndContent();
    const changed = { ...content, [name]: flip(content[name]) };
    expect(codeOf(() => checkEntryBody(entry, changed))).toBe('LOG_ENTRY_INVALID');
  });

  test('refuses a body that is no hashedrekord', () => {
    const { entry, content } = bodyAndContent();
    const changed = { ...entry, canonicalizedBody: Buffer.from('{}') };
    expect(codeOf(() => checkEntryBody(changed, content))).toBe('LOG_ENTRY_INVALID');
  });
});

describe('checkEntryKind', () => {
  test.each([
    ['hashedrekord', '0.0.1', undefined],
    ['hashedrekord', '0.0.2', undefined],
    ['hashedrekord', '0.0.3', 'LOG_ENTRY_INVALID'],
    ['hashedrekord', '', 'LOG_ENTRY_INVALID'],
    ['dsse', '0.0.1', 'LOG_ENTRY_INVALID'],
    ['dsse', '0.0.2', 'LOG_ENTRY_INVALID'],
  ])('of %s %s: %s', (kind, version, code) => {
    const entry = { ...entryOf(signer.sign(artifact).bundle), kindVersion: { kind, version } };
    expect(codeOf(() => checkEntryKind(entry))).toBe(code);
  });
});

describe('checkInclusionProof', () => {
  const check = (change: (bundle: Bundle) => void): unknown => {
    const { bundle } = signer.sign(artifact);
    change(bundle);
    return codeOf(() => checkInclusionProof(entryOf(bundle)));
  };

  test('accepts size and root of the checkpoint', () => {
    expect(check(() => {})).toBeUndefined();
  });

  test.each<[string, (bundle: Bundle) => void]>([
    ['no proof', (bundle) => (entryOf(bundle).inclusionProof = undefined)],
    ['a proof without a checkpoint', (bundle) => (proofOf(bundle).checkpoint = undefined)],
  ])('refuses %s, and says so', (_, change) => {
    const { bundle } = signer.sign(artifact);
    change(bundle);
    expect(() => {
      checkInclusionProof(entryOf(bundle));
    }).toThrow('it has no inclusion proof with a checkpoint');
  });

  test.each<[string, (bundle: Bundle) => void]>([
    ['another size', (bundle) => (proofOf(bundle).treeSize = '7')],
    ['a size that is written in another way', (bundle) => (proofOf(bundle).treeSize += ' ')],
    ['another root', (bundle) => (proofOf(bundle).rootHash = Buffer.alloc(32))],
    ['no root', (bundle) => (proofOf(bundle).rootHash = Buffer.alloc(0))],
    ['an empty checkpoint', (bundle) => (proofOf(bundle).checkpoint = { envelope: '' })],
  ])('refuses %s', (_, change) => {
    expect(check(change)).toBe('LOG_ENTRY_INVALID');
  });
});

describe('checkIntegratedTime', () => {
  const notBefore = new Date('2025-01-01T00:00:00Z');
  const check = (seconds: number | string, promised = true): unknown => {
    const { bundle } = signer.sign(artifact);
    const leaf = X509Certificate.parse(Buffer.from(world.authority.issue({ notBefore }).der));
    const time =
      typeof seconds === 'string' ? seconds : String(notBefore.getTime() / 1000 + seconds);
    const { inclusionPromise, ...entry } = { ...entryOf(bundle), integratedTime: time };
    return codeOf(() =>
      checkIntegratedTime(promised ? { ...entry, inclusionPromise } : without(entry), leaf),
    );
  };
  const without = (
    entry: Omit<TransparencyLogEntry, 'inclusionPromise'>,
  ): TransparencyLogEntry => ({
    ...entry,
    inclusionPromise: undefined,
  });

  test.each([0, 1, 599, 600])('accepts second %i of a certificate for ten minutes', (seconds) => {
    expect(check(seconds)).toBeUndefined();
  });

  test.each([-1, 601, 1e9, 'no number'])('refuses second %s', (seconds) => {
    expect(check(seconds)).toBe('LOG_ENTRY_INVALID');
  });

  test('has nothing to say of a time that nobody signed', () => {
    expect(check(-1, false)).toBeUndefined();
  });
});

describe('checkNumbers', () => {
  const check = (change: Partial<TransparencyLogEntry>, kind: 'v1' | 'v2' = 'v1'): unknown => {
    const { bundle } = kind === 'v1' ? signer.sign(artifact) : signer.signV2(artifact);
    return codeOf(() => checkNumbers({ ...entryOf(bundle), ...change }));
  };

  test('accepts the index in the whole log, which the promise holds', () => {
    expect(check({})).toBeUndefined();
  });

  test('accepts, without promise, the index of the proof and no other', () => {
    expect(check({}, 'v2')).toBeUndefined();
    expect(check({ logIndex: '7' }, 'v2')).toBe('LOG_ENTRY_INVALID');
    expect(check({ inclusionPromise: undefined })).toBe('LOG_ENTRY_INVALID');
  });

  test('accepts no time that nobody signed', () => {
    expect(check({ integratedTime: '1700000000' })).toBeUndefined();
    expect(check({ integratedTime: '1700000000' }, 'v2')).toBe('LOG_ENTRY_INVALID');
  });

  test.each(['', '-1', '1.0', '1e3', ' 1', '1\n', '01', '0x1', '1'.repeat(20)])(
    'refuses %j as index, size or time',
    (text) => {
      const { inclusionProof } = entryOf(signer.sign(artifact).bundle);
      if (inclusionProof === undefined) throw new Error('no proof');
      expect(check({ logIndex: text })).toBe('LOG_ENTRY_INVALID');
      expect(check({ integratedTime: text })).toBe('LOG_ENTRY_INVALID');
      for (const change of [{ logIndex: text }, { treeSize: text }]) {
        expect(check({ inclusionProof: inclusionProof })).toBeUndefined();
        expect(check({ inclusionProof: { ...inclusionProof, ...change } })).toBe(
          'LOG_ENTRY_INVALID',
        );
      }
    },
  );
});

describe('checkLogValidity', () => {
  const start = new Date('2024-01-01T00:00:00Z');
  const end = new Date('2025-01-01T00:00:00Z');
  const check = (signedAt: string, isAnother = false): void => {
    const { bundle } = signer.sign(artifact);
    const [log] = trust.tlogs.filter(({ logID }) => logID.equals(entryOf(bundle).logId.keyId));
    if (log === undefined) throw new Error('the log is in the trust root');
    const logID = isAnother ? Buffer.alloc(32, 1) : log.logID;
    const tlogs = [{ ...log, logID, validFor: { start, end } }];
    checkLogValidity(entryOf(bundle), new Date(signedAt), { ...trust, tlogs });
  };

  test('a log that was in use', () => {
    expect(() => check('2024-06-01T00:00:00Z')).not.toThrow();
  });

  test.each([
    ['that was retired', '2025-01-01T00:00:01Z', false],
    ['that was not there yet', '2023-12-31T23:59:59Z', false],
    ['that is not in the trust root', '2024-06-01T00:00:00Z', true],
  ])('a log %s', (_, signedAt, isAnother) => {
    expect(codeOf(() => check(signedAt, isAnother))).toBe('LOG_ENTRY_INVALID');
  });
});
