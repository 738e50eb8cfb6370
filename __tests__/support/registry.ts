import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { json, type Answer, type Handler, type ReceivedRequest } from './server.js';

/** `sha256:<hex>` of bytes. */
export const digestOf = (bytes: Buffer): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** OCI image-spec, descriptor.md. */
export interface DescriptorJson {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
  platform?: Record<string, string>;
}

export interface ManifestJson {
  schemaVersion: number;
  mediaType?: string;
  config: DescriptorJson;
  layers: DescriptorJson[];
}

export interface IndexJson {
  schemaVersion: number;
  mediaType?: string;
  manifests: DescriptorJson[];
}

/** The media types that two generations of tools write: BuildKit's today, and `docker manifest`'s, which krel uses. */
export const MEDIA_TYPES = {
  oci: {
    index: 'application/vnd.oci.image.index.v1+json',
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  },
  docker: {
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  },
} as const;

export interface ImageOptions {
  /** What each layer holds before it is compressed; one layer unless given. */
  readonly layers?: readonly Buffer[];
  /** `linux/amd64` unless given. */
  readonly platform?: string;
  readonly format?: keyof typeof MEDIA_TYPES;
}

interface StoredManifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
}

/** How a registry asks for a token before it answers. */
export interface TokenDemand {
  /** The header `WWW-Authenticate`; the URL is that of the request. */
  readonly challenge: (request: ReceivedRequest) => string;
  readonly token: string;
}

/**
 * A registry in memory that can be read (OCI distribution-spec, "Pull"), and lies where it is told to. Its answers have
 * the status, headers and error codes of go-containerregistry's `pkg/registry` (manifest.go, blobs.go, error.go), which
 * is also the real registry of image-judges.test.ts.
 */
export class Registry {
  /** By `<repository> <tag or digest>`. */
  readonly manifests = new Map<string, StoredManifest>();
  /** By digest, for all repositories. */
  readonly blobs = new Map<string, Buffer>();
  demand: TokenDemand | undefined;

  readonly handler: Handler = (request) => this.#answer(request);

  /** Puts a manifest there under a tag, or under its digest alone; returns the digest. */
  putManifest(repository: string, manifest: Buffer | object, tag?: string): string {
    const bytes = Buffer.isBuffer(manifest) ? manifest : Buffer.from(JSON.stringify(manifest));
    const stored = { bytes, mediaType: mediaTypeOf(bytes) };
    const digest = digestOf(bytes);
    this.manifests.set(`${repository} ${digest}`, stored);
    if (tag !== undefined) this.manifests.set(`${repository} ${tag}`, stored);
    return digest;
  }

  putBlob(bytes: Buffer, mediaType: string): DescriptorJson {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  /** Puts an image for one platform there; returns its digest. */
  putImage(repository: string, tag: string | undefined, options: ImageOptions = {}): string {
    const { layers = [Buffer.from(`${repository} ${tag}`)], format = 'oci' } = options;
    const [os = '', architecture = ''] = (options.platform ?? 'linux/amd64').split('/');
    const types = MEDIA_TYPES[format];
    const config = {
      architecture,
      os,
      config: {},
      rootfs: { type: 'layers', diff_ids: layers.map(digestOf) },
    };
    const manifest: ManifestJson = {
      schemaVersion: 2,
      mediaType: types.manifest,
      config: this.putBlob(Buffer.from(JSON.stringify(config)), types.config),
      layers: layers.map((layer) => this.putBlob(gzipSync(layer), types.layer)),
    };
    return this.putManifest(repository, manifest, tag);
  }

  /** Puts an index of images there that the repository has; returns its digest. */
  putIndex(
    repository: string,
    tag: string | undefined,
    images: readonly { readonly digest: string; readonly platform: Record<string, string> }[],
    format: keyof typeof MEDIA_TYPES = 'oci',
  ): string {
    const types = MEDIA_TYPES[format];
    const index: IndexJson = {
      schemaVersion: 2,
      mediaType: types.index,
      manifests: images.map(({ digest, platform }) => {
        const size = this.manifest(repository, digest).length;
        return { mediaType: types.manifest, digest, size, platform };
      }),
    };
    return this.putManifest(repository, index, tag);
  }

  manifest(repository: string, reference: string): Buffer {
    const stored = this.manifests.get(`${repository} ${reference}`);
    if (stored === undefined) throw new Error(`no manifest ${repository} ${reference}`);
    return stored.bytes;
  }

  /** Forgets everything. */
  clear(): void {
    this.manifests.clear();
    this.blobs.clear();
    this.demand = undefined;
  }

  #answer(request: ReceivedRequest): Answer {
    const [path = ''] = request.path.split('?');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return failure(405, 'METHOD_UNKNOWN', 'We do not understand your method');
    }
    const { demand } = this;
    if (demand !== undefined && request.headers.authorization !== `Bearer ${demand.token}`) {
      const answer = failure(401, 'UNAUTHORIZED', 'authentication required');
      const headers = { ...answer.headers, 'www-authenticate': demand.challenge(request) };
      return { ...answer, headers };
    }
    if (path === '/v2/' || path === '/v2') return json(200, {});
    const [, repository = '', kind, reference = ''] =
      /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? [];
    if (kind === 'manifests') return this.#manifestAnswer(repository, reference);
    if (kind === 'blobs') return this.#blobAnswer(reference);
    return failure(404, 'METHOD_UNKNOWN', 'We do not understand your method + url');
  }

  #manifestAnswer(repository: string, reference: string): Answer {
    const stored = this.manifests.get(`${repository} ${reference}`);
    if (stored === undefined) return failure(404, 'MANIFEST_UNKNOWN', 'Unknown manifest');
    const { bytes, mediaType } = stored;
    const headers = { 'docker-content-digest': digestOf(bytes), 'content-type': mediaType };
    return { status: 200, headers, body: bytes };
  }

  #blobAnswer(digest: string): Answer {
    const blob = this.blobs.get(digest);
    if (blob === undefined) return failure(404, 'BLOB_UNKNOWN', 'Unknown blob');
    const headers = {
      'docker-content-digest': digest,
      'content-type': 'application/octet-stream',
    };
    return { status: 200, headers, body: blob };
  }
}

function failure(status: number, code: string, message: string): Answer {
  return json(status, { errors: [{ code, message }] });
}

/** What a pusher would have said; OCI's for bytes that say nothing. */
function mediaTypeOf(bytes: Buffer): string {
  return /"mediaType":"([^"]+)"/.exec(bytes.toString('latin1'))?.[1] ?? MEDIA_TYPES.oci.manifest;
}

/**
 * registry.k8s.io's redirector (kubernetes/registry.k8s.io, cmd/archeio/internal/app/handlers.go): every request for a
 * manifest or a blob is answered with 307, cosign's signature tags go to a registry of their own.
 */
export function registryRedirector(upstream: string, signatureUpstream = upstream): Handler {
  return ({ method, path }) => {
    if (method !== 'GET' && method !== 'HEAD') return { status: 405 };
    if (path === '/v2/' || path === '/v2') return { status: 200 };
    if (!path.startsWith('/v2/')) return { status: 404 };
    const isSignature = /^\/v2\/.*\/manifests\/sha256-[a-f0-9]{64}\.(sig|att)$/.test(path);
    const target = isSignature ? signatureUpstream : upstream;
    return { status: 307, headers: { location: `${target}${path}` } };
  };
}
