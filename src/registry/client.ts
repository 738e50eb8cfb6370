import { explain } from '../errors.js';
import { TooLargeError } from '../files/errors.js';
import { StatusError, TransferError, type AuthenticationChallenge } from '../transfer/errors.js';
import type { BearerToken, HttpClient } from '../transfer/http.js';
import { isTransportAllowed } from '../transfer/transport.js';
import { parseBearerChallenge } from './challenge.js';
import { imageMismatch, registryUnavailable } from './errors.js';
import {
  MANIFEST_TYPES,
  digestOf,
  parseDigest,
  parseManifest,
  type Descriptor,
  type Digest,
  type Manifest,
} from './manifest.js';

/** In bytes. OCI's distribution-spec asks registries to accept manifests of up to 4 MiB. */
const MAX_MANIFEST_BYTES = 4 << 20;
/** As in go-containerregistry, pkg/v1/remote/transport/bearer.go. */
const MAX_TOKEN_BYTES = 64 << 10;
/** Never the mirror's token: the registry names the token server, and could name the mirror. */
const ANONYMOUS = null;
/** Printable ASCII without spaces. */
const TOKEN = /^[\x21-\x7e]+$/;

/**
 * Reads manifests and blobs from a registry, without credentials (OCI distribution-spec, "Pull").
 *
 * Everything that is requested by digest is checked against it. If the registry asks for a token, an
 * anonymous one is requested from the token server that it names, and sent to that registry only.
 */
export class RegistryClient {
  readonly #http: HttpClient;
  readonly #base: URL;
  /** By origin and repository. */
  readonly #tokens = new Map<string, RegistryToken>();

  /** @param base https, or http on loopback; its path goes in front of every repository */
  constructor(http: HttpClient, base: URL) {
    this.#http = http;
    this.#base = base;
  }

  /** Host of the registry, for messages. */
  get host(): string {
    return this.#base.host;
  }

  /**
   * @param repository `kube-apiserver`, `cluster-api/cluster-api-controller`
   * @param reference a tag, or a digest
   * @returns undefined if the registry has no such manifest
   * @throws {SetupError} REGISTRY_UNAVAILABLE; IMAGE_MISMATCH if the manifest is malformed or has
   *   another digest
   */
  async manifest(repository: string, reference: string): Promise<Manifest | undefined> {
    const name = this.#name(repository, reference);
    const bytes = await this.#read(repository, `manifests/${reference}`, name, MAX_MANIFEST_BYTES);
    if (bytes === undefined) {
      return undefined;
    }
    const digest = parseDigest(reference);
    if (digest !== undefined) {
      assertDigest(bytes, digest, name);
    }
    return parseManifest(bytes, name);
  }

  /**
   * @param maxBytes larger blobs are refused
   * @throws {SetupError} REGISTRY_UNAVAILABLE; IMAGE_MISMATCH if the blob is missing, too large, or
   *   does not match its descriptor
   */
  async blob(repository: string, { digest, size }: Descriptor, maxBytes: number): Promise<Buffer> {
    const name = this.#name(repository, digest);
    if (size > maxBytes) {
      throw imageMismatch(`${name} is larger than ${String(maxBytes)} bytes`);
    }
    const bytes = await this.#read(repository, `blobs/${digest}`, name, size);
    if (bytes === undefined) {
      throw imageMismatch(`the registry does not have ${name}`);
    }
    if (bytes.length !== size) {
      throw imageMismatch(`${name} has ${String(bytes.length)} bytes instead of ${String(size)}`);
    }
    assertDigest(bytes, digest, name);
    return bytes;
  }

  /** As a reference: `registry.k8s.io/etcd:3.5.15-0`, `registry.k8s.io/etcd@sha256:…`. */
  #name(repository: string, reference: string): string {
    const separator = parseDigest(reference) === undefined ? ':' : '@';
    return `${this.#base.host}${this.#base.pathname}${repository}${separator}${reference}`;
  }

  /** @returns undefined if there is no such object */
  async #read(
    repository: string,
    path: string,
    name: string,
    maxBytes: number,
  ): Promise<Buffer | undefined> {
    const url = new URL(`/v2${this.#base.pathname}${repository}/${path}`, this.#base);
    try {
      return await this.#readWithToken(repository, url, maxBytes);
    } catch (error) {
      if (!(error instanceof TransferError)) {
        throw error;
      }
      if (error.status === 404) {
        return undefined;
      }
      if (error.cause instanceof TooLargeError) {
        throw imageMismatch(`${name} is larger than ${String(maxBytes)} bytes`, error);
      }
      throw registryUnavailable(`cannot fetch ${name}: ${error.message}`, error);
    }
  }

  /** At most three requests: without a token, with one that has expired, with a new one. */
  async #readWithToken(repository: string, url: URL, maxBytes: number): Promise<Buffer> {
    const headers = { accept: MANIFEST_TYPES.concat('*/*').join(', ') };
    let target = url;
    let token = this.#tokens.get(keyOf(url, repository));
    for (let mayRenew = true; ;) {
      try {
        const bytes = await this.#http.read(target, maxBytes, {
          headers,
          token: token ?? ANONYMOUS,
        });
        token?.markAccepted();
        return bytes;
      } catch (error) {
        const challenge = challengeOf(error);
        const isRefused = token !== undefined && !(mayRenew && token.hasExpired(challenge));
        if (challenge === undefined || isRefused) {
          throw error;
        }
        mayRenew &&= token === undefined;
        // A redirect may have led to another registry, with tokens of its own. The request goes
        // there directly, so that nobody else gets the token.
        token = await this.#token(repository, challenge, token);
        target = challenge.url;
      }
    }
  }

  /** @param expired a token that must not be used again */
  async #token(
    repository: string,
    { url, header }: AuthenticationChallenge,
    expired: RegistryToken | undefined,
  ): Promise<RegistryToken> {
    const key = keyOf(url, repository);
    const known = this.#tokens.get(key);
    // Another request may have got a new one in the meantime.
    if (known !== undefined && known !== expired) {
      return known;
    }
    const server = tokenServer(url, header);
    const token = new RegistryToken(url.origin, await this.#fetchToken(url, server));
    this.#tokens.set(key, token);
    return token;
  }

  async #fetchToken(registry: URL, server: URL): Promise<string> {
    try {
      return parseToken(await this.#http.read(server, MAX_TOKEN_BYTES, { token: ANONYMOUS }));
    } catch (error) {
      throw registryUnavailable(
        `${registry.host} asks for a token, but ${server.host} did not give one: ${explain(error)}`,
        error,
      );
    }
  }
}

/** A token of a registry. It expires after some minutes. */
class RegistryToken implements BearerToken {
  readonly origin: string;
  readonly value: string;
  #wasAccepted = false;

  constructor(origin: string, value: string) {
    this.origin = origin;
    this.value = value;
  }

  /** The registry answered a request with this token. */
  markAccepted(): void {
    this.#wasAccepted = true;
  }

  /** Whether its own registry accepted it before, and refuses it now. */
  hasExpired(challenge: AuthenticationChallenge | undefined): boolean {
    return this.#wasAccepted && challenge?.url.origin === this.origin;
  }
}

function keyOf(url: URL, repository: string): string {
  return `${url.origin} ${repository}`;
}

function assertDigest(bytes: Buffer, digest: Digest, name: string): void {
  const found = digestOf(bytes);
  if (found !== digest) {
    throw imageMismatch(`requested ${name}, but the registry returned ${found}`);
  }
}

function challengeOf(error: unknown): AuthenticationChallenge | undefined {
  return error instanceof TransferError && error.cause instanceof StatusError
    ? error.cause.challenge
    : undefined;
}

/**
 * The URL that gives anonymous tokens for the request that the registry refused.
 *
 * @see https://distribution.github.io/distribution/spec/auth/token/
 * @throws {SetupError} REGISTRY_UNAVAILABLE
 */
function tokenServer(registry: URL, header: string): URL {
  const challenge = parseBearerChallenge(header);
  if (challenge === undefined) {
    throw registryUnavailable(`${registry.host} requires credentials`);
  }
  const server = URL.parse(challenge.realm);
  const isAllowed =
    server !== null &&
    isTransportAllowed(server) &&
    // Only a registry on this machine may name a token server on this machine without https.
    (server.protocol === 'https:' || registry.protocol === 'http:') &&
    server.username === '' &&
    server.password === '';
  if (!isAllowed) {
    throw registryUnavailable(
      `${registry.host} names a token server whose URL is not https, or has credentials`,
    );
  }
  for (const name of ['service', 'scope'] as const) {
    const value = challenge[name];
    if (value !== undefined) {
      server.searchParams.set(name, value);
    }
  }
  return server;
}

function parseToken(answer: Buffer): string {
  const parsed = parseJson(answer.toString('utf8'));
  const { token, access_token: accessToken } = Object(parsed) as Record<string, unknown>;
  const value = token ?? accessToken;
  if (typeof value !== 'string' || !TOKEN.test(value)) {
    throw new TypeError('its answer has no token');
  }
  return value;
}

/** The message of `JSON.parse` would quote the answer, which may be a secret. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new TypeError('its answer is not JSON');
  }
}
