import { createHash } from 'node:crypto';

/** A file of a release as its SBOM names it: `bin/linux/amd64/kubectl`. */
export interface SbomFile {
  readonly name: string;
  readonly bytes: Buffer;
}

export interface SbomOptions {
  /** With `v` in front. */
  readonly version: string;
  readonly files: readonly SbomFile[];
  /** The version that `DocumentName` claims; `version` unless given. */
  readonly documentNameVersion?: string;
  /** The version that `DocumentNamespace` claims; `version` unless given. */
  readonly namespaceVersion?: string;
  /** Names of files to leave out. */
  readonly omit?: readonly string[];
  /** Digests (SHA-256, hexadecimal) to claim instead of the right ones, by file name. */
  readonly sha256?: Readonly<Record<string, string>>;
  /** Text inside a multi-line `<text>` value, where nothing is a field, whatever it looks like. */
  readonly insideText?: string;
  /** Lines to add at the end of the document, where they are fields. */
  readonly appended?: string;
  /** Blank lines between a file's fields, as some versions of the tool write them. */
  readonly blankLines?: boolean;
  /** Container images that the document describes as well. */
  readonly images?: number;
  /** Images of the release, with their layers. */
  readonly releaseImages?: readonly SbomImage[];
}

/** An image of a release, for one architecture. */
export interface SbomImage {
  /** `kube-apiserver-amd64` */
  readonly repository: string;
  /** What is in each layer before it is compressed. */
  readonly layers: readonly Buffer[];
}

/** `kubernetes-release.spdx`: SPDX 2.3 tag-value, in the shape that `bom` gives it for Kubernetes' releases. */
export function releaseSbom(options: SbomOptions): Buffer {
  const { version } = options;
  const omitted = new Set(options.omit);
  const files = options.files.filter(({ name }) => !omitted.has(name));
  const sections = [
    documentSection(options),
    '##### Files independent of packages\n',
    ...files.map((file) => fileSection(file, options)),
    ...files.map(({ name }) => `Relationship: SPDXRef-DOCUMENT DESCRIBES ${fileId(name)}\n`),
    ...Array.from({ length: options.images ?? 20 }, (_, i) => imageSection(version, i)),
    ...(options.releaseImages ?? []).map((image) => releaseImageSection(version, image)),
    ...(options.insideText === undefined ? [] : [textSection(options.insideText)]),
    ...(options.appended === undefined ? [] : [options.appended]),
  ];
  return Buffer.from(`${sections.join('\n')}\n`);
}

function documentSection(options: SbomOptions): string {
  const { version, documentNameVersion = version, namespaceVersion = version } = options;
  return lines(
    'SPDXVersion: SPDX-2.3',
    'DataLicense: CC0-1.0',
    'SPDXID: SPDXRef-DOCUMENT',
    `DocumentName: Kubernetes Release ${documentNameVersion}`,
    `DocumentNamespace: https://sbom.k8s.io/${namespaceVersion}/release`,
    'Creator: Person: Kubernetes Release Managers (release-managers@kubernetes.io)',
    'Creator: Organization: Kubernetes Release Engineering',
    'Creator: Tool: bom-v0.6.0',
    'LicenseListVersion: 3.21',
    'Created: 2025-05-15T12:00:00Z',
    '',
  );
}

function fileSection({ name, bytes }: SbomFile, options: SbomOptions): string {
  const sum = (algorithm: string): string => createHash(algorithm).update(bytes).digest('hex');
  const fields = [
    `FileName: ${name}`,
    `SPDXID: ${fileId(name)}`,
    `FileChecksum: SHA1: ${sum('sha1')}`,
    `FileChecksum: SHA256: ${options.sha256?.[name] ?? sum('sha256')}`,
    `FileChecksum: SHA512: ${sum('sha512')}`,
    'FileType: BINARY',
    'FileType: APPLICATION',
    'LicenseConcluded: Apache-2.0',
    'LicenseInfoInFile: Apache-2.0',
    'FileCopyrightText: NOASSERTION',
  ];
  return `${fields.join(options.blankLines === true ? '\n\n' : '\n')}\n`;
}

/** An image, with a layer's file: its name has a path too, but it is none of the release's binaries. */
function imageSection(version: string, n: number): string {
  const digest = createHash('sha256').update(`${version} image ${n}`).digest('hex');
  const id = `SPDXRef-Package-sha256-${digest}`;
  return lines(
    `##### Package: sha256:${digest}`,
    '',
    `PackageName: sha256:${digest}`,
    `SPDXID: ${id}`,
    `PackageChecksum: SHA256: ${digest}`,
    `PackageDownloadLocation: registry.k8s.io/image-${n}@sha256:${digest}`,
    'FilesAnalyzed: false',
    'PackageLicenseConcluded: NOASSERTION',
    `PackageVersion: ${version}`,
    'PrimaryPackagePurpose: CONTAINER',
    `ExternalRef: PACKAGE-MANAGER purl pkg:oci/image-${n}@sha256:${digest}?tag=${version}`,
    'PackageLicenseDeclared: NOASSERTION',
    'PackageCopyrightText: NOASSERTION',
    '',
    `Relationship: SPDXRef-DOCUMENT DESCRIBES ${id}`,
  );
}

/** As in fixtures/sbom, which krel's own code wrote: the image's archive, and each layer by the digest of its file. */
function releaseImageSection(version: string, { repository, layers }: SbomImage): string {
  const id = `SPDXRef-Package-registry.k8s.io-${repository}-${version}`;
  return lines(
    ...packageFields(`${repository}.tar`, id, createHash('sha256').update(id).digest('hex')),
    ...layers.flatMap((layer) => {
      const digest = createHash('sha256').update(layer).digest('hex');
      const layerId = `${id}-sha256-${digest}`;
      return [
        ...packageFields(`sha256:${digest}`, layerId, digest),
        `Relationship: ${id} CONTAINS ${layerId}`,
      ];
    }),
    `Relationship: ${id} GENERATED_FROM DocumentRef-kubernetes-${version}:SPDXRef-Package-kubernetes`,
    '',
    `Relationship: SPDXRef-DOCUMENT DESCRIBES ${id}`,
  );
}

const packageFields = (name: string, id: string, sha256: string): string[] => [
  `##### Package: ${name}`,
  '',
  `PackageName: ${name}`,
  `SPDXID: ${id}`,
  `PackageChecksum: SHA256: ${sha256}`,
  'PackageDownloadLocation: NONE',
  'FilesAnalyzed: false',
  'PackageLicenseConcluded: NOASSERTION',
  'PackageLicenseDeclared: NOASSERTION',
  'PackageCopyrightText: NOASSERTION',
  '',
];

const textSection = (text: string): string =>
  lines(
    '##### Package: notices',
    '',
    'PackageName: notices',
    'SPDXID: SPDXRef-Package-notices',
    'PackageDownloadLocation: NONE',
    'FilesAnalyzed: false',
    'PackageLicenseConcluded: NOASSERTION',
    'PackageLicenseDeclared: NOASSERTION',
    `PackageCopyrightText: <text>${text}`,
    '</text>',
  );

const fileId = (name: string): string => `SPDXRef-File-${name.replaceAll(/[^A-Za-z0-9.-]/g, '-')}`;

const lines = (...text: readonly string[]): string => `${text.join('\n')}\n`;
