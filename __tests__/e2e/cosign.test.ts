import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { ErrorCode } from '../../src/errors.js';
import {
  CertificateAuthority,
  Cosign,
  DAY,
  LoopbackServer,
  MINUTE,
  RELEASE_IDENTITY,
  RELEASE_ISSUER,
  TimestampAuthority,
  TransparencyLog,
  World,
  bundledEntries,
  certificateAuthorityApi,
  cosignTufEnvironment,
  findCosign,
  foreignSignatures,
  forgery,
  type ActionResult,
  type BundleJson,
  type BundledLogEntry,
  type CosignResult,
  type Expectation,
  type Forgery,
  type IssueOptions,
  type IssuedCertificate,
  type PublishedFile,
  type SignOptions,
  type UnsignedParts,
} from '../support/index.js';
import { MISSING, describeUnless, testUnless } from '../support/skip.js';
import { canonicalJson } from '../support/canonical-json.js';
import { integer, sequence, utf8String } from '../support/der.js';
import { OID, extension, generalName } from '../support/x509.js';
import {
  NATIVE,
  STRANGER,
  expectInstalled,
  expectRefused,
  freshVersions,
  requestsTo,
  runIn,
  serveAs,
  startServers,
  stopServers,
} from './expectations.js';

/**
 * A judge that is not ours: the same world before cosign 3 and before the action. Each row says what both make of it,
 * and so it says where they differ; `shows` is the line of the comparison in docs/verification.md.
 */
const found = findCosign();
const suite = describeUnless('executable' in found ? undefined : found.absent);

const fresh = freshVersions('1.43');
let world: World;
let cosign: Cosign;
let folder: string;
let authorityServer: LoopbackServer;
const stranger = CertificateAuthority.create();
const unknownLog = TransparencyLog.create({ baseEntries: 5 });
const unknownTimestamps = TimestampAuthority.create();

interface Publication {
  readonly version: string;
  readonly kubectl: PublishedFile;
}

/** What the action makes of a row: it installs, without a warning or with the one of that title, or refuses. */
type Outcome = 'installed' | 'installed: Broken publication' | ErrorCode;

interface Row {
  readonly shows: string;
  readonly what: string;
  /** `accepts`, or what cosign complains of. */
  readonly cosign: 'accepts' | RegExp;
  readonly action: Outcome;
  readonly flags?: readonly string[];
}

interface PairRow extends Row {
  readonly change?: (publication: Publication) => void;
}

interface BundleRow extends Row {
  /** What stands beside the artifact; its genuine bundle, changed in place, when nothing is returned. */
  readonly bundle: (bundle: BundleJson, publication: Publication) => unknown;
}

/** The release, genuine in every part; the log's index could otherwise make good what a row breaks. */
function publish(): Publication {
  const version = fresh();
  world.release.publish({ version, platforms: [NATIVE] });
  world.log.index.clear();
  return { version, kubectl: world.release.artifact(version, NATIVE, 'kubectl') };
}

const urlOf = ({ path }: PublishedFile): string => `${world.host.url}/${path}`;

/** Writes a file for cosign; returns its path. */
function write(name: string, content: Buffer | string): string {
  const path = join(mkdtempSync(join(folder, 'file-')), name);
  writeFileSync(path, content);
  return path;
}

function expectCosign(result: CosignResult, verdict: Row['cosign']): void {
  if (verdict === 'accepts') {
    expect(result.output).toMatch(/Verified OK\s*$/);
    expect(result.accepted).toBe(true);
  } else {
    expect(result.output).toMatch(verdict);
    expect(result.accepted).toBe(false);
  }
}

function expectAction(run: ActionResult, outcome: Outcome): void {
  if (outcome === 'installed') expectInstalled(run);
  else if (outcome === 'installed: Broken publication')
    expectInstalled(run, { warnings: ['Broken publication'] });
  else expectRefused(run, outcome);
}

/** Puts a bundle in the place of the pair. */
const beside =
  (bundleOf: (publication: Publication) => unknown) =>
  (publication: Publication): void => {
    const { kubectl } = publication;
    world.host.put(`${kubectl.path}.sigstore.json`, JSON.stringify(bundleOf(publication)));
    kubectl.removeMaterial();
  };

/** Signs anew, and has it logged. */
const signed =
  (options: SignOptions) =>
  ({ kubectl }: Publication): void => {
    kubectl.sign(options);
    world.log.index.clear();
  };

const certified = (certificate: IssueOptions): ((publication: Publication) => void) =>
  signed({ certificate });

const as = (email: string): ((publication: Publication) => void) =>
  certified({ subjectAlternativeName: { email } });

const answered = (tamper: () => Forgery) => (): void => {
  world.log.tamper = tamper();
};

const SIGNATURE = 'digest and signature over the bytes';
const CHAIN = 'certificate chain at the time of signing';
const TIMESTAMP = 'certificate timestamp by a known CT log';
const USAGE = 'certificate for another usage than code signing';
const NO_USAGE = 'certificate without extended key usage';
const IDENTITY = 'identity compared as a whole';
const SECOND_NAME = 'certificate with a second subject alternative name';
const TWO_ISSUERS = 'certificate whose two issuer extensions differ';
const DUPLICATE = 'certificate with two extensions of one kind';
const CRITICAL = 'certificate with an unknown critical extension';
const CURVE = 'key on another curve than P-256, P-384 or P-521';
const RSA = 'RSA key';
const SHA_384 = 'SHA-384 over the bytes';
const ATTESTATION = 'attestation that names the bytes';
const BODY = 'log entry made for another digest, signature or certificate';
const PROOF = 'entry timestamp and inclusion proof';
const CHECKPOINT = 'checkpoint signature';
const TREE = 'proof’s root hash unlike the checkpoint’s';
const SIZE = 'proof’s tree size unlike the checkpoint’s';
const NO_PROOF = 'bundle 0.1 without inclusion proof';
const TIME = 'entry time outside of the certificate’s validity';
const NO_TIME = 'Rekor v2 entry without RFC 3161 timestamp';
const NUMBERS = 'numbers that are not canonical decimals';
const RESPONSE = 'RFC 3161 response changed where nobody signed it';
const BAD_TIMESTAMP_TOO = 'a bad RFC 3161 timestamp beside a good one';
const CHAIN_BEHIND = 'certificates behind the leaf';
const COSIGNED = 'checkpoint signatures by others than the log';
const UNSIGNED_TIME = 'entry time that nobody signed';
const RELEASE = 'another version, tool or platform under the requested name';
const BROKEN = 'broken publication';
const PAIR = 'published `.sig` and `.cert`';
const BUNDLES = 'bundles 0.1, 0.2, 0.3; Rekor v1 and v2';
const GIVEN = 'identity and issuer must be given';
const SKIP = 'can be told to skip the log or the certificate timestamp';
const TRUST_ROOT = 'trust root through TUF, or a file';

const NAMES_MALLORY = extension.subjectAlternativeName(
  [generalName.rfc822Name('mallory@example.com')],
  false,
);

/** [what it is, a second one of it] */
const DUPLICATES: readonly [string, Buffer][] = [
  ['subject alternative name, which names somebody else', NAMES_MALLORY],
  ['older issuer', extension.of('1.3.6.1.4.1.57264.1.1', Buffer.from('https://other.test'))],
  ['newer issuer', extension.of('1.3.6.1.4.1.57264.1.8', utf8String('https://other.test'))],
  ['extended key usage', extension.extendedKeyUsage([OID.serverAuthentication])],
  ['key usage', extension.keyUsage(['keyCertSign'])],
];

const unknownExtension = (critical: boolean): IssueOptions => ({
  moreExtensions: [extension.of('1.3.6.1.4.1.99999.1', utf8String('a value'), critical)],
});

const onAnotherCurve = (): IssueOptions => ({
  key: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey,
});

/** The same key signs the same bytes once more: valid, but not the one that was published. */
const anotherSignature = ({ certificate, bytes }: PublishedFile): Buffer => certificate.sign(bytes);

/** The same key and name once more, in a certificate that is not the published one. */
const anotherCertificate = ({ certificate: { notBefore, privateKey } }: PublishedFile): string =>
  world.authority.issue({ notBefore, key: privateKey }).pem;

/**
 * Lets the log grow until the proof of an entry looks the same in a tree with one entry more (RFC 6962 §2.1.1): then
 * nothing but the checkpoint tells the sizes apart.
 */
function growUntilSizeIsAmbiguous(index: number): void {
  const { log } = world;
  const sameShape = (): boolean =>
    Math.clz32(index ^ (log.tree.size - 1)) === Math.clz32(index ^ log.tree.size);
  while (!sameShape()) log.addBody(Buffer.from(`{"n":${log.tree.size}}`));
}

const flipped = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  const index = at < 0 ? copy.length + at : at;
  copy.writeUInt8(copy.readUInt8(index) ^ 0x01, index);
  return copy;
};

const flippedBase64 = (text: string, at: number): string =>
  flipped(Buffer.from(text, 'base64'), at).toString('base64');

/** Serves `suffix` of the release's SBOM in the place of the binary's. */
const ofTheSbom = (...suffixes: string[]) => {
  return ({ version, kubectl }: Publication): void => {
    const sbom = world.release.sbom(version);
    for (const suffix of suffixes) {
      world.host.put(`${kubectl.path}${suffix}`, world.host.get(`${sbom.path}${suffix}`));
    }
  };
};

/** What cosign complains of, in its own words: it must refuse for the right reason. */
const INVALID_SIGNATURE = /invalid signature when validating ASN.1 encoded signature/;
const UNKNOWN_AUTHORITY = /signed by unknown authority/;
const WRONG_USAGE = /incompatible key usage/;
const DUPLICATE_EXTENSION = /certificate contains duplicate extension/;
const UNHANDLED_EXTENSION = /unhandled critical extension/;
const NO_SCT = /embedded SCT|ctfe public key not found/;
const ANOTHER_IDENTITY = /none of the expected identities matched/;
const NOT_IN_LOG = /signature not found in transparency log/;
const ANOTHER_ENTRY = /no valid tlog entries found/;
const BAD_TIMESTAMP = /unable to verify SET/;
const BAD_PROOF = /verifying inclusion proof: calculated root/;
const UNKNOWN_LOG = /rekor log public key not found/;
const OUT_OF_TIME = /certificate (?:expired before|was issued after) observed time/;

/** The same of a bundle. */
const OF_BUNDLE = {
  BAD_CHAIN: /failed to verify leaf certificate/,
  NO_SCT: /failed to verify signed certificate timestamp/,
  ANOTHER_IDENTITY: /no matching CertificateIdentity found/,
  /** What it cannot read as a bundle it takes for one of the format before, and has no trusted root for that. */
  UNREADABLE: /--trusted-root only supported with --new-bundle-format/,
  NOT_PROVEN: /not enough verified log entries/,
  NO_TIME: /failed to verify timestamps/,
  BAD_INCLUSION: /failed to verify log inclusion/,
} as const;

const PAIRS: readonly PairRow[] = [
  { shows: PAIR, what: 'the genuine pair', cosign: 'accepts', action: 'installed' },
  {
    shows: SIGNATURE,
    what: 'a bit of the binary is flipped',
    change: ({ kubectl }) => kubectl.replace(flipped(kubectl.bytes, 20_000)),
    cosign: INVALID_SIGNATURE,
    action: 'SIGNATURE_MISMATCH',
  },
  {
    shows: SIGNATURE,
    what: 'a bit of the signature is flipped',
    change: ({ kubectl: { path, signature } }) =>
      world.host.put(`${path}.sig`, flipped(signature, -1).toString('base64')),
    cosign: INVALID_SIGNATURE,
    action: 'SIGNATURE_MISMATCH',
  },
  {
    shows: SIGNATURE,
    what: 'the .sig is that of another file',
    change: ofTheSbom('.sig'),
    cosign: INVALID_SIGNATURE,
    action: 'SIGNATURE_MISMATCH',
  },
  {
    shows: SIGNATURE,
    what: 'the .cert is that of another file',
    change: ofTheSbom('.cert'),
    cosign: INVALID_SIGNATURE,
    action: 'SIGNATURE_MISMATCH',
  },
  {
    shows: SIGNATURE,
    what: '.sig and .cert are those of another file',
    change: ofTheSbom('.sig', '.cert'),
    cosign: INVALID_SIGNATURE,
    action: 'SIGNATURE_MISMATCH',
  },
  {
    shows: SIGNATURE,
    what: 'the .sig is no signature',
    change: ({ kubectl: { path } }) => world.host.put(`${path}.sig`, '<html>'),
    cosign: INVALID_SIGNATURE,
    action: 'SIGNATURE_MALFORMED',
  },
  {
    shows: BROKEN,
    what: 'the .cert is that of another file, but the log knows the right one',
    change: (publication) => {
      ofTheSbom('.cert')(publication);
      const { sha256, entry } = publication.kubectl;
      world.log.index.set(sha256, [entry.uuid]);
    },
    cosign: INVALID_SIGNATURE,
    action: 'installed: Broken publication',
  },
  {
    shows: CHAIN,
    what: 'an authority that nobody knows issued the certificate',
    change: signed({ authority: stranger }),
    cosign: UNKNOWN_AUTHORITY,
    action: 'CERTIFICATE_UNTRUSTED',
  },
  ...(['none', 'other-key', 'unknown-log'] as const).map((sct) => ({
    shows: TIMESTAMP,
    what: `the certificate timestamp: ${sct}`,
    change: certified({ sct }),
    cosign: NO_SCT,
    action: 'CERTIFICATE_UNTRUSTED' as const,
  })),
  {
    shows: NO_USAGE,
    what: 'no extended key usage',
    change: certified({ extendedKeyUsages: [] }),
    cosign: 'accepts',
    action: 'CERTIFICATE_UNTRUSTED',
  },
  {
    shows: USAGE,
    what: 'the usage of a web server',
    change: certified({ extendedKeyUsages: ['1.3.6.1.5.5.7.3.1'] }),
    cosign: WRONG_USAGE,
    action: 'CERTIFICATE_UNTRUSTED',
  },
  ...[
    'krel-staging@k8s-releng-prod.iam-gserviceaccount.com',
    'krel-staging@k8s-releng-prodXiam.gserviceaccount.com',
    `x${RELEASE_IDENTITY}`,
    `${RELEASE_IDENTITY}.evil.example`,
    RELEASE_IDENTITY.toUpperCase(),
    'krel-trust@k8s-releng-prod.iam.gserviceaccount.com',
  ].map((email) => ({
    shows: IDENTITY,
    what: `signed by ${email}`,
    change: as(email),
    cosign: ANOTHER_IDENTITY,
    action: 'IDENTITY_MISMATCH' as const,
  })),
  ...['https://accounts.google.com.evil.example', 'https://accounts-google.com', ''].map(
    (issuer) => ({
      shows: IDENTITY,
      what: `vouched for by ${JSON.stringify(issuer)}`,
      change: certified({ issuer }),
      cosign: ANOTHER_IDENTITY,
      action: 'IDENTITY_MISMATCH' as const,
    }),
  ),
  {
    shows: SECOND_NAME,
    what: 'a second name behind the right one',
    change: certified({
      subjectAlternativeName: [{ email: RELEASE_IDENTITY }, { email: 'mallory@example.com' }],
    }),
    cosign: 'accepts',
    action: 'IDENTITY_MISMATCH',
  },
  {
    shows: SECOND_NAME,
    what: 'a second name in front of the right one',
    change: certified({
      subjectAlternativeName: [{ email: 'mallory@example.com' }, { email: RELEASE_IDENTITY }],
    }),
    cosign: 'accepts',
    action: 'IDENTITY_MISMATCH',
  },
  {
    shows: TWO_ISSUERS,
    what: 'the older issuer extension names another',
    change: certified({ issuerExtensions: { v1: 'https://other.test', v2: RELEASE_ISSUER } }),
    cosign: ANOTHER_IDENTITY,
    action: 'IDENTITY_MISMATCH',
  },
  {
    shows: TWO_ISSUERS,
    what: 'the newer issuer extension names another',
    change: certified({ issuerExtensions: { v1: RELEASE_ISSUER, v2: 'https://other.test' } }),
    cosign: 'accepts',
    action: 'IDENTITY_MISMATCH',
  },
  ...DUPLICATES.map(([what, second]) => ({
    shows: DUPLICATE,
    what: `a second ${what}`,
    change: certified({ moreExtensions: [second] }),
    cosign: DUPLICATE_EXTENSION,
    action: 'CERTIFICATE_UNTRUSTED' as const,
  })),
  {
    shows: DUPLICATE,
    what: 'second basic constraints',
    change: certified({
      moreExtensions: [extension.basicConstraints(false), extension.basicConstraints(true)],
    }),
    cosign: DUPLICATE_EXTENSION,
    action: 'CERTIFICATE_UNTRUSTED',
  },
  {
    shows: CRITICAL,
    what: 'an unknown critical extension',
    change: certified(unknownExtension(true)),
    cosign: UNHANDLED_EXTENSION,
    action: 'CERTIFICATE_UNTRUSTED',
  },
  {
    shows: PAIR,
    what: 'with an unknown extension that is not critical',
    change: certified(unknownExtension(false)),
    cosign: 'accepts',
    action: 'installed',
  },
  {
    shows: PAIR,
    what: 'with a key on P-384',
    change: certified({ key: 'p384' }),
    cosign: 'accepts',
    action: 'installed',
  },
  {
    shows: CURVE,
    what: 'secp256k1',
    change: (publication) => certified(onAnotherCurve())(publication),
    cosign: /unsupported elliptic curve/,
    action: 'CERTIFICATE_UNTRUSTED',
  },
  {
    shows: RSA,
    what: 'of 2048 bits',
    change: certified({ key: 'rsa' }),
    cosign: 'accepts',
    action: 'SIGNATURE_MALFORMED',
  },
  {
    shows: SHA_384,
    what: 'with a key on P-384',
    change: ({ kubectl }) => {
      const { certificate } = kubectl.sign({ certificate: { key: 'p384' }, log: false });
      const signature = sign('sha384', kubectl.bytes, certificate.privateKey);
      world.host.put(`${kubectl.path}.sig`, signature.toString('base64'));
    },
    cosign: INVALID_SIGNATURE,
    action: 'SIGNATURE_MISMATCH',
  },
  {
    shows: COSIGNED,
    what: 'fifty signatures by others in the log’s answer',
    change: answered(() => forgery.checkpointWithForeignSignatures(50)),
    cosign: 'accepts',
    action: 'installed',
  },
  {
    shows: BODY,
    what: 'the log answers with another entry',
    change: ({ version }) => {
      world.log.tamper = forgery.anotherEntry(world.release.sbom(version).entry);
    },
    cosign: ANOTHER_ENTRY,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: BODY,
    what: 'the log answers with an entry for another signature',
    change: ({ kubectl }) => {
      world.log.tamper = forgery.anotherSignature(anotherSignature(kubectl));
    },
    cosign: 'accepts',
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: BODY,
    what: 'the log answers with an entry for another digest',
    change: answered(() => forgery.anotherDigest('00'.repeat(32))),
    cosign: 'accepts',
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: BODY,
    what: 'the log answers with an entry for another certificate',
    change: ({ kubectl }) => {
      world.log.tamper = forgery.anotherCertificate(anotherCertificate(kubectl));
    },
    cosign: 'accepts',
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'no log entry',
    change: ({ kubectl }) => void kubectl.sign({ log: false }),
    cosign: NOT_IN_LOG,
    action: 'LOG_ENTRY_NOT_FOUND',
  },
  {
    shows: PROOF,
    what: 'an entry under an id that is not its own',
    change: answered(() => forgery.underAnotherId()),
    cosign: ANOTHER_ENTRY,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'an entry timestamp by another key',
    change: answered(() => forgery.entryTimestampByAnotherKey()),
    cosign: BAD_TIMESTAMP,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'no entry timestamp',
    change: answered(() => forgery.withoutEntryTimestamp()),
    cosign: BAD_TIMESTAMP,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'a time that nobody vouches for',
    change: answered(() => forgery.unsignedTime(MINUTE)),
    cosign: BAD_TIMESTAMP,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'an index that nobody vouches for',
    change: answered(() => forgery.anotherLogIndex()),
    cosign: BAD_TIMESTAMP,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'no inclusion proof',
    change: answered(() => forgery.withoutInclusionProof()),
    cosign: /inclusion proof not provided/,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'a flipped bit in the inclusion proof',
    change: answered(() => forgery.flippedProofHash()),
    cosign: BAD_PROOF,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'the inclusion proof of another entry',
    change: answered(() => forgery.proofOfAnotherIndex()),
    cosign: BAD_PROOF,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: PROOF,
    what: 'the entry of a log that nobody knows',
    change: answered(() => forgery.fromAnotherLog(unknownLog)),
    cosign: UNKNOWN_LOG,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: CHECKPOINT,
    what: 'a checkpoint by another key',
    change: answered(() => forgery.checkpointByAnotherKey()),
    cosign: 'accepts',
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: CHECKPOINT,
    what: 'a flipped bit in the checkpoint’s signature',
    change: answered(() => forgery.checkpointWithBadSignature()),
    cosign: 'accepts',
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: TREE,
    what: 'a checkpoint over another root hash',
    change: answered(() => forgery.checkpointOfAnotherRoot()),
    cosign: 'accepts',
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: SIZE,
    what: 'another tree size than the checkpoint’s',
    change: ({ kubectl }) => {
      growUntilSizeIsAmbiguous(kubectl.entry.index);
      world.log.tamper = forgery.treeSizeUnlikeCheckpoint();
    },
    cosign: 'accepts',
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: TREE,
    what: 'another root hash than the checkpoint’s',
    change: answered(() => forgery.rootHashUnlikeCheckpoint()),
    cosign: BAD_PROOF,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: TIME,
    what: 'logged an hour after the certificate’s validity',
    change: answered(() => forgery.shiftedTime(60 * MINUTE)),
    cosign: OUT_OF_TIME,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: TIME,
    what: 'logged an hour before the certificate’s validity',
    change: answered(() => forgery.shiftedTime(-60 * MINUTE)),
    cosign: OUT_OF_TIME,
    action: 'LOG_ENTRY_INVALID',
  },
  {
    shows: RELEASE,
    what: 'an older version in the place of the newer',
    change: ({ kubectl }) => serveAs(world, publish().kubectl, kubectl.path),
    cosign: 'accepts',
    action: 'RELEASE_MISMATCH',
  },
  {
    shows: RELEASE,
    what: 'another file of the release in the place of the binary',
    change: ({ version, kubectl }) => serveAs(world, world.release.sbom(version), kubectl.path),
    cosign: 'accepts',
    action: 'RELEASE_MISMATCH',
  },
  {
    shows: SKIP,
    what: 'no certificate timestamp, and told to skip it',
    change: certified({ sct: 'none' }),
    flags: ['--insecure-ignore-sct'],
    cosign: 'accepts',
    action: 'CERTIFICATE_UNTRUSTED',
  },
  {
    shows: SKIP,
    what: 'no log entry while the certificate is valid, and told to skip it',
    change: ({ kubectl }) => void kubectl.sign({ log: false, at: new Date() }),
    flags: ['--insecure-ignore-tlog'],
    cosign: 'accepts',
    action: 'LOG_ENTRY_NOT_FOUND',
  },
];

/** The older forms: the certificate stands in a chain, and 0.1 needs no inclusion proof. */
function olderBundle(version: '0.1' | '0.2', bundle: BundleJson): unknown {
  const { certificate, ...material } = bundle.verificationMaterial;
  return {
    mediaType: `application/vnd.dev.sigstore.bundle+json;version=${version}`,
    verificationMaterial: { x509CertificateChain: { certificates: [certificate] }, ...material },
    messageSignature: bundle.messageSignature,
  };
}

/** The one log entry of a bundle. */
function entryOf({ verificationMaterial }: BundleJson): BundledLogEntry {
  const [entry] = verificationMaterial.tlogEntries;
  if (entry === undefined) throw new Error('no log entry in this bundle');
  return entry;
}

type Proof = NonNullable<BundledLogEntry['inclusionProof']>;

function proofOf(bundle: BundleJson): Proof {
  const { inclusionProof } = entryOf(bundle);
  if (inclusionProof === undefined) throw new Error('no inclusion proof in this bundle');
  return inclusionProof;
}

const changingEntry =
  (change: (entry: BundledLogEntry) => void) =>
  (bundle: BundleJson): void =>
    change(entryOf(bundle));

const changingProof =
  (change: (proof: Proof) => void) =>
  (bundle: BundleJson): void =>
    change(proofOf(bundle));

/** The genuine bundle with another answer of the log in it. */
const withAnswer =
  (tamper: (kubectl: PublishedFile) => Forgery) =>
  (_: BundleJson, { kubectl }: Publication): BundleJson =>
    kubectl.bundle(tamper(kubectl));

const signedAnew =
  (options: SignOptions) =>
  (_: BundleJson, { kubectl }: Publication): BundleJson => {
    kubectl.sign(options);
    return kubectl.bundle();
  };

const withTimestamp = (bundle: BundleJson, timestamp: Buffer): BundleJson => {
  bundle.verificationMaterial.timestampVerificationData = {
    rfc3161Timestamps: [{ signedTimestamp: timestamp.toString('base64') }],
  };
  return bundle;
};

const signatureOf = ({ messageSignature }: BundleJson): Buffer =>
  Buffer.from(messageSignature.signature, 'base64');

/** A bundle of version 0.2 with certificates behind the leaf. */
function withChain(bundle: BundleJson, ...behind: readonly Buffer[]): unknown {
  const { certificate, ...material } = bundle.verificationMaterial;
  const certificates = behind.map((der) => ({ rawBytes: der.toString('base64') }));
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.2',
    verificationMaterial: {
      x509CertificateChain: { certificates: [certificate, ...certificates] },
      ...material,
    },
    messageSignature: bundle.messageSignature,
  };
}

function cosigned(bundle: BundleJson, count: number): BundleJson {
  proofOf(bundle).checkpoint.envelope += foreignSignatures(count);
  return bundle;
}

function timed(bundle: BundleJson): BundleJson {
  entryOf(bundle).integratedTime = '1600000000';
  return bundle;
}

/** A bundle of Rekor v2 whose RFC 3161 response differs in what nobody signed. */
const withUnsigned =
  (parts: UnsignedParts) =>
  (_: BundleJson, { kubectl }: Publication): BundleJson => {
    const at = new Date(Date.now() - 30 * DAY);
    const bundle = kubectl.bundleV2({ at });
    const { timestampAuthority } = world;
    return withTimestamp(bundle, timestampAuthority.timestamp(signatureOf(bundle), at, parts));
  };

/** A certificate, and the log's entry (Rekor v1) of whatever kind for a signature with its key. */
function loggedAs(
  kind: 'hashedrekord' | 'dsse',
  key: 'p256' | 'p384',
  specOf: (certificate: IssuedCertificate) => unknown,
): { rawBytes: string; entry: BundledLogEntry } {
  const certificate = world.authority.issue({ key, notBefore: new Date(Date.now() - 30 * DAY) });
  const body = { apiVersion: '0.0.1', kind, spec: specOf(certificate) };
  const at = new Date(certificate.notBefore.getTime() + 1000);
  const { uuid } = world.log.addBody(Buffer.from(canonicalJson(body)), at);
  const [entry] = bundledEntries(world.log.answer(uuid) ?? {});
  if (entry === undefined) throw new Error('the signature was not logged');
  const rawBytes = certificate.der.toString('base64');
  return { rawBytes, entry: { ...entry, kindVersion: { kind, version: '0.0.1' } } };
}

const base64Of = (bytes: string | Buffer): string => Buffer.from(bytes).toString('base64');

const BUNDLE_V03 = 'application/vnd.dev.sigstore.bundle.v0.3+json';

/** What cosign writes with a key on P-384: digest and signature with SHA-384. */
function sha384Bundle({ bytes }: PublishedFile): unknown {
  const digest = createHash('sha384').update(bytes).digest();
  let signature = '';
  const { rawBytes, entry } = loggedAs('hashedrekord', 'p384', ({ pem, privateKey }) => {
    signature = sign('sha384', bytes, privateKey).toString('base64');
    return {
      data: { hash: { algorithm: 'sha384', value: digest.toString('hex') } },
      signature: { content: signature, publicKey: { content: base64Of(pem) } },
    };
  });
  return {
    mediaType: BUNDLE_V03,
    verificationMaterial: { certificate: { rawBytes }, tlogEntries: [entry] },
    messageSignature: {
      messageDigest: { algorithm: 'SHA2_384', digest: digest.toString('base64') },
      signature,
    },
  };
}

/** A DSSE envelope with an in-toto statement, as `cosign attest-blob` writes it; Rekor's dsse 0.0.1 (pkg/types/dsse/v0.0.1). */
function attestation({ sha256 }: PublishedFile): unknown {
  const payloadType = 'application/vnd.in-toto+json';
  const payload = JSON.stringify({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'kubectl', digest: { sha256 } }],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {},
  });
  const signed = `DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} ${payload}`;
  const hashOf = (text: string): unknown => ({
    algorithm: 'sha256',
    value: createHash('sha256').update(text).digest('hex'),
  });
  let sig = '';
  const { rawBytes, entry } = loggedAs('dsse', 'p256', (certificate) => {
    sig = certificate.sign(Buffer.from(signed)).toString('base64');
    return {
      envelopeHash: hashOf(JSON.stringify({ payload: base64Of(payload), payloadType })),
      payloadHash: hashOf(payload),
      signatures: [{ signature: sig, verifier: base64Of(certificate.pem) }],
    };
  });
  return {
    mediaType: BUNDLE_V03,
    verificationMaterial: { certificate: { rawBytes }, tlogEntries: [entry] },
    dsseEnvelope: { payload: base64Of(payload), payloadType, signatures: [{ sig }] },
  };
}

const OTHER_NAMES = [{ email: RELEASE_IDENTITY }, { email: 'mallory@example.com' }] as const;

const PUBLISHED: readonly BundleRow[] = [
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
const TAMPERED: readonly BundleRow[] = [
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

suite('cosign', () => {
  beforeAll(async () => {
    if (!('executable' in found)) return;
    folder = mkdtempSync(join(tmpdir(), 'cosign-'));
    world = await World.start();
    cosign = new Cosign(found.executable, world, folder);
    authorityServer = await LoopbackServer.start(certificateAuthorityApi(world.authority));
  });
  afterEach(async () => {
    await startServers(world);
    world.reset();
  });
  afterAll(async () => {
    await Promise.all([world.stop(), authorityServer.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  describe('verify-blob --signature --certificate --rekor-url', () => {
    test.each(PAIRS)('$shows: $what', async ({ change, flags = [], ...row }) => {
      const publication = publish();
      change?.(publication);
      const [theirs, ours] = await Promise.all([
        cosign.verifyBlob(urlOf(publication.kubectl), {}, { flags }),
        runIn(world, { version: publication.version }),
      ]);
      expectCosign(theirs, row.cosign);
      expectAction(ours, row.action);
    });

    test(`${PAIR}: those of the SBOM`, async () => {
      const sbom = world.release.sbom(publish().version);
      expectCosign(await cosign.verifyBlob(urlOf(sbom)), 'accepts');
      sbom.replace(Buffer.concat([sbom.bytes, Buffer.from('\n')]));
      expectCosign(await cosign.verifyBlob(urlOf(sbom)), INVALID_SIGNATURE);
    });
  });

  /** Puts a bundle beside the artifact, asks cosign, and, without the pair, the action. */
  async function judge(
    { version, kubectl }: Publication,
    row: BundleRow,
    genuine = kubectl.bundle(),
  ): Promise<void> {
    const bundle = JSON.stringify(row.bundle(genuine, { version, kubectl }) ?? genuine);
    world.log.index.clear();
    for (const suffix of ['.sig', '.cert']) world.host.files.delete(`${kubectl.path}${suffix}`);
    const file = write('kubectl', kubectl.bytes);
    expectCosign(await cosign.verifyBundle(file, write('bundle.json', bundle)), row.cosign);
    expect(requestsTo(world)).toEqual([]);
    world.host.put(`${kubectl.path}.sigstore.json`, bundle);
    expectAction(await runIn(world, { version }), row.action);
  }

  describe('verify-blob --bundle --trusted-root, of a bundle beside the artifact', () => {
    test.each(PUBLISHED)('$shows: $what', (row) => judge(publish(), row));
  });

  describe('bundle create, as in "Verify by hand" in the README', () => {
    /** Makes a bundle of the published pair; returns the paths of file and bundle. */
    async function bundleOfPair({
      kubectl,
    }: Publication): Promise<{ file: string; bundle: string; created: CosignResult }> {
      const file = write('kubectl', kubectl.bytes);
      const material = (ending: string): string =>
        write(`kubectl${ending}`, world.host.get(`${kubectl.path}${ending}`));
      const bundle = join(mkdtempSync(join(folder, 'bundle-')), 'kubectl.sigstore.json');
      const created = await cosign.run(
        [
          ...['bundle', 'create', '--artifact', file, '--out', bundle],
          ...['--signature', material('.sig'), '--certificate', material('.cert')],
          ...['--rekor-url', world.logServer.url],
        ],
        cosignTufEnvironment(world),
      );
      return { file, bundle, created };
    }

    test('the published pair gives a bundle that proves without network', async () => {
      const { file, bundle, created } = await bundleOfPair(publish());
      expect(created.output).not.toContain('rror');
      expect(created.accepted).toBe(true);
      await stopServers(world);
      expectCosign(await cosign.verifyBundle(file, bundle), 'accepts');
      const stranger = { identity: 'mallory@example.com' };
      expectCosign(await cosign.verifyBundle(file, bundle, stranger), OF_BUNDLE.ANOTHER_IDENTITY);
    });

    /** The README's own commands, against this world. `--rekor-url` names its log instead of Sigstore's. */
    function readmeCommands(version: string): string {
      const readme = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');
      const [, commands = ''] = /^## Verify by hand$.*?^```bash\n(.*?)^```$/ms.exec(readme) ?? [];
      expect(commands.match(/^cosign /gm)).toHaveLength(4);
      return commands
        .replaceAll('https://dl.k8s.io', world.host.url)
        .replaceAll('v1.31.9', version)
        .replaceAll('linux/amd64', NATIVE)
        .replaceAll(
          'cosign bundle create',
          `cosign bundle create --rekor-url ${world.logServer.url}`,
        );
    }

    function runReadme(version: string): Promise<CosignResult> {
      if (!('executable' in found)) throw new Error(found.absent);
      const path = mkdtempSync(join(folder, 'path-'));
      symlinkSync(found.executable, join(path, 'cosign'));
      const env = {
        ...process.env,
        ...cosignTufEnvironment(world),
        PATH: `${path}:${process.env['PATH'] ?? ''}`,
        HOME: mkdtempSync(join(folder, 'home-')),
      };
      const cwd = mkdtempSync(join(folder, 'readme-'));
      const words = ['-euo', 'pipefail', '-c', readmeCommands(version)];
      return new Promise((resolve) => {
        execFile('bash', words, { cwd, env, timeout: 60_000 }, (error, stdout, stderr) => {
          resolve({ accepted: error === null, output: `${stdout}${stderr}` });
        });
      });
    }

    const onLinux = testUnless(MISSING.linux);

    onLinux('the commands of the README accept a genuine release', async () => {
      const { accepted, output } = await runReadme(publish().version);
      expect(output.match(/Verified OK/g)).toHaveLength(2);
      expect(accepted).toBe(true);
    });

    onLinux('and refuse another release under its name', async () => {
      const older = publish();
      const { version, kubectl } = publish();
      kubectl.replace(older.kubectl.bytes);
      for (const ending of ['.sig', '.cert']) {
        world.host.put(
          `${kubectl.path}${ending}`,
          world.host.get(`${older.kubectl.path}${ending}`),
        );
      }
      const { accepted, output } = await runReadme(version);
      expect(output.match(/Verified OK/g)).toHaveLength(2);
      expect(accepted).toBe(false);
    });

    test('the certificate of another signing run gives none', async () => {
      const publication = publish();
      ofTheSbom('.cert')(publication);
      const { bundle, created } = await bundleOfPair(publication);
      expect(created.accepted).toBe(false);
      expect(existsSync(bundle)).toBe(false);
    });
  });

  describe('verify-blob --bundle --trusted-root, of what the action writes, while nobody answers', () => {
    /** Installs, stops all servers, and returns where file and evidence lie. */
    async function evidence(version: string): Promise<string> {
      const run = await runIn(world, { version });
      expect(run.exitCode).toBe(0);
      await stopServers(world);
      return run.outputs['kubectl-path'] ?? '';
    }

    async function expectEvidence(file: string): Promise<void> {
      const check = (expectation: Expectation = {}): Promise<CosignResult> =>
        cosign.verifyBundle(file, `${file}.sigstore.json`, expectation);
      expectCosign(await check(), 'accepts');
      expectCosign(await check({ identity: 'mallory@example.com' }), OF_BUNDLE.ANOTHER_IDENTITY);
      expectCosign(await check({ issuer: 'https://other.test' }), OF_BUNDLE.ANOTHER_IDENTITY);
    }

    test.each<[string, (publication: Publication) => void]>([
      ['from .sig and .cert', () => {}],
      [
        'recovered from the log',
        ({ version, kubectl }) => {
          ofTheSbom('.cert')({ version, kubectl });
          world.log.index.set(kubectl.sha256, [kubectl.entry.uuid]);
        },
      ],
      ...(['0.1', '0.2'] as const).map((bundleVersion): [string, (p: Publication) => void] => [
        `from a bundle of version ${bundleVersion}`,
        beside(({ kubectl }) => olderBundle(bundleVersion, kubectl.bundle())),
      ]),
      ['from a bundle of version 0.3', beside(({ kubectl }) => kubectl.bundle())],
      ['from a bundle with an entry of Rekor v2', beside(({ kubectl }) => kubectl.bundleV2())],
      [
        'from a bundle with certificates behind the leaf',
        beside(({ kubectl }) => withChain(kubectl.bundle(), Buffer.from('no certificate'))),
      ],
      [
        'from a log whose checkpoint others have signed too',
        answered(() => forgery.checkpointWithForeignSignatures(50)),
      ],
      [
        'from a bundle whose checkpoint others have signed too (Rekor v1)',
        beside(({ kubectl }) => cosigned(kubectl.bundle(), 50)),
      ],
      [
        'from a bundle whose checkpoint others have signed too (Rekor v2)',
        beside(({ kubectl }) => cosigned(kubectl.bundleV2(), 200)),
      ],
      [
        'from a bundle with a time that nobody signed',
        beside(({ kubectl }) => timed(kubectl.bundleV2())),
      ],
      [
        'from a bundle with a response that holds no certificate',
        beside((publication) =>
          withUnsigned({ certificates: [] })(publication.kubectl.bundle(), publication),
        ),
      ],
    ])('of kubectl: %s', async (_, change) => {
      const publication = publish();
      change(publication);
      await expectEvidence(await evidence(publication.version));
    });

    test('of the SBOM', async () => {
      const kubectl = await evidence(publish().version);
      await expectEvidence(join(kubectl, '..', 'kubernetes-release.spdx'));
    });

    test(`${TRUST_ROOT}: the trust root through TUF`, async () => {
      const { version, kubectl } = publish();
      const pair = await cosign.verifyBlob(urlOf(kubectl), {}, {}, cosignTufEnvironment(world));
      expectCosign(pair, 'accepts');
      const run = await runIn(world, { version });
      const file = run.outputs['kubectl-path'] ?? '';
      const bundle = run.outputs['bundle-path'] ?? '';
      expectCosign(await cosign.verifyBundleThroughTuf(file, bundle), 'accepts');
      const other = await World.start({ baseEntries: 1 });
      const trustedRoot = other.writeTrustedRoot();
      expectCosign(await cosign.verifyBundle(file, bundle, {}, trustedRoot), OF_BUNDLE.NOT_PROVEN);
      await other.stop();
    });

    test(`${GIVEN}, or as regular expressions`, async () => {
      const { version, kubectl } = publish();
      const file = write('kubectl', kubectl.bytes);
      const bundle = write('bundle.json', JSON.stringify(kubectl.bundle()));
      const check = (...flags: string[]): Promise<CosignResult> => {
        const trustedRoot = world.writeTrustedRoot();
        const args = ['verify-blob', file, '--bundle', bundle, '--trusted-root', trustedRoot];
        return cosign.run([...args, ...flags]);
      };
      const anything = [
        '--certificate-identity-regexp',
        '.*',
        '--certificate-oidc-issuer-regexp',
        '.*',
      ];
      expectCosign(await check(), /certificate-identity.* is required/);
      expectCosign(await check(...anything.slice(0, 2)), /certificate-oidc-issuer.* is required/);
      expectCosign(await check(...anything), 'accepts');
      for (const name of ['certificate-identity', 'certificate-oidc-issuer']) {
        expectRefused(await runIn(world, { version, [name]: '' }), 'INVALID_INPUT');
        expectRefused(await runIn(world, { version, [name]: '.*' }), 'IDENTITY_MISMATCH');
      }
    });
  });

  describe('verify-blob --bundle --trusted-root, of what the action wrote and somebody changed', () => {
    let publication: Publication;
    let written: string;

    beforeAll(async () => {
      publication = publish();
      const run = await runIn(world, { version: publication.version });
      written = readFileSync(run.outputs['bundle-path'] ?? '', 'utf8');
      world.reset();
    });

    test.each<BundleRow>([
      {
        shows: BUNDLES,
        what: 'nothing is changed',
        bundle: () => {},
        cosign: 'accepts',
        action: 'installed',
      },
      ...TAMPERED,
    ])('$shows: $what', (row) => judge(publication, row, JSON.parse(written) as BundleJson));
  });

  describe('what cosign signs', () => {
    type Signer = 'signBlob' | 'signBlobWithBundle';
    const signers: readonly [Signer, readonly string[]][] = [
      ['signBlob', ['.sig', '.cert']],
      ['signBlobWithBundle', ['.sigstore.json']],
    ];

    /** A release whose kubectl and SBOM cosign signs. */
    async function publishSignedBy(signer: Signer, email: string): Promise<Publication> {
      const version = fresh();
      world.release.publish({ version, platforms: [NATIVE], signed: false });
      const kubectl = world.release.artifact(version, NATIVE, 'kubectl');
      const [, suffixes = []] = signers.find(([name]) => name === signer) ?? [];
      for (const published of [kubectl, world.release.sbom(version)]) {
        const file = write('file', published.bytes);
        const as = { email, issuer: RELEASE_ISSUER };
        const result = await cosign[signer](file, { as, authorityUrl: authorityServer.url });
        expect(result).toMatchObject({ accepted: true });
        for (const suffix of suffixes) {
          world.host.put(`${published.path}${suffix}`, readFileSync(`${file}${suffix}`));
        }
      }
      return { version, kubectl };
    }

    test.each(signers)('%s: installed, with %j', async (signer, suffixes) => {
      const { version, kubectl } = await publishSignedBy(signer, RELEASE_IDENTITY);
      const run = await runIn(world, { version });
      expectInstalled(run);
      expect(run.outputs).toMatchObject({
        sha256: kubectl.sha256,
        'certificate-identity': RELEASE_IDENTITY,
        'certificate-oidc-issuer': RELEASE_ISSUER,
      });
      for (const suffix of suffixes) {
        expect(world.host.server.requestsFor(`kubectl${suffix}`)).toHaveLength(1);
      }
      const file = run.outputs['kubectl-path'] ?? '';
      expectCosign(await cosign.verifyBundle(file, `${file}.sigstore.json`), 'accepts');
    });

    test.each(signers)('%s: refused when somebody else signs', async (signer) => {
      const { version } = await publishSignedBy(signer, 'mallory@example.com');
      expectRefused(await runIn(world, { version }), 'IDENTITY_MISMATCH');
    });
  });
});

test('every line of the comparison in docs/verification.md is shown here, and no other', () => {
  const shown = [...PAIRS, ...PUBLISHED, ...TAMPERED].map(({ shows }) => shows);
  const text = readFileSync(new URL('../../docs/verification.md', import.meta.url), 'utf8');
  const [, section = ''] = text.split('\n## Compared with `cosign verify-blob`\n');
  const [table = ''] = section.split('\n## ');
  const lines = [...table.matchAll(/^\| ([^|]*[^|\s-][^|]*)\|/gm)].map(([, line]) => line?.trim());
  expect(new Set(lines)).toEqual(new Set([...shown, TRUST_ROOT, GIVEN]));
});
