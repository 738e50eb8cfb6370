import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { TrustMaterial } from '@sigstore/verify';
import type { Subject } from '../../../src/sigstore/verify/subject.js';
import { readStoredBundle } from '../../../src/sigstore/evidence/stored.js';
import { parseBundle, serializeBundle, toBundle } from '../../../src/sigstore/bundle.js';
import { parseDetached } from '../../../src/sigstore/detached.js';
import { parseLogEntries, type LogEntry } from '../../../src/sigstore/evidence/rekor.js';
import { parseTrustedRoot } from '../../../src/sigstore/trust/trusted-root-json.js';
import { verify, type Verified } from '../../../src/sigstore/verify/verify.js';
import { Digester, type DigestedFile } from '../../../src/files/digested-file.js';
import {
  RELEASE_IDENTITY,
  RELEASE_ISSUER,
  World,
  tally,
  type PublishedFile,
} from '../../support/index.js';
import { orRefused, withFlips } from './cases.js';

// Every byte of everything that a proof rests on, changed: through the real verify(), none passes.

const VERSION = 'v1.31.9';
const EXPECTED = { subjectAlternativeName: RELEASE_IDENTITY, issuer: RELEASE_ISSUER };
/** Every single bit. */
const BITS = [1, 2, 4, 8, 16, 32, 64, 128];

jest.setTimeout(600_000);

let world: World;
let folder: string;
let kubectl: PublishedFile;
let trust: TrustMaterial;

beforeAll(async () => {
  world = await World.start({
    baseEntries: 5,
    publish: [{ version: VERSION, size: 1000, sbom: { images: 1, tarballs: 1 } }],
  });
  folder = mkdtempSync(join(tmpdir(), 'changed-'));
  kubectl = world.release.artifact(VERSION, 'linux/amd64', 'kubectl');
  trust = parseTrustedRoot(Buffer.from(JSON.stringify(world.trustedRoot())));
});

afterAll(async () => {
  await world.stop();
  rmSync(folder, { recursive: true });
});

/** A file with these bytes; they lie on the disk, because a second signature check reads them again. */
function digested(bytes: Buffer): DigestedFile {
  const path = join(folder, 'file');
  writeFileSync(path, bytes);
  const digester = new Digester();
  digester.update(bytes);
  return digester.toFile(path, statSync(path));
}

interface Material {
  readonly artifact: Buffer;
  /** Base64 of DER. */
  readonly sig: Buffer;
  /** Base64 of PEM. */
  readonly cert: Buffer;
  readonly answer: Buffer;
}

function genuine(file = kubectl): Material {
  return {
    artifact: file.bytes,
    sig: Buffer.from(file.signature.toString('base64')),
    cert: Buffer.from(Buffer.from(file.certificate.pem).toString('base64')),
    answer: Buffer.from(JSON.stringify(world.log.answer(file.entry.uuid))),
  };
}

const entryIn = (answer: Buffer): LogEntry => {
  const [entry] = parseLogEntries(answer);
  if (entry === undefined) throw new Error('the log has the entry');
  return entry;
};

async function verifyMaterial({
  artifact,
  sig,
  cert,
  answer,
}: Material): Promise<Verified<Subject>> {
  const file = digested(artifact);
  const bundle = toBundle(file.sha256, parseDetached(sig, cert), entryIn(answer));
  return verify(file, bundle, trust, EXPECTED);
}

/** None of the changes passes. */
async function expectAllRefused(
  changes: Iterable<Buffer>,
  accept: (changed: Buffer) => Promise<Verified<Subject> | undefined>,
): Promise<void> {
  let count = 0;
  const accepted: string[] = [];
  for (const changed of changes) {
    if ((await orRefused(() => accept(changed))) !== undefined) {
      accepted.push(
        `change ${count}: ${changed.subarray(Math.max(0, count - 40), count).toString('latin1')}>${changed.subarray(count, count + 20).toString('latin1')}`,
      );
    }
    count += 1;
  }
  expect(accepted).toEqual([]);
  tally('changed bytes refused', count);
}

describe('genuine material', () => {
  test('passes', async () => {
    expect((await verifyMaterial(genuine())).identity).toEqual(EXPECTED);
    const sbom = genuine(world.release.sbom(VERSION));
    expect((await verifyMaterial(sbom)).identity).toEqual(EXPECTED);
  });
});

describe('a changed bit in every byte of', () => {
  test('the artifact', async () => {
    const material = genuine();
    await expectAllRefused(withFlips(material.artifact, [1]), (artifact) =>
      verifyMaterial({ ...material, artifact }),
    );
  });

  test('the signature', async () => {
    const material = genuine();
    await expectAllRefused(withFlips(kubectl.signature, BITS), (signature) =>
      verifyMaterial({ ...material, sig: Buffer.from(signature.toString('base64')) }),
    );
  });

  test('the .sig file', async () => {
    const material = genuine();
    await expectAllRefused(withFlips(material.sig, BITS), (sig) =>
      verifyMaterial({ ...material, sig }),
    );
  });

  test('the .cert file', async () => {
    const material = genuine();
    await expectAllRefused(withFlips(material.cert, [1, 128]), (cert) =>
      verifyMaterial({ ...material, cert }),
    );
  });

  test('the certificate, logged as changed', async () => {
    const material = genuine();
    const pemOf = (der: Buffer): string =>
      `-----BEGIN CERTIFICATE-----\n${(der.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE-----\n`;
    await expectAllRefused(withFlips(kubectl.certificate.der, [1]), (der) => {
      const certificatePem = pemOf(der);
      const { uuid } = world.log.add({
        digest: kubectl.sha256,
        signature: kubectl.signature,
        certificatePem,
        integratedTime: kubectl.entry.integratedTime,
      });
      const answer = Buffer.from(JSON.stringify(world.log.answer(uuid)));
      const cert = Buffer.from(Buffer.from(certificatePem).toString('base64'));
      return verifyMaterial({ ...material, cert, answer });
    });
  });

  test('the SBOM', async () => {
    const material = genuine(world.release.sbom(VERSION));
    await expectAllRefused(withFlips(material.artifact, [1]), (artifact) =>
      verifyMaterial({ ...material, artifact }),
    );
  });

  test('the answer of the log', async () => {
    const material = genuine();
    const right = serializeBundle((await verifyMaterial(material)).bundle);
    await expectAllRefused(withFlips(material.answer, [1]), async (answer) => {
      const verified = await verifyMaterial({ ...material, answer });
      // Nobody signs the tree id in an entry's name, and nothing is made of it: all else is equal.
      return serializeBundle(verified.bundle).equals(right) ? undefined : verified;
    });
  });

  test('the RFC 3161 response', async () => {
    const file = digested(kubectl.bytes);
    const json = JSON.stringify(kubectl.bundleV2());
    const accept = (response: Buffer): Promise<Verified<Subject>> => {
      const bundle = parseBundle(Buffer.from(json));
      bundle.verificationMaterial.timestampVerificationData = {
        rfc3161Timestamps: [{ signedTimestamp: response }],
      };
      return verify(file, bundle, trust, EXPECTED);
    };
    const { timestampVerificationData } = parseBundle(Buffer.from(json)).verificationMaterial;
    const response = timestampVerificationData?.rfc3161Timestamps[0]?.signedTimestamp;
    if (response === undefined) throw new Error('no timestamp in this bundle');
    expect((await accept(response)).identity).toEqual(EXPECTED);
    await expectAllRefused(withFlips(response, [1]), accept);
  });

  test('the evidence that the action keeps', async () => {
    const file = digested(kubectl.bytes);
    const evidence = serializeBundle(parseBundle(Buffer.from(JSON.stringify(kubectl.bundle()))));
    const path = join(folder, 'evidence.json');
    const accept = async (changed: Buffer): Promise<Verified<Subject>> => {
      writeFileSync(path, changed);
      return verify(file, await readStoredBundle(path), trust, EXPECTED);
    };
    expect((await accept(evidence)).identity).toEqual(EXPECTED);
    digested(kubectl.bytes);
    await expectAllRefused(withFlips(evidence, [1]), accept);
  });
});
