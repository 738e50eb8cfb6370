import { createPublicKey, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Bundle, TransparencyLogEntry } from '@sigstore/bundle';
import { X509Certificate } from '@sigstore/core';
import type { TrustMaterial } from '@sigstore/verify';
import type { Subject } from '../../../../src/sigstore/verify/subject.js';
import type { ErrorCode } from '../../../../src/errors.js';
import { parseTrustedRoot } from '../../../../src/sigstore/trust/trusted-root.js';
import {
  checkCodeSigningLeaf,
  checkDigest,
  checkEntryBody,
  checkEntryKind,
  checkInclusionProofMatchesCheckpoint,
  checkInclusionProofPresent,
  checkIntegratedTime,
  checkLogValidity,
  checkNumbers,
  checkSignature,
  verify,
  type Verified,
} from '../../../../src/sigstore/verify/verify.js';
import type { DigestedFile } from '../../../../src/files/digested-file.js';
import {
  CertificateAuthority,
  DAY,
  MINUTE,
  RELEASE_IDENTITY,
  RELEASE_ISSUER,
  TimestampAuthority,
  World,
  hashedRekordBody,
  type IssueOptions,
  type IssuedCertificate,
  type SignOptions,
  type TrustedRootJson,
} from '../../../support/index.js';
import { bitString, elementsOf, integer, sequence } from '../../../support/der.js';
import { extension, spki } from '../../../support/x509.js';
import { codeOf } from '../errors.js';
import { answeredEntry, bundleOf, Signer, type SignedFile } from '../signed-file.js';

const artifact = Buffer.from('an artifact');
const OID_CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
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

function entryOf(bundle: Bundle): TransparencyLogEntry {
  const [entry] = bundle.verificationMaterial.tlogEntries;
  if (entry === undefined) throw new Error('no entry in this bundle');
  return entry;
}

function proofOf(bundle: Bundle): NonNullable<TransparencyLogEntry['inclusionProof']> {
  const { inclusionProof } = entryOf(bundle);
  if (inclusionProof === undefined) throw new Error('no proof in this bundle');
  return inclusionProof;
}

function messageOf(bundle: Bundle): { signature: Buffer; messageDigest: { digest: Buffer } } {
  if (bundle.content.$case !== 'messageSignature') throw new Error('no message signature');
  return bundle.content.messageSignature;
}

const flip = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(copy.length - 1) ^ 0x01, copy.length - 1);
  return copy;
};

function withTimestamps(bundle: Bundle, ...responses: readonly Buffer[]): void {
  bundle.verificationMaterial.timestampVerificationData = {
    rfc3161Timestamps: responses.map((signedTimestamp) => ({ signedTimestamp })),
  };
}

const verifySigned = (bundle: Bundle): Verified<Subject> =>
  verify(signer.file(artifact), bundle, trust, expected);

/** Signs as everybody does, changes one thing, and verifies. */
function codeAfter(change: (signed: SignedFile) => void, options: SignOptions = {}): unknown {
  const signed = signer.sign(artifact, options);
  change(signed);
  return codeOf(() => verify(signed.file, signed.bundle, trust, expected));
}

describe('verify', () => {
  test('accepts a file with its bundle, and tells what was proven', () => {
    const { file, bundle, signed } = signer.sign(artifact);
    const verified = verify(file, bundle, trust, expected);
    expect(verified).toMatchObject({
      subject: file,
      bundle,
      identity: expected,
      uuid: signed.entry?.uuid.slice(-64),
      logIndex: String(signed.entry?.logIndex),
      signedAt: signed.entry?.integratedTime,
    });
  });

  test('accepts a bundle of Rekor v2, at the time of the time-stamping authority', () => {
    const at = new Date(Math.floor((Date.now() - DAY) / 1000) * 1000);
    const { file, bundle } = signer.signV2(artifact, { at });
    const verified = verify(file, bundle, trust, expected);
    expect(verified.signedAt).toEqual(new Date(at.getTime() + 1000));
    expect(verified.logIndex).toBe(proofOf(bundle).logIndex);
  });

  test('takes the earlier one of two times', () => {
    const { file, bundle, signed } = signer.sign(artifact);
    const integratedTime = signed.entry?.integratedTime.getTime() ?? 0;
    const earlier = new Date(integratedTime - 1000);
    const signedTimestamp = world.timestampAuthority.timestamp(signed.signature, earlier);
    bundle.verificationMaterial.timestampVerificationData = {
      rfc3161Timestamps: [{ signedTimestamp }],
    };
    expect(verify(file, bundle, trust, expected).signedAt).toEqual(earlier);
  });

  test('accepts a certificate that stands in a chain', () => {
    const { file, bundle, signed } = signer.sign(artifact);
    bundle.verificationMaterial.content = {
      $case: 'x509CertificateChain',
      x509CertificateChain: { certificates: [{ rawBytes: signed.certificate.der }] },
    };
    expect(codeOf(() => verify(file, bundle, trust, expected))).toBeUndefined();
  });

  test('accepts a key on P-384', () => {
    expect(codeAfter(() => {}, { certificate: { key: 'p384' } })).toBeUndefined();
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
      ({ file, bundle, signed }) => {
        const log = world.decoys.log;
        const entry = log.add({
          digest: file.sha256.toString('hex'),
          signature: signed.signature,
          certificatePem: signed.certificate.pem,
          integratedTime: signed.certificate.notBefore,
        });
        const second = bundleOf(file, signed, answeredEntry(log, { ...signed, entry }));
        expect(codeOf(() => verify(file, second, trust, expected))).toBeUndefined();
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
      ({ bundle, signed }) => {
        const timestamp = (status: number): Buffer =>
          world.timestampAuthority.timestamp(signed.signature, signed.entry?.integratedTime, {
            status: sequence(integer(status)),
          });
        withTimestamps(bundle, timestamp(0));
        expect(codeOf(() => verifySigned(bundle))).toBeUndefined();
        withTimestamps(bundle, timestamp(1));
      },
    ],
    [
      'a bad timestamp beside a good one',
      'LOG_ENTRY_INVALID',
      ({ bundle, signed }) => {
        const at = signed.entry?.integratedTime;
        const good = world.timestampAuthority.timestamp(signed.signature, at);
        withTimestamps(bundle, good);
        expect(codeOf(() => verifySigned(bundle))).toBeUndefined();
        withTimestamps(bundle, good, TimestampAuthority.create().timestamp(signed.signature, at));
      },
    ],
    [
      'more timestamps than others read',
      'LOG_ENTRY_INVALID',
      ({ bundle, signed }) => {
        // The library takes two of the same authority and time for a duplicate.
        const begin = signed.entry?.integratedTime.getTime() ?? 0;
        const timestamps = Array.from({ length: 33 }, (_, n) =>
          world.timestampAuthority.timestamp(signed.signature, new Date(begin + n * 1000)),
        );
        withTimestamps(bundle, ...timestamps.slice(1));
        expect(codeOf(() => verifySigned(bundle))).toBeUndefined();
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
  ])('refuses %s', (_, code, change) => {
    expect(codeAfter(change)).toBe(code);
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
  ])('refuses a certificate of %s', (_, code, options) => {
    expect(codeAfter(() => {}, options)).toBe(code);
  });

  test('accepts a certificate with an unknown extension that is not critical', () => {
    const unknown = extension.of('1.3.6.1.4.1.99999.1', integer(1));
    expect(codeAfter(() => {}, { certificate: { moreExtensions: [unknown] } })).toBeUndefined();
  });

  test.each([
    ['accepts', false, undefined],
    ['refuses', true, 'CERTIFICATE_UNTRUSTED'],
  ])('%s an authority with name constraints where they are critical: %s', (_, critical, code) => {
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
    expect(codeOf(() => verify(file, bundle, trustOf(root), expected))).toBe(code);
  });

  test('refuses a certificate of an unknown authority', () => {
    const { validFrom, ctLog } = world;
    const authority = CertificateAuthority.create({ validFrom, ctLog });
    expect(codeAfter(() => {}, { authority })).toBe('CERTIFICATE_UNTRUSTED');
  });

  test.each([-MINUTE, 11 * MINUTE])(
    'refuses a time %i ms after the certificate began',
    (milliseconds) => {
      const at = new Date(Date.now() - DAY);
      const integratedTime = new Date(at.getTime() + milliseconds);
      expect(codeAfter(() => {}, { at, integratedTime })).toBe('LOG_ENTRY_INVALID');
    },
  );

  test('refuses an entry in the log that names another certificate', () => {
    const { file, signed } = signer.sign(artifact);
    const stranger = world.authority.issue({ notBefore: signed.certificate.notBefore });
    const body = hashedRekordBody({
      digest: file.sha256.toString('hex'),
      signature: signed.signature,
      certificatePem: stranger.pem,
    });
    const entry = world.log.addBody(body, signed.entry?.integratedTime);
    const withOther = signer.bundle(file, { ...signed, entry });
    expect(codeOf(() => verify(file, withOther, trust, expected))).toBe('LOG_ENTRY_INVALID');
    const genuine = signer.bundle(file, signed);
    expect(codeOf(() => verify(file, genuine, trust, expected))).toBeUndefined();
  });

  test.each<[string, ErrorCode, (root: TrustedRootJson) => void]>([
    ['the authority', 'CERTIFICATE_UNTRUSTED', (root) => root.certificateAuthorities.pop()],
    ['the certificate log', 'CERTIFICATE_UNTRUSTED', (root) => root.ctlogs.pop()],
    ['the log', 'LOG_ENTRY_INVALID', (root) => root.tlogs.pop()],
  ])('refuses everything when %s is not in the trust root', (_, code, change) => {
    const { file, bundle } = signer.sign(artifact);
    const root = world.trustedRoot();
    change(root);
    expect(codeOf(() => verify(file, bundle, trustOf(root), expected))).toBe(code);
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
    ])('refuses %s', (_, code, change) => {
      const { file, bundle } = signer.signV2(artifact);
      expect(codeOf(() => verify(file, bundle, trust, expected))).toBeUndefined();
      change(bundle);
      expect(codeOf(() => verify(file, bundle, trust, expected))).toBe(code);
    });
  });

  test('is the only way to a Verified', () => {
    const { file, bundle } = signer.sign(artifact);
    const verified = verify(file, bundle, trust, expected);
    const make = verified.constructor as new (...args: unknown[]) => Verified<Subject>;
    const args = [file, bundle, expected, entryOf(bundle), new Date()];
    expect(() => new make(Symbol('verified'), ...args)).toThrow(TypeError);
  });
});

describe('checkDigest', () => {
  test('accepts the digest of the file, and refuses another', () => {
    const file = signer.file(artifact);
    expect(codeOf(() => checkDigest(file, signer.file(artifact).sha256))).toBeUndefined();
    expect(codeOf(() => checkDigest(file, signer.file(other).sha256))).toBe('SIGNATURE_MISMATCH');
    expect(codeOf(() => checkDigest(file, Buffer.alloc(0)))).toBe('SIGNATURE_MISMATCH');
  });
});

describe('checkSignature', () => {
  const check = (file: DigestedFile, signature: Buffer, by: IssuedCertificate): unknown =>
    codeOf(() => checkSignature(file, signature, by.der));

  test('accepts a signature with the key of the certificate', () => {
    const { file, signed } = signer.sign(artifact);
    expect(check(file, signed.signature, signed.certificate)).toBeUndefined();
  });

  test('refuses another file, another signature, another certificate', () => {
    const { file, signed } = signer.sign(artifact);
    const { signature, certificate } = signed;
    const stranger = signer.sign(artifact).signed;
    expect(check(signer.file(other), signature, certificate)).toBe('SIGNATURE_MISMATCH');
    expect(check(file, flip(signature), certificate)).toBe('SIGNATURE_MISMATCH');
    expect(check(file, stranger.signature, certificate)).toBe('SIGNATURE_MISMATCH');
    expect(check(file, signature, stranger.certificate)).toBe('SIGNATURE_MISMATCH');
    expect(check(file, Buffer.alloc(0), certificate)).toBe('SIGNATURE_MISMATCH');
    expect(check(file, signature, certificate)).toBeUndefined();
  });

  test.each([
    ['P-256', undefined],
    ['P-384', undefined],
    ['P-521', undefined],
    ['secp224r1', 'CERTIFICATE_UNTRUSTED'],
    ['secp256k1', 'CERTIFICATE_UNTRUSTED'],
    ['brainpoolP256r1', 'CERTIFICATE_UNTRUSTED'],
  ])('a key on %s: %s', (namedCurve, code) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve });
    const certificate = world.authority.issue({ key: privateKey });
    const file = signer.file(artifact);
    expect(check(file, certificate.sign(artifact), certificate)).toBe(code);
  });

  test('refuses a compressed point', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const [algorithm = Buffer.alloc(0)] = elementsOf(spki(privateKey));
    const point = spki(privateKey).subarray(-65);
    const compressed = Buffer.concat([
      Buffer.of(2 + (point.readUInt8(64) & 1)),
      point.subarray(1, 33),
    ]);
    const key = createPublicKey({
      key: sequence(algorithm, bitString(compressed)),
      format: 'der',
      type: 'spki',
    });
    const sign = (bytes: Buffer): Buffer => signBytes('sha256', bytes, privateKey);
    const certificate = { ...world.authority.certify(key), privateKey, sign };
    expect(X509Certificate.parse(certificate.pem).publicKey).toHaveLength(59);
    const file = signer.file(artifact);
    expect(check(file, certificate.sign(artifact), certificate)).toBe('CERTIFICATE_UNTRUSTED');
  });

  test('refuses a curve that is written out', () => {
    const { privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      paramEncoding: 'explicit',
    });
    const certificate = world.authority.issue({ key: privateKey });
    const file = signer.file(artifact);
    expect(check(file, certificate.sign(artifact), certificate)).toBe('CERTIFICATE_UNTRUSTED');
  });

  test.each(['rsa', 'ed25519'] as const)('refuses a key of type %s', (key) => {
    const certificate = world.authority.issue({ key });
    const file = signer.file(artifact);
    expect(check(file, certificate.sign(artifact), certificate)).toBe('CERTIFICATE_UNTRUSTED');
  });
});

describe('checkCodeSigningLeaf', () => {
  const check = (options: IssueOptions): unknown =>
    codeOf(() =>
      checkCodeSigningLeaf(X509Certificate.parse(Buffer.from(world.authority.issue(options).der))),
    );

  test.each<[string, IssueOptions]>([
    ['as Fulcio issues it', {}],
    ['for more than code signing', { extendedKeyUsages: ['1.3.6.1.5.5.7.3.1', OID_CODE_SIGNING] }],
    ['for more than signatures', { keyUsage: ['digitalSignature', 'keyEncipherment'] }],
  ])('accepts a certificate %s', (_, options) => {
    expect(check(options)).toBeUndefined();
  });

  test.each<[string, IssueOptions]>([
    ['of an authority', { isCA: true }],
    ['that may sign certificates', { keyUsage: ['digitalSignature', 'keyCertSign'] }],
    ['that may not make signatures', { keyUsage: ['keyEncipherment'] }],
    ['for servers', { extendedKeyUsages: ['1.3.6.1.5.5.7.3.1'] }],
    ['for nothing special', { extendedKeyUsages: [] }],
    ['for any purpose', { extendedKeyUsages: ['2.5.29.37.0'] }],
  ])('refuses a certificate %s', (_, options) => {
    expect(check(options)).toBe('CERTIFICATE_UNTRUSTED');
  });

  test('refuses an intermediate authority', () => {
    const leaf = X509Certificate.parse(Buffer.from(world.authority.intermediate));
    expect(codeOf(() => checkCodeSigningLeaf(leaf))).toBe('CERTIFICATE_UNTRUSTED');
  });
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

  test('is part of verify, which names the kind', () => {
    const { file, bundle } = signer.sign(artifact);
    entryOf(bundle).kindVersion.kind = 'dsse';
    expect(() => verify(file, bundle, trust, expected)).toThrow('unsupported kind "dsse 0.0.1"');
  });
});

describe('checkInclusionProofPresent', () => {
  test('accepts a proof with a checkpoint, and refuses less', () => {
    const entry = entryOf(signer.sign(artifact).bundle);
    const check = (changes: Partial<TransparencyLogEntry>): unknown =>
      codeOf(() => checkInclusionProofPresent({ ...entry, ...changes }));
    expect(check({})).toBeUndefined();
    expect(check({ inclusionProof: undefined })).toBe('LOG_ENTRY_INVALID');
    const { inclusionProof } = entry;
    if (inclusionProof === undefined) throw new Error('no proof');
    const withoutCheckpoint = { ...inclusionProof, checkpoint: undefined };
    expect(check({ inclusionProof: withoutCheckpoint })).toBe('LOG_ENTRY_INVALID');
  });
});

describe('checkInclusionProofMatchesCheckpoint', () => {
  const check = (change: (bundle: Bundle) => void): unknown => {
    const { bundle } = signer.sign(artifact);
    change(bundle);
    return codeOf(() => checkInclusionProofMatchesCheckpoint(entryOf(bundle)));
  };

  test('accepts size and root of the checkpoint', () => {
    expect(check(() => {})).toBeUndefined();
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

describe('an entry of Rekor v2', () => {
  const verified = (end: Date): Verified<Subject> => {
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

  test('of a log that is still in use', () => {
    expect(verified(new Date(Date.now() + DAY)).identity).toEqual(expected);
  });

  test('of a log that was retired before', () => {
    expect(codeOf(() => verified(new Date(Date.now() - 300 * DAY)))).toBe('LOG_ENTRY_INVALID');
  });
});
