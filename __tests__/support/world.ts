import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CertificateAuthority,
  DAY,
  RELEASE_IDENTITY,
  RELEASE_ISSUER,
} from './certificate-authority.js';
import { CtLog } from './ct-log.js';
import { KubernetesRelease, type PublishOptions } from './kubernetes-release.js';
import { NATIVE_PLATFORM } from './native-platform.js';
import { Registry } from './registry.js';
import { ReleaseHost } from './release-host.js';
import { createServerCertificate, type ServerCertificate } from './server-certificate.js';
import { LoopbackServer } from './server.js';
import { TimestampAuthority } from './timestamp-authority.js';
import { transparencyLogApi } from './transparency-log-api.js';
import { TransparencyLogV2 } from './transparency-log-v2.js';
import { TransparencyLog } from './transparency-log.js';
import { trustedRootJson, type TrustedRootJson } from './trusted-root.js';
import { TufRepository } from './tuf-repository.js';

export interface WorldOptions {
  /** What to publish at once; a test may publish more with `world.release.publish()`. */
  readonly publish?: readonly PublishOptions[];
  /** Serve everything over https; `world.environment()` makes a process trust it. */
  readonly tls?: boolean;
  /** Names in the certificate of the https servers, besides localhost. */
  readonly hostNames?: readonly string[];
  /** Strangers' entries in the transparency log. */
  readonly baseEntries?: number;
  /** How the release host answers for a missing object. */
  readonly missing?: 404 | 403;
  /** Since when everybody is trusted; two years ago unless given. */
  readonly validFrom?: Date;
}

/** Everybody who takes part, real but small: authority, logs, TUF repository, release host, on 127.0.0.1. */
export class World {
  readonly validFrom: Date;
  readonly ctLog = CtLog.create();
  readonly authority: CertificateAuthority;
  readonly log: TransparencyLog;
  readonly logServer: LoopbackServer;
  readonly logV2 = TransparencyLogV2.create();
  readonly timestampAuthority: TimestampAuthority;
  readonly tuf: TufRepository;
  readonly tufServer: LoopbackServer;
  readonly host: ReleaseHost;
  readonly release: KubernetesRelease;
  /** Of images; empty until a test puts something there. */
  readonly registry: Registry;
  readonly registryServer: LoopbackServer;
  /** Trusted as well, and listed first, but they take no part: whoever chooses by position chooses them. */
  readonly decoys: Decoys;
  readonly #folder = mkdtempSync(join(tmpdir(), 'test-world-'));
  readonly #certificate: ServerCertificate | undefined;

  private constructor(parts: Parts, validFrom: Date) {
    this.validFrom = validFrom;
    this.authority = CertificateAuthority.create({ validFrom, ctLog: this.ctLog });
    this.timestampAuthority = TimestampAuthority.create({ validFrom });
    this.decoys = createDecoys(validFrom);
    this.log = parts.log;
    this.logServer = parts.logServer;
    this.tuf = parts.tuf;
    this.tufServer = parts.tufServer;
    this.host = parts.host;
    this.registry = parts.registry;
    this.registryServer = parts.registryServer;
    this.#certificate = parts.certificate;
    this.release = new KubernetesRelease(this);
    this.publishTrustedRoot();
  }

  static async start(options: WorldOptions = {}): Promise<World> {
    const certificate =
      options.tls === true ? createServerCertificate(options.hostNames) : undefined;
    const tls = certificate === undefined ? {} : { tls: certificate };
    const { baseEntries, missing } = options;
    const log = TransparencyLog.create(baseEntries === undefined ? {} : { baseEntries });
    const tuf = TufRepository.create({});
    const registry = new Registry();
    const [logServer, tufServer, registryServer, host] = await Promise.all([
      LoopbackServer.start(transparencyLogApi(log), tls),
      LoopbackServer.start(tuf.handler, tls),
      LoopbackServer.start(registry.handler, tls),
      ReleaseHost.start({ ...tls, ...(missing === undefined ? {} : { missing }) }),
    ]);
    log.baseUrl = logServer.url;
    const validFrom = options.validFrom ?? new Date(Date.now() - 730 * DAY);
    const servers = { logServer, tufServer, registryServer, host };
    const world = new World({ log, tuf, registry, certificate, ...servers }, validFrom);
    writeFileSync(world.tufRootPath, tuf.rootJson);
    for (const release of options.publish ?? []) world.release.publish(release);
    return world;
  }

  /** Where the initial TUF root lies as a file. */
  get tufRootPath(): string {
    return join(this.#folder, 'root.json');
  }

  /** The trusted root as JSON; a copy, so a test may change it and publish that. */
  trustedRoot(): TrustedRootJson {
    const { decoys } = this;
    return trustedRootJson({
      validFrom: this.validFrom,
      logs: [decoys.log, this.logV2, this.log],
      certificateAuthorities: [decoys.authority, this.authority],
      ctLogs: [decoys.ctLog, this.ctLog],
      timestampAuthorities: [decoys.timestampAuthority, this.timestampAuthority],
    });
  }

  /** Publishes a trusted root through TUF. */
  publishTrustedRoot(root: TrustedRootJson = this.trustedRoot()): void {
    this.tuf.publish({ targets: { 'trusted_root.json': Buffer.from(JSON.stringify(root)) } });
  }

  /** Writes a trusted root to a file, for the input `trusted-root`; returns its path. */
  writeTrustedRoot(root: unknown = this.trustedRoot(), name = 'trusted_root.json'): string {
    return this.writeFile(name, typeof root === 'string' ? root : JSON.stringify(root));
  }

  /** Writes a file that goes when the world stops; returns its path. */
  writeFile(name: string, content: string | Buffer): string {
    const path = join(this.#folder, name);
    writeFileSync(path, content);
    return path;
  }

  /** The action's inputs that point it at this world. */
  inputs(): Record<string, string> {
    return {
      'download-base-url': this.host.url,
      'image-registry': this.registryServer.url,
      'rekor-url': this.logServer.url,
      'tuf-mirror-url': this.tufServer.url,
      'tuf-root': this.tufRootPath,
    };
  }

  /**
   * Where a run with {@link inputs} keeps a copy, relative to the tool cache.
   *
   * @param sha256 of the binary; of the published one unless given
   * @param unboundFrom the download-base-url, with `bind-release: false`
   */
  cacheEntry(
    version: string,
    tool = 'kubectl',
    platform = NATIVE_PLATFORM,
    sha256 = this.release.artifact(version, platform, tool).sha256,
    unboundFrom?: string,
  ): string {
    const bound = unboundFrom === undefined ? 'bound' : `unbound ${new URL(unboundFrom).href}`;
    const root = readFileSync(this.tufRootPath);
    const asked = [RELEASE_ISSUER, RELEASE_IDENTITY, bound, 'tuf', root];
    const digests = asked.map((part) => createHash('sha256').update(part).digest());
    const label = createHash('sha256').update(Buffer.concat(digests)).digest('hex').slice(0, 16);
    const place = `${platform.replace('/', '-')}-${label}-${sha256}`;
    return `verified-${tool}/${version.slice(1)}/${place}`;
  }

  /**
   * The same for a file in `artifacts`.
   *
   * @param platform that its name has, as `linux-amd64`; `any` without one
   */
  artifactEntry(version: string, name: string, platform = 'any'): string {
    const { sha256 } = this.release.file(version, name);
    return this.cacheEntry(version, name, platform, sha256);
  }

  /** Variables that a process needs to talk to this world: none, or the web authority's certificate. */
  environment(): Record<string, string> {
    if (this.#certificate === undefined) return {};
    const path = join(this.#folder, 'web-authority.pem');
    writeFileSync(path, this.#certificate.authority);
    return { NODE_EXTRA_CA_CERTS: path };
  }

  /** All servers, by what they are. */
  get servers(): Readonly<Record<'host' | 'log' | 'tuf' | 'registry', LoopbackServer>> {
    const { logServer: log, tufServer: tuf, registryServer: registry } = this;
    return { host: this.host.server, log, tuf, registry };
  }

  /** Forgets requests, faults and forgeries; what was published stays. */
  reset(): void {
    for (const server of Object.values(this.servers)) server.reset();
    this.log.tamper = undefined;
  }

  async stop(): Promise<void> {
    await Promise.all(Object.values(this.servers).map((server) => server.stop()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** What has to run before a world can be put together. */
interface Parts {
  readonly log: TransparencyLog;
  readonly logServer: LoopbackServer;
  readonly tuf: TufRepository;
  readonly tufServer: LoopbackServer;
  readonly host: ReleaseHost;
  readonly registry: Registry;
  readonly registryServer: LoopbackServer;
  readonly certificate: ServerCertificate | undefined;
}

export interface Decoys {
  readonly log: TransparencyLog;
  readonly ctLog: CtLog;
  readonly authority: CertificateAuthority;
  readonly timestampAuthority: TimestampAuthority;
}

function createDecoys(validFrom: Date): Decoys {
  const ctLog = CtLog.create();
  return {
    ctLog,
    log: TransparencyLog.create({ baseUrl: 'https://rekor-decoy.test', baseEntries: 5 }),
    authority: CertificateAuthority.create({ validFrom, ctLog }),
    timestampAuthority: TimestampAuthority.create({ validFrom }),
  };
}
