import { X509Certificate } from 'node:crypto';
import { IMAGE_IDENTITY, signatureTag } from './image-signature.js';
import type { PublishedFile } from './kubernetes-release.js';
import { NATIVE_PLATFORM } from './native-platform.js';
import {
  digestOf,
  type DescriptorJson,
  type IndexJson,
  type ManifestJson,
  type Registry,
} from './registry.js';
import { bundleJson, bundledEntries, type BundleJson } from './sigstore-bundle.js';
import { RawJson } from './transparency-log.js';
import type { World } from './world.js';

/** A lock file as JSON, written without the code that is tested. */
export interface LockJson {
  lockVersion: number;
  version: string;
  files: Record<string, LockedFileJson>;
  images?: Record<string, LockedImageJson>;
}

export interface LockedFileJson {
  sha256: string;
  bundle: BundleJson;
}

/** Bytes are base64. */
export interface LockedImageJson {
  digest: string;
  payload: string;
  bundle: BundleJson;
  blobs: string[];
}

export interface LockedParts {
  readonly tools?: readonly string[];
  readonly platforms?: readonly string[];
  /** Names of other files of the release. */
  readonly artifacts?: readonly string[];
  /** The bundle of a file; what was signed and logged last unless given. */
  readonly bundleOf?: (file: PublishedFile) => BundleJson;
  /** Full references; those of the version with all of their platforms. */
  readonly images?: readonly string[];
}

/** Locks whatever is published now, genuine or not: nothing is verified. */
export function lockOf(world: World, version: string, parts: LockedParts = {}): LockJson {
  const { tools = ['kubectl'], platforms = [NATIVE_PLATFORM], artifacts = [] } = parts;
  const bundleOf = parts.bundleOf ?? ((file: PublishedFile) => file.bundle());
  const files = [
    ...platforms.flatMap((platform) =>
      tools.map((tool) => world.release.artifact(version, platform, tool)),
    ),
    ...artifacts.map((name) => world.release.file(version, name)),
    world.release.sbom(version),
  ];
  const prefix = `release/${version}/`;
  const entries = files.map((file): [string, LockedFileJson] => [
    file.path.slice(prefix.length),
    { sha256: file.sha256, bundle: bundleOf(file) },
  ]);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  const images = (parts.images ?? []).toSorted().map((name) => {
    return [name, lockedImage(world, name, name.endsWith(`:${version}`))] as const;
  });
  return {
    lockVersion: 1,
    version,
    files: Object.fromEntries(entries),
    ...(images.length > 0 && { images: Object.fromEntries(images) }),
  };
}

/** An image with the promoter's signature, or the first one, and what the log holds for that. */
export function lockedImage(world: World, name: string, isOfRelease: boolean): LockedImageJson {
  const { registry } = world;
  const [, repository = '', tag = '', byDigest] =
    /^registry\.k8s\.io\/([^:@]+)(?::([^@]+))?(?:@(.+))?$/.exec(name) ?? [];
  const manifest = registry.manifest(repository, byDigest ?? tag);
  const digest = digestOf(manifest);
  const signatures = JSON.parse(
    registry.manifest(repository, signatureTag(digest)).toString(),
  ) as ManifestJson;
  const { layers } = signatures;
  const layer = layers.find(isByPromoter) ?? layers[0];
  const payload = registry.blobs.get(layer?.digest ?? '');
  if (layer === undefined || payload === undefined) throw new Error(`${name} is not signed`);
  const blobs = isOfRelease ? contentsOf(registry, repository, manifest) : [manifest];
  return {
    digest,
    payload: payload.toString('base64'),
    bundle: signatureBundle(world, layer, payload),
    blobs: [...new Set(blobs.map((bytes) => bytes.toString('base64')))],
  };
}

const certificateOf = ({ annotations = {} }: DescriptorJson): X509Certificate =>
  new X509Certificate(annotations['dev.sigstore.cosign/certificate'] ?? '');

const isByPromoter = (layer: DescriptorJson): boolean =>
  certificateOf(layer).subjectAltName === `email:${IMAGE_IDENTITY}`;

function signatureBundle({ log }: World, layer: DescriptorJson, payload: Buffer): BundleJson {
  const signature = layer.annotations?.['dev.cosignproject.cosign/signature'] ?? '';
  const uuids = log.index.get(layer.digest.slice('sha256:'.length)) ?? [];
  const uuid = uuids.find((one) => log.find(one)?.body.includes(JSON.stringify(signature)));
  const genuine = uuid === undefined ? {} : (log.answer(uuid) ?? {});
  const answer = log.tamper?.(genuine, log) ?? genuine;
  if (answer instanceof RawJson) throw new Error('this forgery does not fit into a bundle');
  return bundleJson({
    artifact: payload,
    signature: Buffer.from(signature, 'base64'),
    certificate: { der: certificateOf(layer).raw },
    entries: bundledEntries(answer),
  });
}

/** The manifest, and for each platform manifest and configuration, as far as they are there. */
function contentsOf(registry: Registry, repository: string, manifest: Buffer): Buffer[] {
  const { manifests, config } = JSON.parse(manifest.toString()) as Partial<
    IndexJson & ManifestJson
  >;
  const configuration = registry.blobs.get(config?.digest ?? '');
  const images = (manifests ?? []).flatMap(({ digest }) => {
    const image = registry.manifests.get(`${repository} ${digest}`);
    return image === undefined ? [] : contentsOf(registry, repository, image.bytes);
  });
  return [manifest, ...(configuration === undefined ? [] : [configuration]), ...images];
}

/** The text of a lock file: each value is on one line. */
export function lockText({ lockVersion, version, files, images }: LockJson): string {
  const members = [
    `"lockVersion": ${String(lockVersion)}`,
    `"version": ${JSON.stringify(version)}`,
    `"files": ${entriesText(files)}`,
    ...(images === undefined ? [] : [`"images": ${entriesText(images)}`]),
  ];
  return `{\n${members.map((member) => `  ${member}`).join(',\n')}\n}\n`;
}

function entriesText(entries: Readonly<Record<string, object>>): string {
  const texts = Object.entries(entries).map(([key, entry]) => {
    const fields = Object.entries(entry).map(
      ([name, value]) => `      ${JSON.stringify(name)}: ${JSON.stringify(value)}`,
    );
    return `    ${JSON.stringify(key)}: {\n${fields.join(',\n')}\n    }`;
  });
  return `{\n${texts.join(',\n')}\n  }`;
}
