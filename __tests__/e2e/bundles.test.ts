import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  CertificateAuthority,
  DAY,
  TimestampAuthority,
  World,
  foreignSignatures,
  type ActionResult,
  type BundleJson,
  type PublishedFile,
  type UnsignedParts,
} from '../support/index.js';
import { integer, sequence } from '../support/der.js';
import {
  NATIVE,
  STRANGER,
  expectInstalled,
  expectRefused,
  freshVersions,
  reportOf,
  runIn,
} from './expectations.js';

const fresh = freshVersions('1.40');
let world: World;

beforeAll(async () => {
  world = await World.start();
});
afterEach(() => world.reset());
afterAll(() => world.stop());

interface Publication {
  readonly version: string;
  readonly kubectl: PublishedFile;
}

/** A release of the days to come: bundles stand beside its files, and nothing else. */
function publish(bundleOf: (file: PublishedFile) => unknown): Publication {
  const version = fresh();
  world.release.publish({ version, platforms: [NATIVE] });
  const kubectl = world.release.artifact(version, NATIVE, 'kubectl');
  world.host.put(`${kubectl.path}.sigstore.json`, JSON.stringify(bundleOf(kubectl)));
  kubectl.removeMaterial();
  // The log's index could otherwise make good what the bundle lacks.
  world.log.index.delete(kubectl.sha256);
  return { version, kubectl };
}

const install = (version: string, toolCache?: string): Promise<ActionResult> =>
  runIn(world, { version }, toolCache === undefined ? {} : { toolCache });

/** The older forms: the certificate stands in a chain, and 0.1 needs no inclusion proof. */
function olderBundle(version: '0.1' | '0.2', bundle: BundleJson): Record<string, unknown> {
  const { certificate, ...material } = bundle.verificationMaterial;
  return {
    mediaType: `application/vnd.dev.sigstore.bundle+json;version=${version}`,
    verificationMaterial: { x509CertificateChain: { certificates: [certificate] }, ...material },
    messageSignature: bundle.messageSignature,
  };
}

function cosigned(bundle: BundleJson): BundleJson {
  for (const { inclusionProof } of bundle.verificationMaterial.tlogEntries) {
    if (inclusionProof !== undefined) inclusionProof.checkpoint.envelope += foreignSignatures(50);
  }
  return bundle;
}

const OLDER_NAME = 'application/vnd.dev.sigstore.bundle+json;version=0.3';

function withoutInclusionProof(bundle: BundleJson): BundleJson {
  const [entry] = bundle.verificationMaterial.tlogEntries;
  delete entry?.inclusionProof;
  return bundle;
}

describe('accepted beside an artifact', () => {
  test.each<[string, (file: PublishedFile) => unknown]>([
    ['version 0.1, Rekor v1', (file) => olderBundle('0.1', file.bundle())],
    ['version 0.2, Rekor v1', (file) => olderBundle('0.2', file.bundle())],
    ['version 0.3, Rekor v1', (file) => file.bundle()],
    ['version 0.3 by its older name', (file) => ({ ...file.bundle(), mediaType: OLDER_NAME })],
    ['version 0.3, Rekor v2 and an RFC 3161 timestamp', (file) => file.bundleV2()],
    ['version 0.2, Rekor v2 and an RFC 3161 timestamp', (f) => olderBundle('0.2', f.bundleV2())],
  ])('a bundle of %s, also from the cache', async (_, bundleOf) => {
    const { version, kubectl } = publish(bundleOf);
    const run = await install(version);
    expectInstalled(run);
    expect(reportOf(run)).toMatchObject({ source: 'download', sha256: kubectl.sha256 });
    expect(world.logServer.requestsFor(/index\/retrieve/)).toEqual([]);
    const again = await install(version, run.dirs.toolCache);
    expectInstalled(again);
    expect(again.outputs['cache-hit']).toBe('true');
    expect(again.outputs['log-entry-uuid']).toBe(run.outputs['log-entry-uuid']);
    expect(again.outputs['integrated-time']).toBe(run.outputs['integrated-time']);
  });

  test.each<[string, (file: PublishedFile) => unknown]>([
    [
      'a certificate behind the leaf',
      (file) => {
        const { certificate, ...material } = file.bundle().verificationMaterial;
        const { mediaType, messageSignature } = olderBundle('0.2', file.bundle());
        const rawBytes = world.authority.intermediate.toString('base64');
        const x509CertificateChain = { certificates: [certificate, { rawBytes }] };
        const verificationMaterial = { x509CertificateChain, ...material };
        return { mediaType, verificationMaterial, messageSignature };
      },
    ],
    ['a checkpoint that others have signed too (Rekor v1)', (file) => cosigned(file.bundle())],
    ['a checkpoint that others have signed too (Rekor v2)', (file) => cosigned(file.bundleV2())],
    [
      'a time that nobody signed',
      (file) => {
        const bundle = file.bundleV2();
        for (const entry of bundle.verificationMaterial.tlogEntries) entry.integratedTime = '7';
        return bundle;
      },
    ],
  ])('a bundle with %s, which is left out of the evidence', async (_, bundleOf) => {
    const { version, kubectl } = publish(bundleOf);
    const run = await install(version);
    expectInstalled(run);
    const kept = JSON.parse(readFileSync(run.outputs['bundle-path'] ?? '', 'utf8')) as {
      verificationMaterial: BundleJson['verificationMaterial'] & {
        x509CertificateChain?: { certificates: unknown[] };
      };
    };
    const { x509CertificateChain, tlogEntries } = kept.verificationMaterial;
    expect(x509CertificateChain?.certificates.length ?? 1).toBe(1);
    const [entry] = tlogEntries;
    expect(entry?.inclusionProof?.checkpoint.envelope.split('\n\n')[1]?.split('\n')).toHaveLength(
      2,
    );
    expect(entry?.integratedTime).not.toBe('7');
    // What is kept is verified in the next run, and is all that it needs.
    world.host.remove(`${kubectl.path}.sigstore.json`);
    const again = await install(version, run.dirs.toolCache);
    expectInstalled(again);
    expect(again.outputs['cache-hit']).toBe('true');
  });

  test('bundles for the SBOM', async () => {
    const { version } = publish((file) => file.bundleV2());
    const sbom = world.release.sbom(version);
    sbom.putBundle(sbom.bundleV2());
    sbom.removeMaterial();
    const run = await install(version);
    expectInstalled(run);
    expect(reportOf(run)['release-proof']).toBe('proven by its signed SBOM');
    expect(world.logServer.requests).toEqual([]);
  });
});

describe('refused beside an artifact', () => {
  const stranger = CertificateAuthority.create();
  const unknownTimestamps = TimestampAuthority.create();

  test.each<[string, string, (file: PublishedFile) => unknown]>([
    [
      'a bundle by another identity (Rekor v1)',
      'IDENTITY_MISMATCH',
      (file) => {
        file.sign(STRANGER);
        return file.bundle();
      },
    ],
    [
      'a bundle by another identity (Rekor v2)',
      'IDENTITY_MISMATCH',
      (file) => file.bundleV2(STRANGER),
    ],
    [
      'a bundle with a certificate of an unknown authority (Rekor v1)',
      'CERTIFICATE_UNTRUSTED',
      (file) => {
        file.sign({ authority: stranger });
        return file.bundle();
      },
    ],
    [
      'a bundle with a certificate of an unknown authority (Rekor v2)',
      'CERTIFICATE_UNTRUSTED',
      (file) => file.bundleV2({ authority: stranger }),
    ],
    [
      'version 0.1 without inclusion proof',
      'LOG_ENTRY_INVALID',
      (file) => olderBundle('0.1', withoutInclusionProof(file.bundle())),
    ],
    [
      'version 0.2 without inclusion proof',
      'SIGNATURE_MALFORMED',
      (file) => olderBundle('0.2', withoutInclusionProof(file.bundle())),
    ],
    [
      'version 0.3 without inclusion proof',
      'SIGNATURE_MALFORMED',
      (file) => withoutInclusionProof(file.bundle()),
    ],
    [
      'an entry of Rekor v1 whose entry timestamp was taken away',
      'LOG_ENTRY_INVALID',
      (file) => {
        const bundle = file.bundle();
        delete bundle.verificationMaterial.tlogEntries[0]?.inclusionPromise;
        return bundle;
      },
    ],
    [
      'an entry of Rekor v2 without timestamp',
      'LOG_ENTRY_INVALID',
      (file) => {
        const bundle = file.bundleV2();
        delete bundle.verificationMaterial.timestampVerificationData;
        return bundle;
      },
    ],
    [
      'an entry of Rekor v2 with the timestamp of an authority that nobody knows',
      'LOG_ENTRY_INVALID',
      (file) => {
        const bundle = file.bundleV2();
        const signature = Buffer.from(bundle.messageSignature.signature, 'base64');
        return withTimestamp(bundle, unknownTimestamps.timestamp(signature));
      },
    ],
    [
      'an entry of Rekor v2 with the timestamp of another signature',
      'LOG_ENTRY_INVALID',
      (file) =>
        withTimestamp(
          file.bundleV2(),
          world.timestampAuthority.timestamp(Buffer.from('another signature')),
        ),
    ],
    [
      'an entry of Rekor v2 with a timestamp from after the certificate’s validity',
      'CERTIFICATE_UNTRUSTED',
      (file) => {
        const bundle = file.bundleV2();
        const signature = Buffer.from(bundle.messageSignature.signature, 'base64');
        return withTimestamp(bundle, world.timestampAuthority.timestamp(signature));
      },
    ],
    [
      'an entry of Rekor v2 for another signature',
      'LOG_ENTRY_INVALID',
      (file) => {
        const bundle = file.bundleV2();
        bundle.verificationMaterial.tlogEntries = file.bundleV2().verificationMaterial.tlogEntries;
        return bundle;
      },
    ],
    [
      'a checkpoint of Rekor v2 by another key',
      'LOG_ENTRY_INVALID',
      (file) => {
        const bundle = file.bundleV2();
        const [entry] = bundle.verificationMaterial.tlogEntries;
        const checkpoint = entry?.inclusionProof?.checkpoint;
        if (checkpoint !== undefined) {
          checkpoint.envelope = checkpoint.envelope.replace(/.{12}\n$/, 'AAAAAAAAAA==\n');
        }
        return bundle;
      },
    ],
    ...['0x2bc', ' 700\n', '+700', '0700'].map(
      (text): [string, string, (file: PublishedFile) => unknown] => [
        `the log index ${JSON.stringify(text)} in the inclusion proof`,
        'LOG_ENTRY_INVALID',
        (file) => {
          const bundle = file.bundle();
          const [entry] = bundle.verificationMaterial.tlogEntries;
          if (entry?.inclusionProof !== undefined) entry.inclusionProof.logIndex = text;
          return bundle;
        },
      ],
    ),
    [
      'a timestamp whose status is rejection',
      'LOG_ENTRY_INVALID',
      (file) => withUnsigned(file, { status: sequence(integer(2)) }),
    ],
    [
      'a timestamp with the certificate of another authority',
      'LOG_ENTRY_INVALID',
      (file) => withUnsigned(file, { certificates: [unknownTimestamps.leaf] }),
    ],
    ['two entries', 'LOG_ENTRY_INVALID', (file) => withTwoEntries(file.bundle())],
    ['no entry', 'LOG_ENTRY_INVALID', (file) => olderBundle('0.1', withEntries(file.bundle(), []))],
    [
      'the bundle of another file',
      'SIGNATURE_MISMATCH',
      () => world.release.putFile(`release/other-${fresh()}`, Buffer.from(fresh())).bundle(),
    ],
    ['no JSON object', 'SIGNATURE_MALFORMED', () => 'a text'],
    [
      'a version that does not exist',
      'SIGNATURE_MALFORMED',
      (file) => ({
        ...file.bundle(),
        mediaType: 'application/vnd.dev.sigstore.bundle.v9.9+json',
      }),
    ],
  ])('%s: %s', async (_, code, bundleOf) => {
    const { version } = publish(bundleOf);
    expectRefused(await install(version), code);
  });

  function withTimestamp(bundle: BundleJson, timestamp: Buffer): BundleJson {
    bundle.verificationMaterial.timestampVerificationData = {
      rfc3161Timestamps: [{ signedTimestamp: timestamp.toString('base64') }],
    };
    return bundle;
  }

  /** The right timestamp, but for what no signature covers. */
  function withUnsigned(file: PublishedFile, parts: UnsignedParts): BundleJson {
    const at = new Date(Date.now() - 30 * DAY);
    const bundle = file.bundleV2({ at });
    const signature = Buffer.from(bundle.messageSignature.signature, 'base64');
    return withTimestamp(bundle, world.timestampAuthority.timestamp(signature, at, parts));
  }

  function withEntries(
    bundle: BundleJson,
    entries: BundleJson['verificationMaterial']['tlogEntries'],
  ): BundleJson {
    bundle.verificationMaterial.tlogEntries = entries;
    return bundle;
  }

  const withTwoEntries = (bundle: BundleJson): BundleJson => {
    const { tlogEntries } = bundle.verificationMaterial;
    return withEntries(bundle, [...tlogEntries, ...tlogEntries]);
  };
});

describe('a pair and a bundle are never mixed', () => {
  test('with a whole pair the bundle is not even asked for', async () => {
    const { version, kubectl } = publish(() => ({}));
    kubectl.sign();
    expectInstalled(await install(version));
    expect(world.host.server.requestsFor('.sigstore.json')).toEqual([]);
  });

  test('a wrong pair is not made good by a right bundle', async () => {
    const { version, kubectl } = publish((file) => file.bundleV2());
    kubectl.sign({ log: false });
    const { certificate } = world.release.signAndLog(Buffer.from('another file'));
    world.host.put(`${kubectl.path}.cert`, Buffer.from(certificate.pem).toString('base64'));
    expectRefused(await install(version), 'SIGNATURE_MISMATCH');
    expect(world.host.server.requestsFor('.sigstore.json')).toEqual([]);
  });

  test.each(['.sig', '.cert'])('half a pair (%s) beside a bundle does not count', async (half) => {
    const { version, kubectl } = publish((file) => file.bundle());
    kubectl.sign(STRANGER);
    world.host.remove(`${kubectl.path}${half === '.sig' ? '.cert' : '.sig'}`);
    const run = await install(version);
    expectInstalled(run);
    expect(run.outputs['certificate-identity']).not.toBe('stranger@example.com');
  });

  test.each(['.sig', '.cert'])('half a right pair (%s) does not help a bundle', async (half) => {
    const { version, kubectl } = publish((file) => {
      file.sign(STRANGER);
      return file.bundle();
    });
    kubectl.sign();
    world.host.remove(`${kubectl.path}${half === '.sig' ? '.cert' : '.sig'}`);
    expectRefused(await install(version), 'IDENTITY_MISMATCH');
  });
});
