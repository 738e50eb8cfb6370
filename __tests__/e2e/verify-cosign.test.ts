import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Cosign, findCosign, runCommand } from '../support/index.js';
import { PUBLISHED, TAMPERED } from './cosign/bundle-rows.js';
import { PAIRS } from './cosign/pair-rows.js';
import {
  expectCosign,
  folder,
  publish,
  startWorld,
  stopWorld,
  world,
  type BundleRow,
  type Outcome,
  type Publication,
} from './cosign/stage.js';
import { NATIVE, requestedPaths } from './expectations.js';

/**
 * The command `verify` before the rows by which cosign judges the action: the same files, as files on a disk. Where
 * cosign is on this machine, it judges them too.
 */
const found = findCosign();

let cosign: Cosign | undefined;

beforeAll(async () => {
  await startWorld();
  cosign = 'executable' in found ? new Cosign(found.executable, world, folder) : undefined;
});
afterEach(() => {
  world.reset();
});
afterAll(() => stopWorld());

/** Files in a folder of their own; those that are not published are missing there too. */
function filesOf({ kubectl }: Publication): string {
  const files = mkdtempSync(join(folder, 'files-'));
  for (const suffix of ['', '.sig', '.cert']) {
    const path = `${kubectl.path}${suffix}`;
    if (world.host.files.has(path))
      writeFileSync(join(files, `kubectl${suffix}`), world.host.get(path));
  }
  return files;
}

/** `verify` with what the files say themselves. @returns `verified`, or the code of the refusal */
async function verdict(files: string, ...args: readonly string[]): Promise<string> {
  const inputs = {
    'download-base-url': world.host.url,
    'rekor-url': world.logServer.url,
    'trusted-root': world.writeTrustedRoot(),
  };
  const flags = Object.entries(inputs).flatMap(([name, value]) => [`--${name}`, value]);
  const { exitCode, stdout, stderr, cleanup } = await runCommand(
    ['verify', join(files, 'kubectl'), ...flags, ...args],
    { folder: files },
  );
  cleanup();
  const code = /^error\[([A-Z_]+)\]: /m.exec(stderr)?.[1];
  expect(stdout.includes('Verified OK')).toBe(exitCode === 0);
  expect(exitCode).toBe(code === undefined ? 0 : 1);
  return code ?? 'verified';
}

const UNBOUND = ['--bind-release', 'false'];
const releaseOf = ({ version }: Publication): string[] => [
  ...['--version', version, '--artifact', 'kubectl', '--platform', NATIVE],
];

/** What a run makes of the same files. */
const inRun = (action: Outcome): string => (action.startsWith('installed') ? 'verified' : action);

describe('--signature --certificate, as cosign verify-blob', () => {
  test.each(PAIRS)('$shows: $what', async ({ change, flags = [], ...row }) => {
    const publication = publish();
    change?.(publication);
    const files = filesOf(publication);
    const file = join(files, 'kubectl');
    const pair = ['--signature', `${file}.sig`, '--certificate', `${file}.cert`];
    const [theirs, unbound, bound, published] = await Promise.all([
      cosign?.verifyBlob(file, {}, { flags }),
      verdict(files, ...pair, ...UNBOUND),
      verdict(files, ...pair, ...releaseOf(publication)),
      verdict(files, ...releaseOf(publication)),
    ]);
    if (theirs !== undefined) expectCosign(theirs, row.cosign);
    // The pair that is named decides: no other one is looked for in the log.
    const isRecovered = row.action === 'installed: Broken publication';
    const named = isRecovered ? 'SIGNATURE_MISMATCH' : inRun(row.action);
    expect({ unbound, bound, published }).toEqual({
      unbound: named === 'RELEASE_MISMATCH' ? 'verified' : named,
      bound: named,
      published: inRun(row.action),
    });
    // Never weaker than cosign.
    if (unbound === 'verified') expect(row.cosign).toBe('accepts');
  });
});

describe('--bundle, as cosign verify-blob --bundle', () => {
  test.each<BundleRow>([...PUBLISHED, ...TAMPERED])('$shows: $what', async (row) => {
    const publication = publish();
    const genuine = publication.kubectl.bundle();
    const bundle = JSON.stringify(row.bundle(genuine, publication) ?? genuine);
    const files = filesOf(publication);
    writeFileSync(join(files, 'bundle.json'), bundle);
    const args = ['--bundle', join(files, 'bundle.json')];
    const unbound = await verdict(files, ...args, ...UNBOUND);
    expect(requestedPaths(world)).toEqual([]);
    const theirs = await cosign?.verifyBundle(join(files, 'kubectl'), join(files, 'bundle.json'));
    if (theirs !== undefined) expectCosign(theirs, row.cosign);
    const bound = await verdict(files, ...args, ...releaseOf(publication));
    expect({ unbound, bound }).toEqual({ unbound: inRun(row.action), bound: inRun(row.action) });
  });
});
