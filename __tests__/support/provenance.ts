import { createHash } from 'node:crypto';
import type { SbomFile } from './sbom.js';

/** The bucket that dl.k8s.io serves: ProductionBucket in pkg/release/release.go of kubernetes/release. */
const BUCKET = '767373bbdcb8270361b96548387bf2a9ad0d48758c35';

/**
 * `provenance.json`, as generateFinalAttestation in pkg/release/provenance.go of kubernetes/release (at
 * f618b2a3) writes it: an in-toto statement whose subjects are the files of the SBOM, by their places in the
 * release bucket. The predicate, which nothing reads, has no materials.
 */
export function provenance(version: string, files: readonly SbomFile[]): Buffer {
  const digest = (algorithm: string, bytes: Buffer): string =>
    createHash(algorithm).update(bytes).digest('hex');
  const statement = {
    _type: 'https://in-toto.io/Statement/v0.1',
    predicateType: 'https://slsa.dev/provenance/v0.2',
    subject: files.map(({ name, bytes }) => ({
      name: `gs://${BUCKET}/release/${version}/${name}`,
      digest: {
        sha1: digest('sha1', bytes),
        sha256: digest('sha256', bytes),
        sha512: digest('sha512', bytes),
      },
    })),
    predicate: {
      builder: { id: 'https://git.k8s.io/release/docs/krel' },
      buildType: 'https://cloudbuild.googleapis.com/CloudBuildYaml@v1',
      invocation: { configSource: {} },
      metadata: { completeness: { parameters: true, environment: false, materials: false } },
      materials: [],
    },
  };
  return Buffer.from(JSON.stringify(statement));
}
