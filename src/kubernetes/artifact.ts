import type { Platform } from './platform.js';

/** Where the evidence for one file of a release is published, beside the file. */
export interface EvidenceUrls {
  /** Of the file, for messages: `bin/linux/amd64/kubectl`. */
  readonly name: string;
  /** `.sig`: base64 of a DER ECDSA signature. */
  readonly signature: URL;
  /** `.cert`: base64 of one PEM certificate. */
  readonly certificate: URL;
  /** `.sigstore.json`: a Sigstore bundle, which Kubernetes does not publish yet. */
  readonly bundle: URL;
}

/**
 * What becomes of a file that passed: a later step finds it on `PATH`, or by its path in the tool
 * cache, or it only serves as evidence for another file.
 */
export type Delivery = 'on-path' | 'in-tool-cache' | 'evidence';

/** What ties a signed file to its release. */
export type ReleaseStatement =
  /** The release's signed SBOM lists the file with its digest. */
  { readonly kind: 'sbom' } | OwnStatement;

/** What a signed file says itself of its release. */
export type OwnStatement =
  /** The file is an SBOM, and has this namespace (SPDX 2.3 §6.5). */
  | { readonly kind: 'namespace'; readonly namespace: string }
  /** The file is an in-toto statement, and all its subjects are files of the release. */
  | { readonly kind: 'subjects' };

/** One file of a release: what it is called, and where it and its evidence are. */
export interface Artifact {
  /** Path inside the release, as its SBOM names it: `bin/linux/amd64/kubectl`. */
  readonly path: string;
  /** What a user calls it: `kubectl`. Names outputs and the folder in the tool cache. */
  readonly name: string;
  /** `kubectl`, or `kubectl.exe` for Windows. */
  readonly fileName: string;
  /** Of the release, with `v`. */
  readonly version: string;
  readonly url: URL;
  /** `.sha256`: a digest in hex. Kubernetes does not sign it, so it is never evidence. */
  readonly digestUrl: URL;
  readonly evidence: EvidenceUrls;
  /** A larger file is refused. */
  readonly maxBytes: number;
  readonly delivery: Delivery;
  readonly boundBy: ReleaseStatement;
  /** What it is made for; undefined for a file that is the same for all. */
  readonly platform: Platform | undefined;
  /** Every platform that there is one for, as `<os>/<arch>`. */
  readonly platforms: readonly string[];
}

/**
 * The URLs of a file of a release.
 *
 * @param base where `release/` is, ending in a slash
 * @param path inside the release
 */
export function urlsOf(
  base: URL,
  version: string,
  path: string,
): Pick<Artifact, 'url' | 'digestUrl' | 'evidence'> {
  const at = (suffix: string): URL => new URL(`release/${version}/${path}${suffix}`, base);
  return {
    url: at(''),
    digestUrl: at('.sha256'),
    evidence: {
      name: path,
      signature: at('.sig'),
      certificate: at('.cert'),
      bundle: at('.sigstore.json'),
    },
  };
}
