import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { X509Certificate } from '@sigstore/core';
import { toTrustMaterial, type TrustMaterial } from '@sigstore/verify';
import type { Subject } from '../../../../src/sigstore/verify/subject.js';
import { toBundle } from '../../../../src/sigstore/bundle.js';
import { parseDetached, type DetachedSignature } from '../../../../src/sigstore/detached.js';
import { hashedRekordBody, leafHash } from '../../../../src/sigstore/hashedrekord.js';
import { checkIdentity } from '../../../../src/sigstore/verify/identity.js';
import { parseLogEntries } from '../../../../src/sigstore/evidence/rekor.js';
import { loadTrustRoot } from '../../../../src/sigstore/trust/trusted-root.js';
import { parseTrustedRoot } from '../../../../src/sigstore/trust/trusted-root-json.js';
import { checkCodeSigningLeaf } from '../../../../src/sigstore/verify/certificate.js';
import { checkIntegratedTime } from '../../../../src/sigstore/verify/log-entry.js';
import { verify, type Verified } from '../../../../src/sigstore/verify/verify.js';
import {
  CertificateAuthority,
  CtLog,
  DAY,
  TimestampAuthority,
  TransparencyLog,
  trustedRootJson,
} from '../../../support/index.js';
import { codeOf, codeOfRejection } from '../errors.js';
import { httpClient } from '../http-client.js';

/**
 * What Kubernetes published of kubectl v1.26.0-rc.1 for linux/amd64, and Sigstore's own trust root.
 *
 * Timestamp and inclusion proof of the log entry were not published there. So the entry that
 * was published, byte for byte, is put into a log of our own, at the time that was published;
 * everything else is the real thing.
 */
const FOLDER = join(import.meta.dirname, '../../../fixtures/v1.26.0-rc.1-linux-amd64-kubectl');
const read = (name: string): Buffer => readFileSync(join(FOLDER, name));

const detached = parseDetached(read('kubectl.sig'), read('kubectl.cert'));
const digest = read('kubectl.sha256').toString();
const published = JSON.parse(read('rekor.json').toString()) as {
  uuid: string;
  logID: string;
  integratedTime: string;
};
const signedAt = new Date(published.integratedTime);
const expected = {
  subjectAlternativeName: 'krel-staging@k8s-releng-prod.iam.gserviceaccount.com',
  issuer: 'https://accounts.google.com',
};

const log = TransparencyLog.create({ baseEntries: 100 });
let embedded: TrustMaterial;
/** Sigstore's, and our log beside its logs. */
let trust: TrustMaterial;

beforeAll(async () => {
  embedded = (await loadTrustRoot({ kind: 'embedded' }, httpClient())).material;
  const validFrom = new Date(signedAt.getTime() - DAY);
  const ours = trustedRootJson({
    validFrom,
    logs: [log],
    certificateAuthorities: [CertificateAuthority.create({ validFrom })],
    ctLogs: [CtLog.create()],
    timestampAuthorities: [TimestampAuthority.create({ validFrom })],
  });
  const { tlogs } = parseTrustedRoot(Buffer.from(JSON.stringify(ours)));
  trust = { ...embedded, tlogs: [...embedded.tlogs, ...tlogs] };
});

interface Claim {
  readonly digest: string;
  readonly detached: DetachedSignature;
  readonly at: Date;
}

const claim: Claim = { digest, detached, at: signedAt };

/** The real verification of a claim that our log has taken up. */
function verifyClaim(changes: Partial<Claim> = {}, by = trust): Promise<Verified<Subject>> {
  const { digest: hex, detached: pair, at } = { ...claim, ...changes };
  const entry = log.addBody(hashedRekordBody(hex, pair), at);
  const [answered] = parseLogEntries(Buffer.from(JSON.stringify(log.answer(entry.uuid))));
  if (answered === undefined) throw new Error('not in the log');
  const sha256 = Buffer.from(hex, 'hex');
  return verify({ sha256 }, toBundle(sha256, pair, answered), by, expected);
}

const flipLast = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(copy.length - 1) ^ 0x01, copy.length - 1);
  return copy;
};
const otherDigest = `${digest.slice(0, -1)}3`;

describe('kubectl v1.26.0-rc.1, as Kubernetes published it', () => {
  test('has the log entry that was published', () => {
    expect(leafHash(hashedRekordBody(digest, detached))).toBe(published.uuid.slice(-64));
  });

  test.each<[string, string, DetachedSignature]>([
    ['digest', otherDigest, detached],
    ['signature', digest, { ...detached, signature: flipLast(detached.signature) }],
    ['certificate', digest, { ...detached, certificate: flipLast(detached.certificate) }],
  ])('would have another one with one bit of the %s changed', (_, hex, pair) => {
    expect(leafHash(hashedRekordBody(hex, pair))).not.toBe(published.uuid.slice(-64));
  });

  test("was logged by a log of Sigstore's trust root", () => {
    const ids = embedded.tlogs.map(({ logID }) => logID.toString('hex'));
    expect(ids).toContain(published.logID);
    expect(ids).not.toContain(log.logId.toString('hex'));
  });

  test('passes every check', async () => {
    const verified = await verifyClaim();
    expect(verified.signedAt).toEqual(signedAt);
    expect(verified.uuid).toBe(published.uuid.slice(-64));
    expect(verified.identity).toBe(expected);
  });

  test.each<[string, string, () => Partial<Claim>]>([
    ['one bit of the digest', 'SIGNATURE_MISMATCH', () => ({ digest: otherDigest })],
    [
      'one bit of the signature',
      'SIGNATURE_MISMATCH',
      () => ({ detached: { ...detached, signature: flipLast(detached.signature) } }),
    ],
    [
      "one bit of the authority's signature on the certificate",
      'CERTIFICATE_UNTRUSTED',
      () => ({ detached: { ...detached, certificate: flipLast(detached.certificate) } }),
    ],
    [
      "one bit of the log's timestamp in the certificate",
      'CERTIFICATE_UNTRUSTED',
      () => ({ detached: { ...detached, certificate: withFlippedTimestamp() } }),
    ],
    [
      'the time: before the certificate',
      'LOG_ENTRY_INVALID',
      () => ({ at: new Date('2022-11-30T18:59:05Z') }),
    ],
    [
      'the time: after the certificate',
      'LOG_ENTRY_INVALID',
      () => ({ at: new Date('2022-11-30T19:09:07Z') }),
    ],
  ])('is refused with %s changed: %s', async (_, code, changes) => {
    expect(await codeOfRejection(verifyClaim())).toBeUndefined();
    expect(await codeOfRejection(verifyClaim(changes()))).toBe(code);
  });

  test("is refused by another authority's trust root, and by another certificate log's", async () => {
    const none = toTrustMaterial({
      mediaType: '',
      tlogs: [],
      certificateAuthorities: [],
      ctlogs: [],
      timestampAuthorities: [],
      operationalServices: [],
    } as unknown as Parameters<typeof toTrustMaterial>[0]);
    const { certificateAuthorities, ctlogs } = none;
    const untrusted = 'CERTIFICATE_UNTRUSTED';
    expect(await codeOfRejection(verifyClaim({}, { ...trust, certificateAuthorities }))).toBe(
      untrusted,
    );
    expect(await codeOfRejection(verifyClaim({}, { ...trust, ctlogs }))).toBe(untrusted);
    expect(await codeOfRejection(verifyClaim({}, embedded))).toBe('LOG_ENTRY_INVALID');
  });

  const leaf = X509Certificate.parse(Buffer.from(detached.certificate));

  test('is signed by the release team, with an issuer in the older extension alone', () => {
    expect(leaf.extension('1.3.6.1.4.1.57264.1.8')).toBeUndefined();
    expect(codeOf(() => checkIdentity(leaf, expected))).toBeUndefined();
    const others = [
      { ...expected, subjectAlternativeName: 'krel-trust@k8s-releng-prod.iam.gserviceaccount.com' },
      { ...expected, issuer: 'https://accounts.google.com/' },
    ];
    for (const other of others) {
      expect(codeOf(() => checkIdentity(leaf, other))).toBe('IDENTITY_MISMATCH');
    }
  });

  test('has a certificate for signing code', () => {
    expect(codeOf(() => checkCodeSigningLeaf(leaf))).toBeUndefined();
  });

  test('was logged while its certificate was valid', async () => {
    const { bundle } = await verifyClaim();
    const [entry] = bundle.verificationMaterial.tlogEntries;
    if (entry === undefined) throw new Error('no entry');
    expect(codeOf(() => checkIntegratedTime(entry, leaf))).toBeUndefined();
    const later = { ...entry, integratedTime: String(signedAt.getTime() / 1000 + 600) };
    expect(codeOf(() => checkIntegratedTime(later, leaf))).toBe('LOG_ENTRY_INVALID');
  });
});

/** The certificate with one bit of its certificate timestamp's signature changed, and no new signature. */
function withFlippedTimestamp(): Buffer {
  const der = Buffer.from(detached.certificate);
  const ctLog = 'dd3d306ac6c7113263191e1c99673702a24a5eb8de3cadff878a72802f29ee8e';
  const at = der.indexOf(Buffer.from(ctLog, 'hex'));
  if (at < 0) throw new Error('no certificate timestamp of that log');
  der.writeUInt8(der.readUInt8(at + 60) ^ 0x01, at + 60);
  return der;
}
