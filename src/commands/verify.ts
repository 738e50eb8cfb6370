import path from 'node:path';
import { SetupError, explain } from '../errors.js';
import type { DigestedFile } from '../files/digested-file.js';
import { FileChangedError, readUntouched, type UntouchedFile } from '../files/untouched-file.js';
import type { VerifyInputs } from './inputs.js';
import type { FileToVerify, GivenEvidence, OwnEvidence } from '../inputs/file-to-verify.js';
import {
  NoBinder,
  type Binding,
  type BindingContext,
  type ReleaseBinder,
} from '../install/binding.js';
import type { ProofContext } from '../install/context.js';
import { proveBy } from '../install/from-download.js';
import { LockedBinder } from '../install/locked-binding.js';
import type { Logger } from '../install/logger.js';
import { checkSecondFactors } from '../install/second-factors.js';
import { GivenSbomBinder, UnexecutedBinder } from '../install/unexecuted-binding.js';
import type { Artifact } from '../kubernetes/artifact.js';
import { artifactOf, parseReleasePath, type NamedFile } from '../kubernetes/named-file.js';
import { isPublished } from '../kubernetes/published.js';
import { Release } from '../kubernetes/release.js';
import { MAX_SBOM_BYTES } from '../kubernetes/sbom.js';
import { resolveVersion } from '../kubernetes/version.js';
import type { Lock } from '../lock/lock.js';
import type { Finding } from '../report/verified-file.js';
import {
  httpClient,
  keepTrustRoot,
  trustRootSource,
  withScratchFolder,
  withTransfers,
} from '../session.js';
import { GivenBundle, GivenPair } from '../sigstore/evidence/given.js';
import { PublishedEvidence, type PublicationContext } from '../sigstore/evidence/published.js';
import { TransparencyLog } from '../sigstore/evidence/rekor.js';
import { verifySubject, type EvidenceSource, type Policy } from '../sigstore/evidence/source.js';
import { loadTrustRoot, type TrustRoot } from '../sigstore/trust/trusted-root.js';
import type { BackgroundTasks } from '../transfer/background-tasks.js';
import type { HttpClient } from '../transfer/http.js';

/** The largest file of a release is about 400 MB. A file of /proc may claim to have 128 TiB. */
const MAX_FILE_BYTES = 2 ** 34;

/**
 * Proves a file on this machine, by the checks of a run. The file is only read: never executed, and
 * never changed.
 *
 * @throws {SetupError} every code of the verification
 */
export function verifyFile(inputs: VerifyInputs, logger: Logger): Promise<Finding> {
  return withScratchFolder(inputs.runner.temp, (scratch) =>
    withTransfers(async ({ signal, background }) => {
      // What is wrong with the files is said before anybody is asked anything.
      const file = await readInput('file', inputs.file, MAX_FILE_BYTES);
      const sbom =
        inputs.sbom === undefined
          ? undefined
          : (await readInput('sbom', inputs.sbom, MAX_SBOM_BYTES)).digested;
      const http = httpClient(inputs, signal, logger);
      const trust = background.start(loadTrustRoot(trustRootSource(inputs, scratch), http));
      const subject = file.digested;
      const run = { inputs, subject, sbom, logger, http, background, trust, scratch };
      const proof = await prove(run);
      await assertUntouched(file);
      await keepTrustRoot(await trust, logger);
      return { ...proof, trustRoot: (await trust).origin };
    }),
  );
}

interface VerifyRun {
  readonly inputs: VerifyInputs;
  readonly subject: DigestedFile;
  readonly sbom: DigestedFile | undefined;
  readonly logger: Logger;
  readonly http: HttpClient;
  readonly background: BackgroundTasks;
  readonly trust: Promise<TrustRoot>;
  readonly scratch: string;
}

type Proof = Omit<Finding, 'trustRoot'>;

async function prove(run: VerifyRun): Promise<Proof> {
  const { inputs, subject, http, logger } = run;
  const { claim, downloadBaseUrl } = inputs;
  if (claim.kind === 'signed') {
    return proveSigned(run, claim.evidence);
  }
  const version = await resolveVersion(claim.choice.version, http, downloadBaseUrl);
  logger.info(`Version: ${version} (requested: ${claim.choice.versionSource})`);
  const release = new Release(version, downloadBaseUrl);
  const artifact = artifactOf(release, claim.file ?? lockedFile(inputs, subject));
  if (inputs.sbom !== undefined && artifact.boundBy.kind !== 'sbom') {
    throw new SetupError(
      'INVALID_INPUT',
      `Leave "sbom" away: no SBOM lists ${artifact.path}, which says itself of which release it is.`,
    );
  }
  const context = proofContext(run, release, artifact);
  try {
    const evidence = evidenceFor(context, inputs.evidence, artifact);
    const where = (): Promise<string> => Promise.resolve(subject.path);
    const proof = await proveBy(context, artifact, evidence, Promise.resolve(subject), where);
    return { ...proof, artifact };
  } catch (error) {
    throw await whyNotFound(error, release, http);
  }
}

/** Who signed the file, and when, but not what it is. */
async function proveSigned(run: VerifyRun, given: OwnEvidence): Promise<Proof> {
  const { inputs, subject } = run;
  const context = publicationContext(run);
  const name = baseName(inputs);
  const evidence = ownEvidence(context, given, name);
  const found = await verifySubject(context.policy, name, subject, [evidence]);
  const binding: Binding = { kind: 'skipped' };
  checkSecondFactors(
    { name, path: name },
    found.verified,
    binding,
    inputs.secondFactors,
    Date.now(),
  );
  return { ...found, artifact: undefined, binding };
}

const baseName = ({ file }: VerifyInputs): string => path.basename(file.name);

const lockOf = ({ evidence }: VerifyInputs): Lock | undefined =>
  evidence.kind === 'lock' ? evidence.lock : undefined;

/** Which file of the lock has these bytes: the first one, where several have. */
function lockedFile(inputs: VerifyInputs, subject: DigestedFile): NamedFile {
  const lock = lockOf(inputs);
  const sha256 = subject.sha256.toString('hex');
  const files = [...(lock?.files ?? [])];
  const found = files.find(([, file]) => file.sha256 === sha256)?.[0] ?? '';
  const named = parseReleasePath(found);
  if (named === undefined) {
    const others = files.map(([path, file]) => `${path} (${file.sha256})`).join(', ');
    throw new SetupError(
      'LOCK_MISMATCH',
      `${baseName(inputs)} has SHA-256 ${sha256}, and no file in ${String(lock?.name)} has; it has ${others}`,
    );
  }
  return named;
}

function publicationContext({
  inputs,
  http,
  background,
  trust,
}: VerifyRun): PublicationContext & { readonly policy: Policy } {
  return {
    http,
    background,
    log: new TransparencyLog(http, inputs.rekorUrl),
    policy: {
      trust: background.start(trust.then(({ material }) => material)),
      identity: inputs.identity,
    },
  };
}

function proofContext(run: VerifyRun, release: Release, artifact: Artifact): ProofContext {
  const { inputs, logger, scratch } = run;
  const { secondFactors } = inputs;
  const context: BindingContext = {
    ...publicationContext(run),
    release,
    scratch,
    logger,
    isNative: false, // The file is never executed.
  };
  return {
    ...context,
    lock: lockOf(inputs),
    binder: binderFor(run, context),
    // The inputs know the file by its name on this machine.
    secondFactors: {
      ...secondFactors,
      checksums: { [artifact.name]: secondFactors.checksums[baseName(inputs)] },
    },
  };
}

function binderFor({ inputs, sbom }: VerifyRun, context: BindingContext): ReleaseBinder {
  const lock = lockOf(inputs);
  if (!inputs.bindRelease) {
    return new NoBinder();
  }
  if (sbom !== undefined && inputs.sbom !== undefined) {
    const evidence = evidenceFor(context, inputs.sbom.evidence, context.release.sbom());
    return new GivenSbomBinder(context, sbom, evidence);
  }
  return lock === undefined ? new UnexecutedBinder(context) : new LockedBinder(context, lock);
}

/** What the user named decides alone. */
function evidenceFor(
  context: PublicationContext,
  given: GivenEvidence,
  artifact: Artifact,
): EvidenceSource {
  switch (given.kind) {
    case 'signature':
    case 'bundle':
      return ownEvidence(context, given, artifact.path);
    case 'lock':
      return given.lock.evidenceFor(artifact);
    case 'published':
      // The file is here: nobody has to claim its digest.
      return new PublishedEvidence(context, artifact.evidence, Promise.resolve(undefined));
  }
}

function ownEvidence(
  { log }: PublicationContext,
  given: OwnEvidence,
  name: string,
): EvidenceSource {
  return given.kind === 'bundle' ? new GivenBundle(given.json) : new GivenPair(log, name, given);
}

/** Where the host has no such release, that is what is wrong. */
async function whyNotFound(error: unknown, release: Release, http: HttpClient): Promise<unknown> {
  const isOfRelease =
    error instanceof SetupError &&
    (error.code === 'RELEASE_NOT_SIGNED' || error.situation === 'no-release-proof');
  return !isOfRelease || (await isPublished(release.version, http, release.base))
    ? error
    : new SetupError(
        'VERSION_NOT_FOUND',
        `Kubernetes ${release.version} does not exist at ${release.base.href}`,
        { cause: error },
      );
}

/** @throws {SetupError} INVALID_INPUT for what is not a plain file, or cannot be read */
async function readInput(
  input: 'file' | 'sbom',
  { name, path: file }: FileToVerify,
  maxBytes: number,
): Promise<UntouchedFile> {
  try {
    return await readUntouched(file, maxBytes);
  } catch (error) {
    throw error instanceof FileChangedError
      ? changed(error)
      : new SetupError(
          'INVALID_INPUT',
          `Input "${input}": cannot read ${JSON.stringify(name)}: ${explain(error)}`,
          { cause: error },
        );
  }
}

async function assertUntouched(file: UntouchedFile): Promise<void> {
  try {
    await file.assertUntouched();
  } catch (error) {
    throw error instanceof FileChangedError ? changed(error) : error;
  }
}

function changed(error: FileChangedError): SetupError {
  return new SetupError('INSTALL_FAILED', error.message, {
    situation: 'file-changed',
    cause: error,
  });
}
