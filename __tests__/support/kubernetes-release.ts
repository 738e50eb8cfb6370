import { createHash } from 'node:crypto';
import { lt, prerelease } from 'semver';
import {
  DAY,
  type CertificateAuthority,
  type IssuedCertificate,
  type IssueOptions,
} from './certificate-authority.js';
import { executable } from './executables.js';
import type { ReleaseHost } from './release-host.js';
import { releaseSbom, type SbomOptions } from './sbom.js';
import { bundledEntries, bundleJson, type BundleJson } from './sigstore-bundle.js';
import type { TimestampAuthority } from './timestamp-authority.js';
import type { TransparencyLogV2 } from './transparency-log-v2.js';
import { RawJson, type Forgery, type LogEntry, type TransparencyLog } from './transparency-log.js';

/** Those who take part in signing, and the host that gets the result. */
export interface Signing {
  readonly authority: CertificateAuthority;
  readonly log: TransparencyLog;
  readonly logV2: TransparencyLogV2;
  readonly timestampAuthority: TimestampAuthority;
  readonly host: ReleaseHost;
}

export interface SignOptions {
  /** When: the certificate's validity begins then, and the log takes it up a second later. 30 days ago unless given. */
  readonly at?: Date;
  /** The log's time, when it is to differ. */
  readonly integratedTime?: Date;
  /** Whose certificate, and how; the release team's unless given. */
  readonly certificate?: IssueOptions;
  /** A certificate to use again. */
  readonly issued?: IssuedCertificate;
  readonly authority?: CertificateAuthority;
  /** The log that takes it up, or `false` for none. */
  readonly log?: TransparencyLog | false;
}

export interface Signed {
  /** DER. */
  readonly signature: Buffer;
  readonly certificate: IssuedCertificate;
  /** Absent when it was not logged. */
  readonly entry?: LogEntry;
}

export interface PublishOptions {
  /** With `v` in front. */
  readonly version: string;
  /** `kubectl` unless given. */
  readonly tools?: readonly string[];
  /** `linux/amd64` unless given. */
  readonly platforms?: readonly string[];
  /** Names of files at the top of the release, such as `kubernetes-src.tar.gz`; none unless given. */
  readonly artifacts?: readonly string[];
  /** `false`: none; otherwise what is different about it. */
  readonly sbom?: boolean | Partial<SbomOptions>;
  /** `false`: no `.sig` and `.cert` files, as before v1.26.0-rc.1. */
  readonly signed?: boolean;
  /** Whether `stable*.txt` and `latest*.txt` take notice of it. */
  readonly pointers?: boolean;
  readonly signing?: SignOptions;
  /** Bytes of each executable, at least. */
  readonly size?: number;
}

/** A file on the host, with the files beside it. */
export class PublishedFile {
  readonly path: string;
  readonly #signing: Signing;
  #bytes: Buffer;
  #signed: Signed | undefined;

  constructor(path: string, bytes: Buffer, signing: Signing) {
    this.path = path;
    this.#signing = signing;
    this.#bytes = bytes;
    this.replace(bytes);
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Hexadecimal. */
  get sha256(): string {
    return hex('sha256', this.#bytes);
  }

  get signature(): Buffer {
    return this.#material.signature;
  }

  get certificate(): IssuedCertificate {
    return this.#material.certificate;
  }

  /** The log entry of what was signed last. */
  get entry(): LogEntry {
    const { entry } = this.#material;
    if (entry === undefined) throw new Error(`${this.path} is in no log`);
    return entry;
  }

  /** Puts other bytes there, with checksums that fit them; signature and certificate stay as they are. */
  replace(bytes: Buffer): void {
    this.#bytes = bytes;
    const { host } = this.#signing;
    host.put(this.path, bytes);
    host.put(`${this.path}.sha256`, hex('sha256', bytes));
    host.put(`${this.path}.sha512`, hex('sha512', bytes));
  }

  /** Signs the bytes (again), and puts `.sig` and `.cert` there. */
  sign(options: SignOptions = {}): Signed {
    const signed = signAndLog(this.#bytes, this.#signing, options);
    this.putMaterial(signed);
    return signed;
  }

  /** Puts `.sig` (base64 of DER, no line feed) and `.cert` (base64 of PEM) there. */
  putMaterial(signed: Signed): void {
    const { host } = this.#signing;
    this.#signed = signed;
    host.put(`${this.path}.sig`, signed.signature.toString('base64'));
    host.put(`${this.path}.cert`, Buffer.from(signed.certificate.pem).toString('base64'));
  }

  /** Takes `.sig` and `.cert` away. */
  removeMaterial(): void {
    this.#signing.host.remove(`${this.path}.sig`);
    this.#signing.host.remove(`${this.path}.cert`);
  }

  /** What was signed last as a bundle: entry, proof and timestamp of Rekor v1, as the log answers or as a liar does. */
  bundle(tamper?: Forgery): BundleJson {
    const { log } = this.#signing;
    const genuine = log.answer(this.entry.uuid) ?? {};
    const answer = tamper?.(genuine, log) ?? genuine;
    if (answer instanceof RawJson) throw new Error('this forgery does not fit into a bundle');
    const { signature, certificate } = this.#material;
    return bundleJson({
      artifact: this.#bytes,
      signature,
      certificate,
      entries: bundledEntries(answer),
    });
  }

  /** Signs anew, into Rekor v2 and with a time-stamping authority's token, and returns the bundle. */
  bundleV2(options: SignOptions = {}): BundleJson {
    const { logV2, timestampAuthority } = this.#signing;
    const at = options.at ?? defaultTime();
    const { signature, certificate } = signAndLog(this.#bytes, this.#signing, {
      ...options,
      at,
      log: false,
    });
    const digest = this.sha256;
    const entry = logV2.add({ digest, signature, certificatePem: certificate.pem });
    return bundleJson({
      artifact: this.#bytes,
      signature,
      certificate,
      entries: [logV2.bundled(entry)],
      timestamps: [timestampAuthority.timestamp(signature, afterwards(at))],
    });
  }

  /** Puts a bundle there as `<path>.sigstore.json`. */
  putBundle(bundle: BundleJson): void {
    this.#signing.host.put(`${this.path}.sigstore.json`, JSON.stringify(bundle));
  }

  get #material(): Signed {
    if (this.#signed === undefined) throw new Error(`${this.path} was never signed`);
    return this.#signed;
  }
}

/** Kubernetes' release process: signs, logs and publishes, and moves the pointers. */
export class KubernetesRelease {
  readonly #signing: Signing;
  readonly #files = new Map<string, PublishedFile>();

  constructor(signing: Signing) {
    this.#signing = signing;
  }

  /** Publishes tools for platforms. A second call for the same version adds to it. */
  publish(options: PublishOptions): void {
    const { version, tools = ['kubectl'], platforms = ['linux/amd64'], sbom = true } = options;
    const { artifacts = [] } = options;
    const size = options.size === undefined ? {} : { size: options.size };
    for (const platform of platforms) {
      for (const tool of tools) {
        const bytes = executable({ tool, version, platform, ...size });
        this.#put(artifactPath(version, platform, tool), bytes, options);
      }
    }
    for (const name of artifacts) {
      this.#put(releaseFilePath(version, name), releaseFile(name, version, options.size), options);
    }
    if (sbom !== false) this.putSbom(version, sbom === true ? {} : sbom, options);
    if (options.pointers !== false) this.#movePointers(version);
  }

  /** Publishes any file of a release, signed unless told otherwise. */
  putFile(
    path: string,
    bytes: Buffer,
    options: Omit<PublishOptions, 'version'> = {},
  ): PublishedFile {
    return this.#put(path, bytes, options);
  }

  /** Makes the SBOM of what has been published of a version, and publishes it. */
  putSbom(
    version: string,
    changes: Partial<SbomOptions> = {},
    options: Omit<PublishOptions, 'version'> = {},
  ): PublishedFile {
    const prefix = `release/${version}/`;
    const files = [...this.#files.values()]
      .filter(({ path }) => path.startsWith(`${prefix}bin/`) || isTarballOf(prefix, path))
      .map(({ path, bytes }) => ({ name: path.slice(prefix.length), bytes }));
    const bytes = releaseSbom({ version, files, ...changes });
    return this.#put(sbomPath(version), bytes, options);
  }

  artifact(version: string, platform: string, tool: string): PublishedFile {
    return this.#file(artifactPath(version, platform, tool));
  }

  /** A file at the top of a release. */
  file(version: string, name: string): PublishedFile {
    return this.#file(releaseFilePath(version, name));
  }

  sbom(version: string): PublishedFile {
    return this.#file(sbomPath(version));
  }

  /** Sets a pointer, `stable`, `stable-1.31`, `latest-1`, ... to any text. */
  point(pointer: string, text: string): void {
    this.#signing.host.put(`release/${pointer}.txt`, text);
  }

  /** Signs and logs bytes without publishing them. */
  signAndLog(bytes: Buffer, options: SignOptions = {}): Signed {
    return signAndLog(bytes, this.#signing, options);
  }

  #put(path: string, bytes: Buffer, options: Omit<PublishOptions, 'version'>): PublishedFile {
    const file = new PublishedFile(path, bytes, this.#signing);
    if (options.signed !== false) file.sign(options.signing);
    this.#files.set(path, file);
    return file;
  }

  #file(path: string): PublishedFile {
    const file = this.#files.get(path);
    if (file === undefined) throw new Error(`nothing was published at ${path}`);
    return file;
  }

  /** `stable*` follow releases, `latest*` follow pre-releases; each of them only ever moves up. */
  #movePointers(version: string): void {
    const [, minor = '', major = ''] = /^v((\d+)\.\d+)/.exec(version) ?? [];
    const channel = prerelease(version) === null ? 'stable' : 'latest';
    for (const pointer of [channel, `${channel}-${major}`, `${channel}-${minor}`]) {
      const path = `release/${pointer}.txt`;
      const { host } = this.#signing;
      if (!host.files.has(path) || lt(host.get(path).toString(), version))
        this.point(pointer, version);
    }
  }
}

/** Signs bytes with a certificate of their own, and has the log take that up. */
function signAndLog(bytes: Buffer, signing: Signing, options: SignOptions): Signed {
  const at = options.at ?? defaultTime();
  const authority = options.authority ?? signing.authority;
  const certificate = options.issued ?? authority.issue({ notBefore: at, ...options.certificate });
  const signature = certificate.sign(bytes);
  const log = options.log ?? signing.log;
  if (log === false) return { signature, certificate };
  const integratedTime = options.integratedTime ?? afterwards(certificate.notBefore);
  const digest = hex('sha256', bytes);
  const entry = log.add({ digest, signature, certificatePem: certificate.pem, integratedTime });
  return { signature, certificate, entry };
}

/** `release/v1.31.9/bin/windows/amd64/kubectl.exe` */
export function artifactPath(version: string, platform: string, tool: string): string {
  const suffix = platform.startsWith('windows/') ? '.exe' : '';
  return `release/${version}/bin/${platform}/${tool}${suffix}`;
}

/** `release/v1.31.9/kubernetes-src.tar.gz` */
export const releaseFilePath = (version: string, name: string): string =>
  `release/${version}/${name}`;

/** krel lists what ends in `tar.gz`, and nothing else: ListBuildTarballs in pkg/release/workspace.go at f618b2a3. */
const isTarballOf = (prefix: string, path: string): boolean =>
  path.startsWith(prefix) && /^[^/]+tar\.gz$/.test(path.slice(prefix.length));

/** Bytes that no other file has: nobody looks into a tarball. Incompressible, like one. */
export function releaseFile(name: string, version: string, size = 100_000): Buffer {
  const pieces: Buffer[] = [];
  let piece = Buffer.from(`${name} ${version}`);
  for (let length = 0; length < size; length += piece.length) {
    piece = createHash('sha512').update(piece).digest();
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

export const sbomPath = (version: string): string => `release/${version}/kubernetes-release.spdx`;

const defaultTime = (): Date => new Date(Date.now() - 30 * DAY);

const afterwards = (at: Date): Date => new Date(at.getTime() + 1000);

const hex = (algorithm: string, bytes: Buffer): string =>
  createHash(algorithm).update(bytes).digest('hex');
