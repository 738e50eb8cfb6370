import {
  MINUTE,
  RELEASE_IDENTITY,
  RELEASE_ISSUER,
  forgery,
  type BundleJson,
} from '../../support/index.js';
import { integer, sequence, utf8String } from '../../support/der.js';
import { STRANGER } from '../expectations.js';
import { world, stranger, unknownLog, unknownTimestamps, type BundleRow } from './stage.js';
import {
  DUPLICATES,
  MALFORMED,
  UNUSED,
  AUTHORITY_INFORMATION,
  unknownExtension,
  onAnotherCurve,
  anotherSignature,
  anotherCertificate,
  growUntilSizeIsAmbiguous,
  flipped,
  flippedBase64,
} from './changes.js';
import {
  SIGNATURE,
  CHAIN,
  TIMESTAMP,
  USAGE,
  NO_USAGE,
  IDENTITY,
  SECOND_NAME,
  TWO_ISSUERS,
  DUPLICATE,
  CRITICAL,
  MALFORMED_EXTENSION,
  UNUSED_EXTENSION,
  CURVE,
  RSA,
  SHA_384,
  ATTESTATION,
  BODY,
  PROOF,
  CHECKPOINT,
  TREE,
  SIZE,
  NO_PROOF,
  TIME,
  NO_TIME,
  NUMBERS,
  RESPONSE,
  BAD_TIMESTAMP_TOO,
  CHAIN_BEHIND,
  COSIGNED,
  UNSIGNED_TIME,
  BUNDLES,
  INVALID_SIGNATURE,
  OF_BUNDLE,
} from './claims.js';
import {
  olderBundle,
  entryOf,
  changingEntry,
  changingProof,
  withAnswer,
  signedAnew,
  withTimestamp,
  signatureOf,
  withChain,
  cosigned,
  timed,
  withUnsigned,
  sha384Bundle,
  attestation,
  OTHER_NAMES,
} from './bundles.js';

/** A bundle beside the artifact, with one thing changed. */
export const PUBLISHED: readonly BundleRow[] = [
  {
    shows: BUNDLES,
    what: 'version 0.1, Rekor v1',
    bundle: (bundle) => olderBundle('0.1', bundle),
    cosign: 'accepts',
    action: 'installed',
  },
  {
    shows: BUNDLES,
    what: 'version 0.2, Rekor v1',
    bundle: (bundle) => olderBundle('0.2', bundle),
    cosign: 'accepts',
    action: 'installed',
  },
  {
    shows: BUNDLES,
    what: 'version 0.3, Rekor v1',
    bundle: (bundle) => bundle,
    cosign: 'accepts',
    action: 'installed',
  },
  {
    shows: BUNDLES,
    what: 'version 0.3, Rekor v2 and an RFC 3161 timestamp',
    bundle: (_, { kubectl }) => kubectl.bundleV2(),
    cosign: 'accepts',
    action: 'installed',
  },
  {
    shows: CHAIN,
    what: 'a certificate of an authority that nobody knows',
    bundle: signedAnew({ authority: stranger }),
    cosign: OF_BUNDLE.BAD_CHAIN,
    action: 'CERTIFICATE_UNTRUSTED',
  },
  {
    shows: TIMESTAMP,
    what: 'a certificate without timestamp',
    bundle: signedAnew({ certificate: { sct: 'none' } }),
    cosign: OF_BUNDLE.NO_SCT,
    action: 'CERTIFICATE_UNTRUSTED',
  },
  {
    shows: TIMESTAMP,
    what: 'a certificate timestamp by another key',
    bundle: signedAnew({ certificate: { sct: 'other-key' } }),
    cosign: OF_BUNDLE.NO_SCT,
    action: 'CERTIFICATE_UNTRUSTED',
  },
  {
    shows: NO_USAGE,
    what: 'a certificate without extended key usage',
    bundle: signedAnew({ certificate: { extendedKeyUsages: [] } }),
    cosign: 'accepts',
    action: 'CERTIFICATE_UNTRUSTED',
  },
  {
    shows: USAGE,
    what: 'a certificate with the usage of a web server',
    bundle: signedAnew({ certificate: { extendedKeyUsages: ['1.3.6.1.5.5.7.3.1'] } }),
    cosign: OF_BUNDLE.BAD_CHAIN,
    action: 'CERTIFICATE_UNTRUSTED',
  },
  {
    shows: IDENTITY,
    what: 'somebody else',
    bundle: signedAnew(STRANGER),
    cosign: OF_BUNDLE.ANOTHER_IDENTITY,
    action: 'IDENTITY_MISMATCH',
  },
  {
    shows: IDENTITY,
    what: 'somebody whose name ends like the right one',
    bundle: signedAnew({
      certificate: { subjectAlternativeName: { email: `x${RELEASE_IDENTITY}` } },
    }),
    cosign: OF_BUNDLE.ANOTHER_IDENTITY,
    action: 'IDENTITY_MISMATCH',
  },
  {
    shows: IDENTITY,
    what: 'another issuer',
    bundle: signedAnew({ certificate: { issuer: 'https://accounts-google.com' } }),
    cosign: OF_BUNDLE.ANOTHER_IDENTITY,
    action: 'IDENTITY_MISMATCH',
  },
  {
    shows: SECOND_NAME,
    what: 'a second name behind the right one',
    bundle: signedAnew({ certificate: { subjectAlternativeName: OTHER_NAMES } }),
    cosign: 'accepts',
    action: 'IDENTITY_MISMATCH',
  },
  {
    shows: SECOND_NAME,
    what: 'a second name in front of the right one',
    bundle: signedAnew({ certificate: { subjectAlternativeName: OTHER_NAMES.toReversed() } }),
    cosign: OF_BUNDLE.ANOTHER_IDENTITY,
    action: 'IDENTITY_MISMATCH',
  },
  {
    shows: TWO_ISSUERS,
    what: 'the older issuer extension names another',
    bundle: signedAnew({
      certificate: { issuerExtensions: { v1: 'https://other.test', v2: RELEASE_ISSUER } },
    }),
    cosign: 'accepts',
    action: 'IDENTITY_MISMATCH',
  },
  {
    shows: TWO_ISSUERS,
    what: 'the newer issuer extension names another',
    bundle: signedAnew({
      certificate: { issuerExtensions: { v1: RELEASE_ISSUER, v2: 'https://other.test' } },
    }),
    cosign: OF_BUNDLE.ANOTHER_IDENTITY,
    action: 'IDENTITY_MISMATCH',
  },
  ...DUPLICATES.map(([what, second]) => ({
    shows: DUPLICATE,
    what: `a second ${what}`,
    bundle: signedAnew({ certificate: { moreExtensions: [second] } }),
    cosign: OF_BUNDLE.UNREADABLE,
    action: 'CERTIFICATE_UNTRUSTED' as const,
  })),
  {
    shows: CRITICAL,
    what: 'an unknown critical extension',
    bundle: signedAnew({ certificate: unknownExtension(true) }),
    cosign: OF_BUNDLE.BAD_CHAIN,
    action: 'CERTIFICATE_UNTRUSTED',
  },
  {
    shows: BUNDLES,
    what: 'with an unknown extension that is not critical',
    bundle: signedAnew({ certificate: unknownExtension(false) }),
    cosign: 'accepts',
    action: 'installed',
  },
  {
    shows: BUNDLES,
    what: 'with a key on P-384',
    bundle: signedAnew({ certificate: { key: 'p384' } }),
    cosign: 'accepts',
    action: 'installed',
  },
  ...MALFORMED.map(({ what, malformed, bundle: cosign }) => ({
    shows: MALFORMED_EXTENSION,
    what,
    bundle: signedAnew({ certificate: { moreExtensions: [malformed] } }),
    cosign,
    action: 'CERTIFICATE_UNTRUSTED' as const,
  })),
  ...UNUSED.map(([what, unused]) => ({
    shows: UNUSED_EXTENSION,
    what,
    bundle: signedAnew({ certificate: { moreExtensions: [unused] } }),
    cosign: 'accepts' as const,
    action: 'CERTIFICATE_UNTRUSTED' as const,
  })),
  {
    shows: BUNDLES,
    what: 'with the place of the certificate of its authority',
    bundle: signedAnew({ certificate: { moreExtensions: [AUTHORITY_INFORMATION] } }),
    cosign: 'accepts',
    action: 'installed',
  },
  {
    shows: CURVE,
    what: 'secp256k1',
    bundle: (bundle, publication) =>
      signedAnew({ certificate: onAnotherCurve() })(bundle, publication),
    cosign: OF_BUNDLE.UNREADABLE,
    action: 'CERTIFICATE_UNTRUSTED',
  },
  {
    shows: RSA,
    what: 'of 2048 bits',
    bundle: signedAnew({ certificate: { key: 'rsa' } }),
    cosign: 'accepts',
    action: 'CERTIFICATE_UNTRUSTED',
  },
  {
    shows: SHA_384,
    what: 'with a key on P-384',
    bundle: (_, { kubectl }) => sha384Bundle(kubectl),
    cosign: 'accepts',
    action: 'SIGNATURE_MALFORMED',
  },
  {
    shows: ATTESTATION,
    what: 'an in-toto statement about the binary',
    bundle: (_, { kubectl }) => attestation(kubectl),
    cosign: 'accepts',
    action: 'SIGNATURE_MALFORMED',
  },
  {
    shows: CHAIN_BEHIND,
    what: 'those of the authority',
    bundle: (bundle) => withChain(bundle, ...world.authority.chain),
    cosign: 'accepts',
    action: 'installed',
  },
  {
    shows: CHAIN_BEHIND,
    what: 'bytes that are none',
    bundle: (bundle) => withChain(bundle, Buffer.from('no certificate')),
    cosign: 'accepts',
    action: 'installed',
  },
  {
    shows: COSIGNED,
    what: 'fifty, Rekor v1',
    bundle: withAnswer(() => forgery.checkpointWithForeignSignatures(50)),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'installed',
  },
  {
    shows: COSIGNED,
    what: 'fifty, Rekor v2',
    bundle: (_, { kubectl }) => cosigned(kubectl.bundleV2(), 50),
    cosign: 'accepts',
    action: 'installed',
  },
  {
    shows: COSIGNED,
    what: 'two hundred, Rekor v2',
    bundle: (_, { kubectl }) => cosigned(kubectl.bundleV2(), 200),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'installed',
  },
  {
    shows: UNSIGNED_TIME,
    what: 'outside of the certificate’s validity',
    bundle: (_, { kubectl }) => timed(kubectl.bundleV2()),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'installed',
  },
  ...(['logIndex', 'treeSize'] as const).flatMap((name) =>
    [(n: number) => `0x${n.toString(16)}`, (n: number) => ` ${n}\n`].map((write) => ({
      shows: NUMBERS,
      what: `the ${name} of the proof as ${JSON.stringify(write(700))}`,
      bundle: changingProof((proof) => {
        proof[name] = write(Number(proof[name]));
      }),
      cosign: OF_BUNDLE.UNREADABLE,
      action: 'LOG_ENTRY_INVALID' as const,
    })),
  ),
  ...(['logIndex', 'integratedTime'] as const).map((name) => ({
    shows: NUMBERS,
    what: `the ${name} of the entry in hexadecimal`,
    bundle: changingEntry((entry) => {
      entry[name] = `0x${Number(entry[name]).toString(16)}`;
    }),
    cosign: OF_BUNDLE.UNREADABLE,
    action: 'LOG_ENTRY_INVALID' as const,
  })),
  {
    shows: RESPONSE,
    what: 'the status is not granted',
    bundle: withUnsigned({ status: sequence(integer(2)) }),
    cosign: OF_BUNDLE.NO_TIME,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: RESPONSE,
    what: 'the embedded certificate is that of another authority',
    bundle: withUnsigned({ certificates: [unknownTimestamps.leaf] }),
    cosign: OF_BUNDLE.NO_TIME,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: RESPONSE,
    what: 'a status text',
    bundle: withUnsigned({ status: sequence(integer(0), sequence(utf8String('a text'))) }),
    cosign: 'accepts',
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: BUNDLES,
    what: 'with a response that holds the whole chain of its authority',
    bundle: (bundle, publication) =>
      withUnsigned({ certificates: world.timestampAuthority.chain })(bundle, publication),
    cosign: 'accepts',
    action: 'installed',
  },
  {
    shows: BAD_TIMESTAMP_TOO,
    what: 'of an authority that nobody knows',
    bundle: (_, { kubectl }) => {
      const bundle = kubectl.bundleV2();
      const { rfc3161Timestamps = [] } =
        bundle.verificationMaterial.timestampVerificationData ?? {};
      const signedTimestamp = unknownTimestamps.timestamp(signatureOf(bundle)).toString('base64');
      rfc3161Timestamps.push({ signedTimestamp });
      return bundle;
    },
    cosign: 'accepts',
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: BODY,
    what: 'the entry of another file',
    bundle: (bundle, { version }) => {
      const other = world.release.sbom(version).bundle();
      bundle.verificationMaterial.tlogEntries = other.verificationMaterial.tlogEntries;
    },
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: BODY,
    what: 'an entry for another signature',
    bundle: withAnswer((kubectl) => forgery.anotherSignature(anotherSignature(kubectl))),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: BODY,
    what: 'an entry for another digest',
    bundle: withAnswer(() => forgery.anotherDigest('00'.repeat(32))),
    cosign: OF_BUNDLE.UNREADABLE,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: BODY,
    what: 'an entry for another certificate',
    bundle: withAnswer((kubectl) => forgery.anotherCertificate(anotherCertificate(kubectl))),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'an entry timestamp by another key',
    bundle: withAnswer(() => forgery.entryTimestampByAnotherKey()),
    cosign: OF_BUNDLE.NOT_PROVEN,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'no entry timestamp',
    bundle: withAnswer(() => forgery.withoutEntryTimestamp()),
    cosign: OF_BUNDLE.NO_TIME,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'no entry',
    bundle: ({ ...bundle }) =>
      olderBundle('0.1', {
        ...bundle,
        verificationMaterial: { ...bundle.verificationMaterial, tlogEntries: [] },
      }),
    cosign: OF_BUNDLE.NOT_PROVEN,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'the inclusion proof of another entry',
    bundle: withAnswer(() => forgery.proofOfAnotherIndex()),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'the entry of a log that nobody knows',
    bundle: withAnswer(() => forgery.fromAnotherLog(unknownLog)),
    cosign: OF_BUNDLE.NOT_PROVEN,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: CHECKPOINT,
    what: 'a checkpoint by another key',
    bundle: withAnswer(() => forgery.checkpointByAnotherKey()),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: TREE,
    what: 'a checkpoint over another root hash',
    bundle: withAnswer(() => forgery.checkpointOfAnotherRoot()),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: SIZE,
    what: 'another tree size than the checkpoint’s',
    bundle: (_, { kubectl }) => {
      growUntilSizeIsAmbiguous(kubectl.entry.index);
      return kubectl.bundle(forgery.treeSizeUnlikeCheckpoint());
    },
    cosign: 'accepts',
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: NO_PROOF,
    what: 'version 0.1',
    bundle: (bundle) => {
      delete entryOf(bundle).inclusionProof;
      return olderBundle('0.1', bundle);
    },
    cosign: 'accepts',
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: NO_PROOF,
    what: 'version 0.3',
    bundle: changingEntry((entry) => delete entry.inclusionProof),
    cosign: OF_BUNDLE.UNREADABLE,
    action: 'SIGNATURE_MALFORMED',
  },
  {
    shows: TIME,
    what: 'logged an hour after the certificate’s validity',
    bundle: withAnswer(() => forgery.shiftedTime(60 * MINUTE)),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: TIME,
    what: 'logged an hour before the certificate’s validity',
    bundle: withAnswer(() => forgery.shiftedTime(-60 * MINUTE)),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: NO_TIME,
    what: 'no timestamp',
    bundle: (_, { kubectl }) => {
      const bundle = kubectl.bundleV2();
      delete bundle.verificationMaterial.timestampVerificationData;
      return bundle;
    },
    cosign: OF_BUNDLE.NO_TIME,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: NO_TIME,
    what: 'a timestamp of an authority that nobody knows',
    bundle: (_, { kubectl }) => {
      const bundle = kubectl.bundleV2();
      return withTimestamp(bundle, unknownTimestamps.timestamp(signatureOf(bundle)));
    },
    cosign: OF_BUNDLE.NO_TIME,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: NO_TIME,
    what: 'a timestamp from after the certificate’s validity',
    bundle: (_, { kubectl }) => {
      const bundle = kubectl.bundleV2();
      return withTimestamp(bundle, world.timestampAuthority.timestamp(signatureOf(bundle)));
    },
    cosign: OF_BUNDLE.BAD_CHAIN,
    action: 'CERTIFICATE_UNTRUSTED',
  },
];

/** Changes to a bundle that the action wrote. */
export const TAMPERED: readonly BundleRow[] = [
  ...[0, 10, -1].map((at) => ({
    shows: SIGNATURE,
    what: `a bit of the signature, at ${at}`,
    bundle: ({ messageSignature }: BundleJson): void => {
      messageSignature.signature = flippedBase64(messageSignature.signature, at);
    },
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'SIGNATURE_MISMATCH' as const,
  })),
  {
    shows: SIGNATURE,
    what: 'a bit of the digest',
    bundle: ({ messageSignature: { messageDigest } }) => {
      messageDigest.digest = flippedBase64(messageDigest.digest, 0);
    },
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'SIGNATURE_MISMATCH',
  },
  {
    shows: SIGNATURE,
    what: 'the bundle of another file',
    bundle: (_, { version }) => world.release.sbom(version).bundle(),
    cosign: INVALID_SIGNATURE,
    action: 'SIGNATURE_MISMATCH',
  },
  ...(
    [
      ['signature algorithm', () => 40, 'CERTIFICATE_UNTRUSTED'],
      ['key', () => 200, 'CERTIFICATE_UNTRUSTED'],
      ['name', (der: Buffer) => der.indexOf(RELEASE_IDENTITY), 'IDENTITY_MISMATCH'],
      ['signature', () => -1, 'LOG_ENTRY_INVALID'],
    ] as const
  ).map(([part, at, action]) => ({
    shows: CHAIN,
    what: `a bit of the certificate’s ${part}`,
    bundle: ({ verificationMaterial: { certificate } }: BundleJson): void => {
      const der = Buffer.from(certificate.rawBytes, 'base64');
      certificate.rawBytes = flipped(der, at(der)).toString('base64');
    },
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action,
  })),
  ...[0, 120, -20].map((at) => ({
    shows: BODY,
    what: `a bit of the body, at ${at}`,
    bundle: changingEntry((entry) => {
      entry.canonicalizedBody = flippedBase64(entry.canonicalizedBody, at);
    }),
    cosign: OF_BUNDLE.UNREADABLE,
    action: 'LOG_ENTRY_INVALID' as const,
  })),
  ...[10, -1].map((at) => ({
    shows: PROOF,
    what: `a bit of the entry timestamp, at ${at}`,
    bundle: changingEntry(({ inclusionPromise }) => {
      if (inclusionPromise === undefined) throw new Error('no entry timestamp in this bundle');
      const { signedEntryTimestamp } = inclusionPromise;
      inclusionPromise.signedEntryTimestamp = flippedBase64(signedEntryTimestamp, at);
    }),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'LOG_ENTRY_INVALID' as const,
  })),
  {
    shows: PROOF,
    what: 'the time of the entry',
    bundle: changingEntry((entry) => {
      entry.integratedTime = String(Number(entry.integratedTime) + 1);
    }),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'the index of the entry',
    bundle: changingEntry((entry) => {
      entry.logIndex = String(Number(entry.logIndex) + 1);
    }),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'a bit of the log’s id',
    bundle: changingEntry(({ logId }) => {
      logId.keyId = flippedBase64(logId.keyId, 0);
    }),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'a bit of the inclusion proof',
    bundle: changingProof(({ hashes }) => {
      hashes[0] = flippedBase64(hashes[0] ?? '', 0);
    }),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'a hash of the inclusion proof is left out',
    bundle: changingProof(({ hashes }) => void hashes.pop()),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'the index of the inclusion proof',
    bundle: changingProof((proof) => {
      proof.logIndex = String(Number(proof.logIndex) - 1);
    }),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: TREE,
    what: 'a bit of the root hash',
    bundle: changingProof((proof) => {
      proof.rootHash = flippedBase64(proof.rootHash, 0);
    }),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: CHECKPOINT,
    what: 'a bit of the checkpoint’s signature',
    bundle: changingProof(({ checkpoint }) => {
      checkpoint.envelope = checkpoint.envelope.replace(
        /(\S+)\n$/,
        (_, signature: string) => `${flippedBase64(signature, -1)}\n`,
      );
    }),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: CHECKPOINT,
    what: 'a bit of the checkpoint’s root hash',
    bundle: changingProof(({ checkpoint }) => {
      const lines = checkpoint.envelope.split('\n');
      lines[2] = flippedBase64(lines[2] ?? '', 0);
      checkpoint.envelope = lines.join('\n');
    }),
    cosign: OF_BUNDLE.BAD_INCLUSION,
    action: 'LOG_ENTRY_INVALID',
  },
];
