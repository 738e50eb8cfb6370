import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { p256 } from '@noble/curves/nist.js';
import {
  DAY,
  NATIVE_PLATFORM,
  bundleJson,
  bundledEntries,
  fault,
  type BundleJson,
} from '../support/index.js';
import { MISSING, testUnless } from '../support/skip.js';
import { expectInstalled, requestedPaths, runIn } from './expectations.js';
import {
  world,
  folder,
  offline,
  verifyWith,
  verify,
  verifyOffline,
  expectRefused,
  expectVerified,
  put,
  kubectl,
  putWithEvidence,
  putLock,
  PAIR,
  BUNDLE,
  UNBOUND,
  AT,
  useWorld,
} from './verify/stage.js';

useWorld();

describe('the file', () => {
  const title =
    'is neither executed nor changed, not even where a run would ask it for its version';
  testUnless(MISSING.executables)(title, async () => {
    const version = 'v1.30.1';
    world.release.publish({ version, platforms: [NATIVE_PLATFORM], sbom: false });
    const file = kubectl(version);
    expectInstalled(await runIn(world, { version }), {
      version,
      warnings: ['Release proven without SBOM'],
    });
    putWithEvidence(file);
    chmodSync(join(folder, 'kubectl'), 0o700);
    const before = statSync(join(folder, 'kubectl'), { bigint: true });
    for (const evidence of [[], PAIR, BUNDLE]) {
      expectRefused(
        await verify('kubectl', '--version', version, ...evidence),
        'RELEASE_MISMATCH',
        'has no SBOM at',
        'kubernetes-release.spdx',
      );
    }
    world.release.putSbom(version);
    expectVerified(await verify('kubectl', '--version', version));
    expect(statSync(join(folder, 'kubectl'), { bigint: true })).toEqual({
      ...before,
      atimeNs: expect.anything(),
      atimeMs: expect.anything(),
    });
  });

  test.each([['missing'], ['.'], ['empty'], ['']])('%j is refused', async (name) => {
    put('empty', '');
    const result = await verify(name, ...AT, '--artifact', 'kubectl');
    expectRefused(result, 'INVALID_INPUT', 'Input "file"');
    expect(requestedPaths(world)).toEqual([]);
  });

  test('a space at the end belongs to the name', async () => {
    put('kubectl', kubectl().bytes);
    const args = [...AT, '--artifact', 'kubectl'];
    expectRefused(await verify('kubectl ', ...args), 'INVALID_INPUT', 'ENOENT');
    put('kubectl ', 'something else');
    expectRefused(await verify('kubectl ', ...args), 'SIGNATURE_MISMATCH');
  });

  testUnless(MISSING.symbolicLinks)('a link is followed', async () => {
    mkdirSync(join(folder, 'deep'));
    put('deep/file', kubectl().bytes);
    symlinkSync('deep/file', join(folder, 'kubectl'));
    expectVerified(await verify('kubectl', ...AT));
  });

  testUnless(MISSING.proc)('a pipe, a device, files of /proc are refused, unread', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    const found = [
      'pipe',
      '/dev/zero',
      '/dev/tty',
      '/proc/version',
      '/proc/kmsg',
      '/proc/self/mem',
    ];
    for (const name of found) {
      const result = await verify(name, ...AT, '--artifact', 'kubectl');
      expectRefused(result, 'INVALID_INPUT', 'Input "file": cannot read');
    }
    for (const input of [
      'signature',
      'certificate',
      'bundle',
      'lock-file',
      'sbom',
      'sbom-bundle',
    ]) {
      putWithEvidence(kubectl());
      putLock();
      const inputs = new Map<string, string>([
        ...(['signature', 'certificate'].includes(input) ? OWN_PAIR : []),
        ...(input.startsWith('sbom') ? OWN_SBOM : []),
      ]);
      for (const name of ['pipe', '/dev/zero', '/proc/kmsg']) {
        const args = [...inputs.set(input, name)].flatMap(([key, value]) => [`--${key}`, value]);
        const result = await verifyOffline('kubectl', ...AT, ...args);
        expect(result.stderr).toMatch(
          /^error\[(?:INVALID_INPUT|LOCK_INVALID|SIGNATURE_MALFORMED)\]/m,
        );
      }
    }
    expect(requestedPaths(world)).toEqual([]);
  });

  testUnless(MISSING.proc)('that is changed while it is verified is refused', async () => {
    putWithEvidence(kubectl());
    // The log does not answer until the file has been changed.
    world.logServer.fail(/.*/, fault.delay(1500));
    const verifying = verifyOffline('kubectl', ...UNBOUND, ...PAIR);
    while (world.logServer.requests.length === 0) await sleep(10);
    chmodSync(join(folder, 'kubectl'), 0o600);
    expectRefused(await verifying, 'INSTALL_FAILED', 'was changed by another process');
  });

  testUnless(MISSING.proc)(
    'of 3 GB takes no more memory than a small one',
    async () => {
      const peak = async (size: number): Promise<number> => {
        const bundle = sparseFile(size);
        put('big.sigstore.json', JSON.stringify(bundle));
        const usage = join(folder, 'usage.json');
        const result = await verifyWith(
          offline(),
          ['big', ...UNBOUND, '--bundle', 'big.sigstore.json'],
          { NODE_OPTIONS: `--import=${USAGE}`, BENCH_USAGE: usage },
        );
        expectVerified(result, `(${(size / 1e6).toFixed(1)} MB)`);
        return (JSON.parse(readFileSync(usage, 'utf8')) as { memory: number }).memory;
      };
      const [small, large] = [await peak(1_000_000), await peak(3_000_000_000)];
      expect(large).toBeLessThan(small + 20);
      truncateSync(join(folder, 'big'), 2 ** 34 + 1);
      expectRefused(
        await verifyOffline('big', ...UNBOUND, '--bundle', 'big.sigstore.json'),
        'INVALID_INPUT',
        'larger than 17179869184 bytes',
      );
    },
    120_000,
  );
});

const OWN_PAIR = [
  ['signature', 'kubectl.sig'],
  ['certificate', 'kubectl.cert'],
] as const;
const OWN_SBOM = [
  ['bundle', 'kubectl.sigstore.json'],
  ['sbom', 'kubectl'],
  ['sbom-bundle', 'kubectl.sigstore.json'],
] as const;

const USAGE = new URL('../../bench/usage.js', import.meta.url).href;

/** SHA-256 of so many zeros, hex: `head -c <size> /dev/zero | sha256sum` */
const ZEROS: Readonly<Record<number, string>> = {
  1000000: 'd29751f2649b32ff572b5e0a9f541ea660a50f94ff0beedfb0b692b924cc8025',
  3000000000: '16b29649590001513483bb869fd5b39a6a8d3f2aea76680cea66d3feb21a2243',
};

/** Writes a file of zeros that takes no space, and returns a genuine bundle for it. */
function sparseFile(size: number): BundleJson {
  const path = join(folder, 'big');
  writeFileSync(path, '');
  truncateSync(path, size);
  const digest = Buffer.from(ZEROS[size] ?? '', 'hex');
  const certificate = world.authority.issue({ notBefore: new Date(Date.now() - DAY) });
  const { d = '' } = certificate.privateKey.export({ format: 'jwk' });
  // node:crypto signs no digest, and hashing it here again takes seconds.
  const signature = Buffer.from(
    p256.sign(digest, Buffer.from(d, 'base64url'), { prehash: false, format: 'der' }),
  );
  const { uuid } = world.log.add({
    digest: digest.toString('hex'),
    signature,
    certificatePem: certificate.pem,
    integratedTime: new Date(certificate.notBefore.getTime() + 1000),
  });
  const entries = bundledEntries(world.log.answer(uuid) ?? {});
  const bundle = bundleJson({ artifact: Buffer.of(), signature, certificate, entries });
  bundle.messageSignature.messageDigest.digest = digest.toString('base64');
  return bundle;
}
