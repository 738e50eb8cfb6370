import { createPublicKey, type KeyObject } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Bundle } from '@sigstore/bundle';
import type { TrustMaterial } from '@sigstore/verify';
import type { Subject } from '../../../../src/sigstore/verify/subject.js';
import type { ErrorCode } from '../../../../src/errors.js';
import { parseTrustedRoot } from '../../../../src/sigstore/trust/trusted-root-json.js';
import { checkAgainstTrustRoot } from '../../../../src/sigstore/verify/against-trust-root.js';
import { verify, type Verified } from '../../../../src/sigstore/verify/verify.js';
import {
  CertificateAuthority,
  DAY,
  MINUTE,
  RELEASE_IDENTITY,
  RELEASE_ISSUER,
  TimestampAuthority,
  World,
  hashedRekordBody,
  type SignOptions,
  type TrustedRootJson,
} from '../../../support/index.js';
import { integer, sequence } from '../../../support/der.js';
import { extension } from '../../../support/x509.js';
import { codeOf, codeOfRejection } from '../errors.js';
import {
  answeredEntry,
  bundleOf,
  Signer,
  entryOf,
  flip,
  proofOf,
  type SignedFile,
} from '../signed-file.js';

const artifact = Buffer.from('an artifact');
const other = Buffer.from('another artifact');
const expected = { subjectAlternativeName: RELEASE_IDENTITY, issuer: RELEASE_ISSUER };

let world: World;
let signer: Signer;
let trust: TrustMaterial;

beforeAll(async () => {
  world = await World.start();
  signer = new Signer(world);
  trust = trustOf(world.trustedRoot());
});

afterAll(async () => {
  signer.cleanup();
  await world.stop();
});

const trustOf = (root: TrustedRootJson): TrustMaterial =>
  parseTrustedRoot(Buffer.from(JSON.stringify(root)));

function messageOf(bundle: Bundle): { signature: Buffer; messageDigest: { digest: Buffer } } {
  if (bundle.content.$case !== 'messageSignature') throw new Error('no message signature');
  return bundle.content.messageSignature;
}

function withTimestamps(bundle: Bundle, ...responses: readonly Buffer[]): void {
  bundle.verificationMaterial.timestampVerificationData = {
    rfc3161Timestamps: responses.map((signedTimestamp) => ({ signedTimestamp })),
  };
}

const verifySigned = (bundle: Bundle): Promise<Verified<Subject>> =>
  verify(signer.file(artifact), bundle, trust, expected);

/** Signs as everybody does, changes one thing, and verifies. */
async function codeAfter(
  change: (signed: SignedFile) => Promise<void> | void,
  options: SignOptions = {},
): Promise<unknown> {
  const signed = signer.sign(artifact, options);
  await change(signed);
  return codeOfRejection(verify(signed.file, signed.bundle, trust, expected));
}

describe('verify', () => {
  test('accepts a file with its bundle, and tells what was proven', async () => {
    const { file, bundle, signed } = signer.sign(artifact);
    const verified = await verify(file, bundle, trust, expected);
    expect(verified).toMatchObject({
      subject: file,
      bundle,
      identity: expected,
      uuid: signed.entry?.uuid.slice(-64),
      logIndex: String(signed.entry?.logIndex),
      signedAt: signed.entry?.integratedTime,
    });
  });

  test('accepts a bundle of Rekor v2, at the time of the time-stamping authority', async () => {
    const at = new Date(Math.floor((Date.now() - DAY) / 1000) * 1000);
    const { file, bundle } = signer.signV2(artifact, { at });
    const verified = await verify(file, bundle, trust, expected);
    expect(verified.signedAt).toEqual(new Date(at.getTime() + 1000));
    expect(verified.logIndex).toBe(proofOf(bundle).logIndex);
  });

  test('takes the earlier one of two times', async () => {
    const { file, bundle, signed } = signer.sign(artifact);
    const integratedTime = signed.entry?.integratedTime.getTime() ?? 0;
    const earlier = new Date(integratedTime - 1000);
    const signedTimestamp = world.timestampAuthority.timestamp(signed.signature, earlier);
    bundle.verificationMaterial.timestampVerificationData = {
      rfc3161Timestamps: [{ signedTimestamp }],
    };
    expect((await verify(file, bundle, trust, expected)).signedAt).toEqual(earlier);
  });

  test('accepts a certificate that stands in a chain', async () => {
    const { file, bundle, signed } = signer.sign(artifact);
    bundle.verificationMaterial.content = {
      $case: 'x509CertificateChain',
      x509CertificateChain: { certificates: [{ rawBytes: signed.certificate.der }] },
    };
    expect(await codeOfRejection(verify(file, bundle, trust, expected))).toBeUndefined();
  });

  test('accepts a key on P-384', async () => {
    expect(await codeAfter(() => {}, { certificate: { key: 'p384' } })).toBeUndefined();
  });

  test.each<[string, ErrorCode, (signed: SignedFile) => void]>([
    [
      'no signature over the file',
      'SIGNATURE_MALFORMED',
      ({ bundle }) => {
        bundle.content = {
          $case: 'dsseEnvelope',
          dsseEnvelope: { payload: artifact, payloadType: 'text/plain', signatures: [] },
        };
      },
    ],
    [
      'a key without certificate',
      'SIGNATURE_MALFORMED',
      ({ bundle }) => {
        bundle.verificationMaterial.content = { $case: 'publicKey', publicKey: { hint: 'a key' } };
      },
    ],
    [
      'an empty chain',
      'SIGNATURE_MALFORMED',
      ({ bundle }) => {
        const x509CertificateChain = { certificates: [] };
        const content = { $case: 'x509CertificateChain', x509CertificateChain } as const;
        bundle.verificationMaterial.content = content;
      },
    ],
    [
      'a certificate that is none',
      'CERTIFICATE_UNTRUSTED',
      ({ bundle }) => {
        const certificate = { rawBytes: Buffer.from('no certificate') };
        bundle.verificationMaterial.content = { $case: 'certificate', certificate };
      },
    ],
    [
      "another file's digest",
      'SIGNATURE_MISMATCH',
      ({ bundle }) => {
        messageOf(bundle).messageDigest.digest = signer.file(other).sha256;
      },
    ],
    [
      "another file's signature",
      'SIGNATURE_MISMATCH',
      ({ bundle }) => {
        messageOf(bundle).signature = signer.sign(other).signed.signature;
      },
    ],
    [
      'no log entry',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        bundle.verificationMaterial.tlogEntries = [];
      },
    ],
    [
      'two log entries, each of them genuine',
      'LOG_ENTRY_INVALID',
      async ({ file, bundle, signed }) => {
        const log = world.decoys.log;
        const entry = log.add({
          digest: file.sha256.toString('hex'),
          signature: signed.signature,
          certificatePem: signed.certificate.pem,
          integratedTime: signed.certificate.notBefore,
        });
        const second = bundleOf(file, signed, answeredEntry(log, { ...signed, entry }));
        expect(await codeOfRejection(verify(file, second, trust, expected))).toBeUndefined();
        bundle.verificationMaterial.tlogEntries.push(entryOf(second));
      },
    ],
    [
      'an entry that is said to be of another kind',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        entryOf(bundle).kindVersion.kind = 'dsse';
      },
    ],
    [
      'an entry that is said to be of another version',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        entryOf(bundle).kindVersion.version = '0.0.3';
      },
    ],
    [
      'an entry that is said to be of the other version',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        entryOf(bundle).kindVersion.version = '0.0.2';
      },
    ],
    [
      "another file's entry",
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        bundle.verificationMaterial.tlogEntries = [entryOf(signer.sign(other).bundle)];
      },
    ],
    [
      'an entry without promise and without other time',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        entryOf(bundle).inclusionPromise = undefined;
      },
    ],
    [
      'an entry whose promise is by nobody',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        const { inclusionPromise } = entryOf(bundle);
        if (inclusionPromise === undefined) throw new Error('no promise');
        inclusionPromise.signedEntryTimestamp = flip(inclusionPromise.signedEntryTimestamp);
      },
    ],
    [
      'an entry without proof',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        entryOf(bundle).inclusionProof = undefined;
      },
    ],
    [
      'a proof without checkpoint',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        proofOf(bundle).checkpoint = undefined;
      },
    ],
    [
      'a wrong proof',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        const proof = proofOf(bundle);
        proof.hashes = proof.hashes.map(flip);
      },
    ],
    [
      'a root hash unlike the checkpoint',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        proofOf(bundle).rootHash = flip(proofOf(bundle).rootHash);
      },
    ],
    [
      'a tree size unlike the checkpoint',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        proofOf(bundle).treeSize += '0';
      },
    ],
    [
      'a log index that is the same number, written in another way',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        entryOf(bundle).logIndex = ` ${entryOf(bundle).logIndex}`;
      },
    ],
    [
      'a time that is the same number, written in another way',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        entryOf(bundle).integratedTime += '.0';
      },
    ],
    [
      'a certificate behind the leaf',
      'SIGNATURE_MALFORMED',
      ({ bundle, signed }) => {
        const certificates = [signed.certificate.der, world.authority.intermediate].map(
          (rawBytes) => ({ rawBytes }),
        );
        const x509CertificateChain = { certificates };
        const content = { $case: 'x509CertificateChain', x509CertificateChain } as const;
        bundle.verificationMaterial.content = content;
      },
    ],
    [
      'a log index of the proof in hexadecimal',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        proofOf(bundle).logIndex = `0x${Number(proofOf(bundle).logIndex).toString(16)}`;
      },
    ],
    [
      'a log index of the proof with blanks around it',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        proofOf(bundle).logIndex = ` ${proofOf(bundle).logIndex}\n`;
      },
    ],
    [
      'a checkpoint with the log’s signature twice',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        const { checkpoint } = proofOf(bundle);
        if (checkpoint === undefined) throw new Error('no checkpoint');
        checkpoint.envelope += checkpoint.envelope.split('\n\n')[1] ?? '';
      },
    ],
    [
      'a checkpoint with a signature of somebody else',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        const { checkpoint } = proofOf(bundle);
        if (checkpoint === undefined) throw new Error('no checkpoint');
        checkpoint.envelope += '\u2014 witness.test AAAAAAAA\n';
      },
    ],
    [
      'a checkpoint whose signature names another log',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        const { checkpoint } = proofOf(bundle);
        if (checkpoint === undefined) throw new Error('no checkpoint');
        // A part of the log's URL, which is all that @sigstore/verify asks for.
        checkpoint.envelope = checkpoint.envelope.replace(/\u2014 \S+/, '\u2014 127');
      },
    ],
    [
      'a log index that the log did not sign',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        entryOf(bundle).logIndex = '7';
      },
    ],
    [
      'the id of another log',
      'LOG_ENTRY_INVALID',
      ({ bundle }) => {
        entryOf(bundle).logId = { keyId: world.decoys.log.logId };
      },
    ],
    [
      'a timestamp that is none',
      'SIGNATURE_MALFORMED',
      ({ bundle }) => {
        bundle.verificationMaterial.timestampVerificationData = {
          rfc3161Timestamps: [{ signedTimestamp: Buffer.from('no timestamp') }],
        };
      },
    ],
    [
      'a timestamp whose status is not granted',
      'LOG_ENTRY_INVALID',
      async ({ bundle, signed }) => {
        const timestamp = (status: number): Buffer =>
          world.timestampAuthority.timestamp(signed.signature, signed.entry?.integratedTime, {
            status: sequence(integer(status)),
          });
        withTimestamps(bundle, timestamp(0));
        expect(await codeOfRejection(verifySigned(bundle))).toBeUndefined();
        withTimestamps(bundle, timestamp(1));
      },
    ],
    [
      'a bad timestamp beside a good one',
      'LOG_ENTRY_INVALID',
      async ({ bundle, signed }) => {
        const at = signed.entry?.integratedTime;
        const good = world.timestampAuthority.timestamp(signed.signature, at);
        withTimestamps(bundle, good);
        expect(await codeOfRejection(verifySigned(bundle))).toBeUndefined();
        withTimestamps(bundle, good, TimestampAuthority.create().timestamp(signed.signature, at));
      },
    ],
    [
      'more timestamps than others read',
      'LOG_ENTRY_INVALID',
      async ({ bundle, signed }) => {
        // The library takes two of the same authority and time for a duplicate.
        const begin = signed.entry?.integratedTime.getTime() ?? 0;
        const timestamps = Array.from({ length: 33 }, (_, n) =>
          world.timestampAuthority.timestamp(signed.signature, new Date(begin + n * 1000)),
        );
        withTimestamps(bundle, ...timestamps.slice(1));
        expect(await codeOfRejection(verifySigned(bundle))).toBeUndefined();
        withTimestamps(bundle, ...timestamps);
      },
    ],
    [
      'a timestamp over something else',
      'LOG_ENTRY_INVALID',
      ({ bundle, signed }) => {
        const at = signed.entry?.integratedTime ?? new Date();
        bundle.verificationMaterial.timestampVerificationData = {
          rfc3161Timestamps: [
            { signedTimestamp: world.timestampAuthority.timestamp(Buffer.from('else'), at) },
          ],
        };
      },
    ],
  ])('refuses %s', async (_, code, change) => {
    expect(await codeAfter(change)).toBe(code);
  });

  test.each<[string, ErrorCode, SignOptions]>([
    ['another identity', 'IDENTITY_MISMATCH', { certificate: { issuer: 'https://x.example' } }],
    ['no certificate timestamp', 'CERTIFICATE_UNTRUSTED', { certificate: { sct: 'none' } }],
    ['an authority', 'CERTIFICATE_UNTRUSTED', { certificate: { isCA: true } }],
    ['a server', 'CERTIFICATE_UNTRUSTED', { certificate: { extendedKeyUsages: [] } }],
    [
      'two lists of names',
      'CERTIFICATE_UNTRUSTED',
      { certificate: { moreExtensions: [extension.subjectAlternativeName([], false)] } },
    ],
    [
      'unknown constraints',
      'CERTIFICATE_UNTRUSTED',
      { certificate: { moreExtensions: [extension.of('1.3.6.1.4.1.99999.1', integer(1), true)] } },
    ],
  ])('refuses a certificate of %s', async (_, code, options) => {
    expect(await codeAfter(() => {}, options)).toBe(code);
  });

  test('accepts a certificate with an unknown extension that is not critical', async () => {
    const unknown = extension.of('1.3.6.1.4.1.99999.1', integer(1));
    expect(
      await codeAfter(() => {}, { certificate: { moreExtensions: [unknown] } }),
    ).toBeUndefined();
  });

  test.each([
    ['accepts', false, undefined],
    ['refuses', true, 'CERTIFICATE_UNTRUSTED'],
  ])(
    '%s an authority with name constraints where they are critical: %s',
    async (_, critical, code) => {
      const { validFrom, ctLog } = world;
      // Go evaluates name constraints; nobody here does.
      const moreExtensions = [extension.of('2.5.29.30', sequence(), critical)];
      const authority = CertificateAuthority.create({ validFrom, ctLog, moreExtensions });
      const root = world.trustedRoot();
      const [first] = root.certificateAuthorities;
      if (first === undefined) throw new Error('no authority');
      first.certChain.certificates = authority.chain.map((der) => ({
        rawBytes: der.toString('base64'),
      }));
      const { file, bundle } = signer.sign(artifact, { authority });
      expect(await codeOfRejection(verify(file, bundle, trustOf(root), expected))).toBe(code);
    },
  );

  test('refuses a certificate of an unknown authority', async () => {
    const { validFrom, ctLog } = world;
    const authority = CertificateAuthority.create({ validFrom, ctLog });
    expect(await codeAfter(() => {}, { authority })).toBe('CERTIFICATE_UNTRUSTED');
  });

  test.each([-MINUTE, 11 * MINUTE])(
    'refuses a time %i ms after the certificate began',
    async (milliseconds) => {
      const at = new Date(Date.now() - DAY);
      const integratedTime = new Date(at.getTime() + milliseconds);
      expect(await codeAfter(() => {}, { at, integratedTime })).toBe('LOG_ENTRY_INVALID');
    },
  );

  test('refuses an entry in the log that names another certificate', async () => {
    const { file, signed } = signer.sign(artifact);
    const stranger = world.authority.issue({ notBefore: signed.certificate.notBefore });
    const body = hashedRekordBody({
      digest: file.sha256.toString('hex'),
      signature: signed.signature,
      certificatePem: stranger.pem,
    });
    const entry = world.log.addBody(body, signed.entry?.integratedTime);
    const withOther = signer.bundle(file, { ...signed, entry });
    expect(await codeOfRejection(verify(file, withOther, trust, expected))).toBe(
      'LOG_ENTRY_INVALID',
    );
    const genuine = signer.bundle(file, signed);
    expect(await codeOfRejection(verify(file, genuine, trust, expected))).toBeUndefined();
  });

  test('changes no certificate of the trust root', async () => {
    const root = trustOf(world.trustedRoot());
    const chains = root.certificateAuthorities.flatMap(({ certChain }) => certChain);
    const before = chains.map((certificate) => certificate.root.toDER());
    for (const bytes of [artifact, Buffer.from('another artifact')]) {
      const { file, bundle } = signer.sign(bytes);
      expect(await codeOfRejection(verify(file, bundle, root, expected))).toBeUndefined();
    }
    for (const { root, tbsCertificate } of chains) {
      // Without these, the remembered encodings (rememberEncoding) would be compared.
      expect(Reflect.deleteProperty(root, 'toDER')).toBe(true);
      expect(Reflect.deleteProperty(tbsCertificate, 'toDER')).toBe(true);
    }
    expect(chains.length).toBeGreaterThan(1);
    expect(chains.map((certificate) => certificate.root.toDER())).toEqual(before);
  });

  test.each<[string, ErrorCode, (root: TrustedRootJson) => void]>([
    ['the authority', 'CERTIFICATE_UNTRUSTED', (root) => root.certificateAuthorities.pop()],
    ['the certificate log', 'CERTIFICATE_UNTRUSTED', (root) => root.ctlogs.pop()],
    ['the log', 'LOG_ENTRY_INVALID', (root) => root.tlogs.pop()],
  ])('refuses everything when %s is not in the trust root', async (_, code, change) => {
    const { file, bundle } = signer.sign(artifact);
    const root = world.trustedRoot();
    change(root);
    expect(await codeOfRejection(verify(file, bundle, trustOf(root), expected))).toBe(code);
  });

  describe('of Rekor v2', () => {
    test.each<[string, ErrorCode, (bundle: Bundle) => void]>([
      [
        'no timestamp',
        'LOG_ENTRY_INVALID',
        (bundle) => {
          bundle.verificationMaterial.timestampVerificationData = undefined;
        },
      ],
      [
        'no timestamp, but a time that nobody signed',
        'LOG_ENTRY_INVALID',
        (bundle) => {
          bundle.verificationMaterial.timestampVerificationData = undefined;
          entryOf(bundle).integratedTime = String(Math.floor((Date.now() - 30 * DAY) / 1000) + 1);
        },
      ],
      [
        'another log index than the one of its proof',
        'LOG_ENTRY_INVALID',
        (bundle) => {
          entryOf(bundle).logIndex = '7';
        },
      ],
      [
        'no proof',
        'LOG_ENTRY_INVALID',
        (bundle) => {
          entryOf(bundle).inclusionProof = undefined;
        },
      ],
    ])('refuses %s', async (_, code, change) => {
      const { file, bundle } = signer.signV2(artifact);
      expect(await codeOfRejection(verify(file, bundle, trust, expected))).toBeUndefined();
      change(bundle);
      expect(await codeOfRejection(verify(file, bundle, trust, expected))).toBe(code);
    });
  });

  test('is the only way to a Verified', async () => {
    const { file, bundle } = signer.sign(artifact);
    const verified = await verify(file, bundle, trust, expected);
    const make = verified.constructor as new (...args: unknown[]) => Verified<Subject>;
    const args = [file, bundle, expected, entryOf(bundle), new Date()];
    expect(() => new make(Symbol('verified'), ...args)).toThrow(TypeError);
  });
});
describe('checkAgainstTrustRoot', () => {
  test('refuses a certificate with another key than the one that signed', () => {
    const { file, bundle, signed } = signer.sign(artifact);
    const other = signer.sign(artifact).signed;
    const codeWith = (privateKey: KeyObject): unknown =>
      codeOf(() => checkAgainstTrustRoot(file, bundle, createPublicKey(privateKey), trust));
    expect(codeWith(signed.certificate.privateKey)).toBeUndefined();
    expect(codeWith(other.certificate.privateKey)).toBe('CERTIFICATE_UNTRUSTED');
  });
});

describe('an entry of another kind', () => {
  test('is refused, and its kind is named', async () => {
    const { file, bundle } = signer.sign(artifact);
    entryOf(bundle).kindVersion.kind = 'dsse';
    await expect(verify(file, bundle, trust, expected)).rejects.toThrow(
      'unsupported kind "dsse 0.0.1"',
    );
  });
});

describe('an entry of Rekor v2', () => {
  const verified = (end: Date): Promise<Verified<Subject>> => {
    const root = world.trustedRoot();
    const keyId = world.logV2.logId.toString('base64');
    const tlogs = root.tlogs.map((log) =>
      log.logId.keyId === keyId
        ? {
            ...log,
            publicKey: {
              ...log.publicKey,
              validFor: { start: world.validFrom.toISOString(), end: end.toISOString() },
            },
          }
        : log,
    );
    const { file, bundle } = signer.signV2(artifact);
    return verify(file, bundle, trustOf({ ...root, tlogs }), expected);
  };

  test('of a log that is still in use', async () => {
    expect((await verified(new Date(Date.now() + DAY))).identity).toEqual(expected);
  });

  test('of a log that was retired before', async () => {
    expect(await codeOfRejection(verified(new Date(Date.now() - 300 * DAY)))).toBe(
      'LOG_ENTRY_INVALID',
    );
  });
});
