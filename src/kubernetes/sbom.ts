import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { SetupError, type Situation } from '../errors.js';

/** The SBOM of a release is a few MiB at most. */
export const MAX_SBOM_BYTES = 64 << 20;

/** Distinct values that an SBOM states, by what they are stated of. */
type Statements = ReadonlyMap<string, ReadonlySet<string>>;

/** What a release's SBOM says about itself, its files, and its images. */
export interface ReleaseSbom {
  /** SPDX 2.3 §6.5: `https://sbom.k8s.io/v1.31.9/release`. */
  readonly documentNamespace: string | undefined;
  /**
   * The distinct SHA-256 digests (hex) that are stated for each file name (SPDX 2.3 §8.1, §8.4).
   *
   * krel lists the client binaries of windows/amd64 twice, with different SPDX ids and equal
   * digests. So equal digests are one statement.
   */
  readonly digests: Statements;
  /** The distinct SHA-256 digests (hex) that are stated for each package id (SPDX 2.3 §7.2, §7.10). */
  readonly packageDigests: Statements;
  /** The ids of the packages in each package (SPDX 2.3 §11.1). The layers of an image, for example. */
  readonly contained: Statements;
}

/** The namespace that krel gives to the SBOM of a release, or of its source code. */
export function sbomNamespace(version: string, of: 'release' | 'source'): string {
  return `https://sbom.k8s.io/${version}/${of}`;
}

/**
 * Requires an SBOM that was asked for itself to have this namespace.
 *
 * The SBOM itself must have been verified before.
 *
 * @param file path inside the release: `kubernetes-release.spdx`
 * @throws {SetupError} RELEASE_MISMATCH, naming what was asked for and what was found
 */
export function checkNamespace(
  { documentNamespace }: Pick<ReleaseSbom, 'documentNamespace'>,
  namespace: string,
  version: string,
  file: string,
): void {
  if (documentNamespace !== namespace) {
    const found = documentNamespace === undefined ? 'none' : JSON.stringify(documentNamespace);
    throw mismatch(
      `requested ${file} of ${version}, with the namespace ${namespace}, but the namespace of the file that was served is ${found}`,
    );
  }
}

/**
 * Requires the SBOM to be that of the release, and to list the file with this digest.
 *
 * The SBOM itself must have been verified before.
 *
 * @param file path inside the release: `bin/linux/amd64/kubectl`
 * @param found SHA-256 of the file in hex, and when the log saw it signed
 * @throws {SetupError} RELEASE_MISMATCH, naming what was asked for and what was found
 */
export function checkRelease(
  sbom: ReleaseSbom,
  version: string,
  file: string,
  { sha256, signedAt }: { readonly sha256: string; readonly signedAt: Date },
): void {
  if (sbom.documentNamespace !== sbomNamespace(version, 'release')) {
    throw mismatch(
      `requested ${file} of ${version}, but the SBOM that was served is for ${describe(sbom)}`,
    );
  }
  const stated = sbom.digests.get(file) ?? new Set();
  if (stated.size > 1) {
    throw mismatch(
      `the SBOM of ${version} contradicts itself: it lists ${file} with ${String(stated.size)} different SHA-256 digests`,
      'contradictory-sbom',
    );
  }
  if (!stated.has(sha256)) {
    const other = fileWithDigest(sbom, sha256);
    throw mismatch(
      other === undefined
        ? `requested ${file} of ${version}, but that release lists ${stated.size === 0 ? 'no such file' : 'it with a different SHA-256'}: these bytes (SHA-256 ${sha256}, signed at ${signedAt.toISOString()}) do not belong to that release`
        : `requested ${file} of ${version}, but these bytes are ${other} of ${version}`,
    );
  }
}

/** A layer of an image: SHA-256 in hex, as it is in the registry, and before it was compressed. */
export interface ImageLayer {
  readonly compressed: string;
  readonly uncompressed: string;
}

/**
 * Requires the image of a release to have the layers that the release's SBOM lists for it.
 *
 * krel names an image by its repository for one architecture, and each layer by the SHA-256 of its
 * file in the archive that `docker save` wrote. That file is not compressed, or is compressed if
 * Docker keeps its images in containerd's store.
 *
 * The SBOM itself must have been verified before.
 *
 * @param image `kube-apiserver`, or `kube-apiserver-amd64`
 * @param arch of the manifest that the layers are from
 * @returns false if the SBOM does not list the image at all
 * @throws {SetupError} RELEASE_MISMATCH for the SBOM of another release; IMAGE_MISMATCH
 */
export function checkReleaseImage(
  sbom: ReleaseSbom,
  version: string,
  image: string,
  arch: string,
  layers: readonly ImageLayer[],
): boolean {
  if (sbom.documentNamespace !== sbomNamespace(version, 'release')) {
    throw mismatch(
      `requested ${image} ${version}, but the SBOM that was served is for ${describe(sbom)}`,
    );
  }
  const repository = image.endsWith(`-${arch}`) ? image : `${image}-${arch}`;
  const ids = sbom.contained.get(`SPDXRef-Package-registry.k8s.io-${repository}-${version}`);
  if (ids === undefined) {
    return false;
  }
  // A layer without a digest stays in the list under its id, which no layer has.
  const listed = new Set([...ids].flatMap((id) => [...(sbom.packageDigests.get(id) ?? [id])]));
  const found = layers.map(({ compressed, uncompressed }) =>
    [uncompressed, compressed].find((digest) => listed.has(digest)),
  );
  if (found.includes(undefined) || new Set(found).size !== listed.size) {
    throw new SetupError(
      'IMAGE_MISMATCH',
      `the image served as ${image} ${version} for ${arch} has other layers than the SBOM of that release lists`,
      { situation: 'image-of-another-version' },
    );
  }
  return true;
}

/**
 * Reads SPDX 2.3 in its tag-value form, as a stream.
 *
 * @param file whose bytes were verified, and whose size is bounded, with its SHA-256 of 32 bytes
 * @throws {SetupError} RELEASE_MISMATCH for a file that has changed since
 */
export async function readSbom(file: {
  readonly path: string;
  readonly sha256: Buffer;
}): Promise<ReleaseSbom> {
  const reader = new TagValueReader();
  const hash = createHash('sha256');
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  // Not node:readline: it also ends a line at U+2028 and U+2029, which a value may hold.
  let rest = '';
  const pieces = createReadStream(file.path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
  for await (const piece of pieces) {
    hash.update(piece);
    const lines = `${rest}${decoder.decode(piece, { stream: true })}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      reader.line(line);
    }
  }
  reader.line(`${rest}${decoder.decode()}`);
  if (!hash.digest().equals(file.sha256)) {
    throw mismatch(`${file.path} was changed by another process after it was verified`);
  }
  return reader.end();
}

/** A value may span lines: `<text>` to `</text>` (SPDX 2.3 §6.1 ff.), and hold anything between. */
class TagValueReader {
  readonly #digests = new Map<string, Set<string>>();
  readonly #packageDigests = new Map<string, Set<string>>();
  readonly #contained = new Map<string, Set<string>>();
  readonly #namespaces: string[] = [];
  #file: string | undefined;
  #inPackage = false;
  #package: string | undefined;
  #insideText = false;

  line(line: string): void {
    if (this.#insideText) {
      this.#insideText = !line.includes('</text>');
      return;
    }
    const [, tag, value] = /^([A-Za-z]+):(.*)$/s.exec(line) ?? [];
    if (tag === undefined || value === undefined) {
      return; // A comment, or an empty line.
    }
    if (value.trimStart().startsWith('<text>')) {
      this.#insideText = !value.includes('</text>');
      return;
    }
    this.#field(tag, value.trim());
  }

  end(): ReleaseSbom {
    const [documentNamespace, ...more] = this.#namespaces;
    return {
      documentNamespace: more.length === 0 ? documentNamespace : undefined,
      digests: this.#digests,
      packageDigests: this.#packageDigests,
      contained: this.#contained,
    };
  }

  #field(tag: string, value: string): void {
    switch (tag) {
      case 'DocumentNamespace':
        this.#namespaces.push(value);
        break;
      case 'FileName':
        this.#endElement();
        this.#file = value.replace(/^\.\//, '');
        break;
      case 'PackageName':
        this.#endElement();
        this.#inPackage = true;
        break;
      case 'SnippetSPDXID':
        this.#endElement();
        break;
      case 'SPDXID':
        this.#package = this.#inPackage ? value : undefined;
        break;
      case 'FileChecksum':
        addDigest(this.#digests, this.#file, value);
        break;
      case 'PackageChecksum':
        addDigest(this.#packageDigests, this.#package, value);
        break;
      case 'Relationship':
        this.#relationship(value);
        break;
    }
  }

  /** The fields of another element follow. */
  #endElement(): void {
    this.#file = undefined;
    this.#inPackage = false;
    this.#package = undefined;
  }

  #relationship(value: string): void {
    const [, from, to] = /^(\S+) CONTAINS (\S+)$/.exec(value) ?? [];
    if (from !== undefined && to !== undefined) {
      add(this.#contained, from, to);
    }
  }
}

function addDigest(
  statements: Map<string, Set<string>>,
  of: string | undefined,
  value: string,
): void {
  const digest = /^SHA256:[ \t]*([0-9a-f]{64})$/.exec(value)?.[1];
  if (of !== undefined && digest !== undefined) {
    add(statements, of, digest);
  }
}

function add(statements: Map<string, Set<string>>, of: string, value: string): void {
  const known = statements.get(of);
  if (known === undefined) {
    statements.set(of, new Set([value]));
  } else {
    known.add(value);
  }
}

function describe(sbom: ReleaseSbom): string {
  const version = /^https:\/\/sbom\.k8s\.io\/(v[0-9A-Za-z.-]{1,40})\/release$/.exec(
    sbom.documentNamespace ?? '',
  )?.[1];
  return version ?? 'no Kubernetes release';
}

function fileWithDigest(sbom: ReleaseSbom, sha256: string): string | undefined {
  for (const [file, digests] of sbom.digests) {
    if (digests.has(sha256)) {
      return file;
    }
  }
  return undefined;
}

function mismatch(message: string, situation?: Situation): SetupError {
  return new SetupError('RELEASE_MISMATCH', message, { situation });
}
