import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import type { ErrorCode } from '../../../src/errors.js';
import {
  CertificateAuthority,
  TimestampAuthority,
  TransparencyLog,
  World,
  type ActionResult,
  type BundleJson,
  type CosignResult,
  type Forgery,
  type IssueOptions,
  type PublishedFile,
  type SignOptions,
} from '../../support/index.js';
import {
  NATIVE,
  expectInstalled,
  expectRefused,
  fileNameOf,
  freshVersions,
} from '../expectations.js';
import { expectNotPlaced, expectPlaced, type InstallRun } from '../install-expectations.js';

export const fresh = freshVersions('1.43');
/** The world that both judge; {@link startWorld} makes it. */
export let world: World;
export let folder: string;
export const stranger = CertificateAuthority.create();
export const unknownLog = TransparencyLog.create({ baseEntries: 5 });
export const unknownTimestamps = TimestampAuthority.create();

export interface Publication {
  readonly version: string;
  readonly kubectl: PublishedFile;
}

/** What the action makes of a row: it installs, without a warning or with the one of that title, or refuses. */
export type Outcome = 'installed' | 'installed: Broken publication' | ErrorCode;

export interface Row {
  readonly shows: string;
  readonly what: string;
  /** `accepts`, or what cosign complains of. */
  readonly cosign: 'accepts' | RegExp;
  readonly action: Outcome;
  readonly flags?: readonly string[];
}

export interface PairRow extends Row {
  readonly change?: (publication: Publication) => void;
}

export interface BundleRow extends Row {
  /** What stands beside the artifact; its genuine bundle, changed in place, when nothing is returned. */
  readonly bundle: (bundle: BundleJson, publication: Publication) => unknown;
}

/** The release, genuine in every part; the log's index could otherwise make good what a row breaks. */
export function publish(): Publication {
  const version = fresh();
  world.release.publish({ version, platforms: [NATIVE] });
  world.log.index.clear();
  return { version, kubectl: world.release.artifact(version, NATIVE, 'kubectl') };
}

export const urlOf = ({ path }: PublishedFile): string => `${world.host.url}/${path}`;

/** Writes a file for cosign; returns its path. */
export function write(name: string, content: Buffer | string): string {
  const path = join(mkdtempSync(join(folder, 'file-')), name);
  writeFileSync(path, content);
  return path;
}

export function expectCosign(result: CosignResult, verdict: Row['cosign']): void {
  if (verdict === 'accepts') {
    expect(result.output).toMatch(/Verified OK\s*$/);
    expect(result.accepted).toBe(true);
  } else {
    expect(result.output).toMatch(verdict);
    expect(result.accepted).toBe(false);
  }
}

export function expectAction(run: ActionResult, outcome: Outcome): void {
  if (outcome === 'installed') expectInstalled(run);
  else if (outcome === 'installed: Broken publication')
    expectInstalled(run, { warnings: ['Broken publication'] });
  else expectRefused(run, outcome);
}

/** The command `install` makes the same of it. */
export function expectInstall(
  run: InstallRun,
  outcome: Outcome,
  files: Readonly<Record<string, Buffer>>,
): void {
  const readable = Object.keys(files).filter((name) => name !== fileNameOf('kubectl'));
  if (outcome === 'installed') expectPlaced(run, { files, readable });
  else if (outcome === 'installed: Broken publication')
    expectPlaced(run, { files, readable, warnings: ['Broken publication'] });
  else expectNotPlaced(run, outcome);
}

/** Puts a bundle in the place of the pair. */
export const beside =
  (bundleOf: (publication: Publication) => unknown) =>
  (publication: Publication): void => {
    const { kubectl } = publication;
    world.host.put(`${kubectl.path}.sigstore.json`, JSON.stringify(bundleOf(publication)));
    kubectl.removeMaterial();
  };

/** Signs anew, and has it logged. */
export const signed =
  (options: SignOptions) =>
  ({ kubectl }: Publication): void => {
    kubectl.sign(options);
    world.log.index.clear();
  };

export const certified = (certificate: IssueOptions): ((publication: Publication) => void) =>
  signed({ certificate });

export const as = (email: string): ((publication: Publication) => void) =>
  certified({ subjectAlternativeName: { email } });

export const answered = (tamper: () => Forgery) => (): void => {
  world.log.tamper = tamper();
};

export async function startWorld(): Promise<World> {
  folder = mkdtempSync(join(tmpdir(), 'cosign-'));
  world = await World.start();
  return world;
}

export async function stopWorld(): Promise<void> {
  await world.stop();
  rmSync(folder, { recursive: true, force: true });
}
