import { SetupError } from '../errors.js';
import type { DigestedFile } from '../files/digested-file.js';
import type { Artifact } from '../kubernetes/artifact.js';
import { readSbom } from '../kubernetes/sbom.js';
import { verifySubject, type EvidenceSource } from '../sigstore/evidence/source.js';
import type { Verified } from '../sigstore/verify/verify.js';
import { SbomBinder, type Binding, type BindingContext, type PublishedSbom } from './binding.js';

/** Binds a file by the release's signed SBOM, or not at all: the file is never executed. */
export class UnexecutedBinder extends SbomBinder {
  override async bind(
    artifact: Artifact,
    verified: Verified<DigestedFile>,
    file: string,
  ): Promise<Binding> {
    const published = artifact.boundBy.kind === 'sbom' ? await this.publishedSbom() : undefined;
    if (published !== undefined && published.kind !== 'signed') {
      throw new SetupError(
        'RELEASE_MISMATCH',
        `cannot prove that this is ${artifact.path} of ${artifact.version}: ${published.reason}`,
        { situation: 'no-release-proof' },
      );
    }
    return super.bind(artifact, verified, file);
  }
}

/** The same with an SBOM and evidence for it that the user has. No other SBOM is asked for. */
export class GivenSbomBinder extends UnexecutedBinder {
  readonly #given: Promise<PublishedSbom>;

  /**
   * @param sbom not verified yet
   * @param evidence for it
   */
  constructor(context: BindingContext, sbom: DigestedFile, evidence: EvidenceSource) {
    super(context);
    this.#given = context.background.start(verifiedSbom(context, sbom, evidence));
  }

  override publishedSbom(): Promise<PublishedSbom> {
    return this.#given;
  }
}

async function verifiedSbom(
  { policy, release }: BindingContext,
  sbom: DigestedFile,
  evidence: EvidenceSource,
): Promise<PublishedSbom> {
  const { verified } = await verifySubject(policy, release.sbom().path, sbom, [evidence]);
  return { kind: 'signed', verified, sbom: await readSbom(sbom) };
}
