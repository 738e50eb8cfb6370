import { createHash } from 'node:crypto';

/** A file of a release as its SBOM names it: `bin/linux/amd64/kubectl`, `kubernetes-src.tar.gz`. */
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
  /** Blank lines between a file's fields: bom writes none, but tag-value readers must skip them. */
  readonly blankLines?: boolean;
  /** How many of the tarballs to list; all unless given. */
  readonly tarballs?: number;
  /** How many of the image tarballs to list as packages; all unless given. */
  readonly images?: number;
  /** Image tarballs with the layers that they have, in place of those that are made up. */
  readonly releaseImages?: readonly SbomImage[];
}

/** The tarball of an image of a release, for one architecture. */
export interface SbomImage {
  /** `kube-apiserver` */
  readonly name: string;
  readonly arch: string;
  /** What is in each layer before it is compressed. */
  readonly layers: readonly Buffer[];
}

/** Tarballs of a release, as `build/lib/release.sh` of Kubernetes makes them. */
const TARBALLS = [
  ...[
    'darwin-amd64',
    'darwin-arm64',
    'linux-386',
    'linux-amd64',
    'linux-arm',
    'linux-arm64',
    'linux-ppc64le',
    'linux-s390x',
    'windows-386',
    'windows-amd64',
    'windows-arm64',
  ].map((platform) => `client-${platform}`),
  'manifests',
  ...['linux-amd64', 'linux-arm64', 'linux-ppc64le', 'linux-s390x', 'windows-amd64'].map(
    (platform) => `node-${platform}`,
  ),
  ...['amd64', 'arm64', 'ppc64le', 's390x'].map((arch) => `server-linux-${arch}`),
  'src',
  'test-linux-amd64',
  'test-portable',
].map((name) => `kubernetes-${name}.tar.gz`);

/** Architectures that Kubernetes builds servers, and so images, for. */
const SERVER_ARCHITECTURES = ['amd64', 'arm64', 'ppc64le', 's390x'];
const IMAGES: readonly Omit<SbomImage, 'layers'>[] = SERVER_ARCHITECTURES.flatMap((arch) =>
  [
    'conformance',
    'kube-apiserver',
    'kube-controller-manager',
    'kube-proxy',
    'kube-scheduler',
    'kubectl',
  ].map((name) => ({ arch, name })),
);

/**
 * `kubernetes-release.spdx`: SPDX 2.3 tag-value, byte for byte in the form that krel gives it.
 *
 * Drawn from `ListBuildBinaries` and `ListBuildTarballs` in kubernetes/release, pkg/release/workspace.go
 * at f618b2a3 (which files, and which of them twice), and from the templates of bom 0.7.1 in pkg/spdx
 * (document.go, file.go, package.go). `sbom.test.ts` compares it with a document that they wrote.
 */
export function releaseSbom(options: SbomOptions): Buffer {
  const { version, tarballs = Infinity, images = Infinity, releaseImages = [] } = options;
  const omitted = new Set(options.omit);
  const listed = new Set(options.files.map(({ name }) => name));
  const placeholders = ['kubernetes.tar.gz', ...TARBALLS]
    .filter((name) => !listed.has(name))
    .slice(0, tarballs)
    .map((name) => ({ name, bytes: Buffer.from(`${name} ${version}`) }));
  const entries = [...options.files, ...placeholders]
    .filter(({ name }) => !omitted.has(name))
    .flatMap((file) => stagedPaths(file.name).map((path) => ({ file, id: fileId(version, path) })));
  const sections = [
    documentSection(options),
    '##### Files independent of packages\n\n',
    ...entries.map(({ file, id }) => fileSection(file, id, options)),
    '\n',
    ...entries.map(({ id }) => describes(id)),
    ...IMAGES.slice(0, images).map((image) => {
      const given = releaseImages.find(
        ({ name, arch }) => name === image.name && arch === image.arch,
      );
      return imageSection(version, given ?? madeUp(version, image));
    }),
    ...(options.insideText === undefined ? [] : [textSection(options.insideText)]),
    ...(options.appended === undefined ? [] : [`${options.appended}\n`]),
  ];
  return Buffer.from(sections.join(''));
}

/**
 * `kubernetes-source.spdx`, reduced to its head: WriteSourceBOM in pkg/anago/stage.go of kubernetes/release, at
 * f618b2a3, gives it this name and namespace.
 */
export const sourceSbom = (version: string): Buffer =>
  Buffer.from(
    lines(
      'SPDXVersion: SPDX-2.3',
      'DataLicense: CC0-1.0',
      'SPDXID: SPDXRef-DOCUMENT',
      `DocumentName: kubernetes-${version}`,
      `DocumentNamespace: https://sbom.k8s.io/${version}/source`,
      'Creator: Organization: Kubernetes Release Engineering',
      'Creator: Tool: bom-devel',
      'Created: 2025-05-15T12:00:00Z',
    ),
  );

/**
 * Where krel finds a file below `release-`: a directory that holds a platform's server binaries has
 * its client and node binaries too. windows/amd64 has node binaries but no server, so krel walks
 * `client` and `node` there, and both of them hold the client binaries.
 */
function stagedPaths(name: string): string[] {
  const [, os = '', arch = '', binary = ''] = /^bin\/([^/]+)\/([^/]+)\/(.+)$/.exec(name) ?? [];
  if (binary === '') return [`tars/${name}`];
  const staged = (kind: string): string =>
    `stage/${kind}/${os}-${arch}/kubernetes/${kind}/bin/${binary}`;
  const hasServer = os === 'linux' && SERVER_ARCHITECTURES.includes(arch);
  const hasNode = os === 'windows' && arch === 'amd64';
  const isClient = /^kubectl(-convert)?(\.exe)?$/.test(binary);
  const kinds = [...(isClient ? ['client'] : []), ...(hasNode ? ['node'] : [])];
  // Others than clients have a server directory: linux/arm, too, until 1.26.
  return (hasServer || kinds.length === 0 ? ['server'] : kinds).map(staged);
}

/** bom makes the id of the path: slashes become hyphens, other characters `C` and their number. */
const fileId = (version: string, path: string): string =>
  `SPDXRef-File-workspace-src-k8s.io-kubernetes-C95output-${version}-release-${path.replaceAll('/', '-')}`;

function documentSection(options: SbomOptions): string {
  const { version, documentNameVersion = version, namespaceVersion = version } = options;
  return lines(
    'SPDXVersion: SPDX-2.3',
    'DataLicense: CC0-1.0',
    'SPDXID: SPDXRef-DOCUMENT',
    `DocumentName: Kubernetes Release ${documentNameVersion}`,
    `DocumentNamespace: https://sbom.k8s.io/${namespaceVersion}/release`,
    `ExternalDocumentRef:DocumentRef-kubernetes-${version} https://sbom.k8s.io/${version}/source SHA1: ${digestOf('sha1', `source of ${version}`)}`,
    'Creator: Organization: Kubernetes Release Engineering',
    'Creator: Tool: bom-devel',
    'LicenseListVersion: 3.27',
    'Created: 2025-05-15T12:00:00Z',
    '',
    '',
    '',
  );
}

function fileSection({ name, bytes }: SbomFile, id: string, options: SbomOptions): string {
  const fields = [
    `FileName: ${name}`,
    `SPDXID: ${id}`,
    `FileChecksum: SHA1: ${digestOf('sha1', bytes)}`,
    `FileChecksum: SHA256: ${options.sha256?.[name] ?? digestOf('sha256', bytes)}`,
    `FileChecksum: SHA512: ${digestOf('sha512', bytes)}`,
    ...(name.endsWith('.tar.gz')
      ? ['FileType: ARCHIVE']
      : ['FileType: BINARY', 'FileType: APPLICATION']),
    'LicenseConcluded: Apache-2.0',
    'LicenseInfoInFile: NOASSERTION',
    'FileCopyrightText: NOASSERTION',
  ];
  return `${fields.join(options.blankLines === true ? '\n\n' : '\n')}\n\n`;
}

/** An image with the two layers that all of Kubernetes' have: a base, and the binary. */
const madeUp = (version: string, { arch, name }: Omit<SbomImage, 'layers'>): SbomImage => ({
  arch,
  name,
  layers: ['base', name].map((layer) => Buffer.from(`${layer} ${version} ${arch}`)),
});

/** An image tarball and its layers: packages, so none of their checksums is a file's. */
function imageSection(version: string, { arch, name, layers: contents }: SbomImage): string {
  const id = `SPDXRef-Package-registry.k8s.io-${name}-${arch}-${version}`;
  const file = `/workspace/src/k8s.io/kubernetes/_output-${version}/release-images/${arch}/${name}.tar`;
  const layers = contents.map((layer) => {
    const digest = digestOf('sha256', layer);
    const layerId = `${id}-sha256-${digest}`;
    return [
      packageSection(`sha256:${digest}`, layerId, `${digest}/layer.tar`),
      `\nRelationship: ${id} CONTAINS ${layerId}\n`,
    ].join('');
  });
  const source = `DocumentRef-kubernetes-${version}:SPDXRef-Package-kubernetes`;
  return [
    packageSection(`${name}.tar`, id, file),
    ...layers,
    `Relationship: ${id} GENERATED_FROM ${source}\n\n`,
    describes(id),
  ].join('');
}

function packageSection(name: string, id: string, fileName: string): string {
  const sum = (algorithm: string): string => digestOf(algorithm, id);
  const layer = /^sha256:(.+)$/.exec(name)?.[1];
  return lines(
    `##### Package: ${name}`,
    '',
    `PackageName: ${name}`,
    `SPDXID: ${id}`,
    `PackageChecksum: SHA1: ${sum('sha1')}`,
    `PackageChecksum: SHA256: ${layer ?? sum('sha256')}`,
    `PackageChecksum: SHA512: ${sum('sha512')}`,
    'PackageDownloadLocation: NONE',
    'FilesAnalyzed: false',
    'PackageLicenseConcluded: NOASSERTION',
    `PackageFileName: ${fileName}`,
    'PackageLicenseDeclared: NOASSERTION',
    'PackageCopyrightText: NOASSERTION',
    '',
  );
}

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

const describes = (id: string): string => `Relationship: SPDXRef-DOCUMENT DESCRIBES ${id}\n\n`;

const digestOf = (algorithm: string, content: Buffer | string): string =>
  createHash(algorithm).update(content).digest('hex');

const lines = (...text: readonly string[]): string => `${text.join('\n')}\n`;
