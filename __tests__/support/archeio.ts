import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { findExecutable, type ExecutableFound } from './find-executable.js';

/** Finds registry.k8s.io's own server: the one that `ARCHEIO` names, else `archeio` on `PATH`. */
export const findArcheio = (): ExecutableFound => findExecutable('ARCHEIO', 'archeio');

export interface ArcheioOptions {
  /** URL of the registry that manifests, and blobs that the bucket lacks, are redirected to. */
  readonly upstream: string;
  /** Where repositories are at the upstream: `k8s-artifacts-prod/images`. */
  readonly upstreamPath: string;
  /** URL of the registry that cosign's signature tags are redirected to. */
  readonly signatureUpstream: string;
  /** URL of the bucket that has blobs at `/containers/images/<digest>`. */
  readonly bucket: string;
}

/** registry.k8s.io's redirector (kubernetes/registry.k8s.io, cmd/archeio), in front of a registry on loopback. */
export class Archeio {
  readonly #process: ChildProcess;
  readonly host: string;

  private constructor(process: ChildProcess, port: number) {
    this.#process = process;
    this.host = `127.0.0.1:${port}`;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  static async start(executable: string, options: ArcheioOptions): Promise<Archeio> {
    const port = await freePort();
    const child = spawn(executable, [], {
      // `main.go` reads these; every other variable is left out.
      env: {
        PORT: String(port),
        UPSTREAM_REGISTRY_ENDPOINT: options.upstream,
        UPSTREAM_REGISTRY_PATH: options.upstreamPath,
        SIGNATURE_UPSTREAM_ENDPOINT: options.signatureUpstream,
        DEFAULT_AWS_BASE_URL: options.bucket,
      },
      stdio: 'ignore',
    });
    const archeio = new Archeio(child, port);
    await archeio.#answers();
    return archeio;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#process.once('exit', () => {
        resolve();
      });
      this.#process.kill();
    });
  }

  async #answers(): Promise<void> {
    for (let attempt = 0; this.#process.exitCode === null; attempt++) {
      try {
        await fetch(`${this.url}/v2/`);
        return;
      } catch (error) {
        if (attempt === 100) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    throw new Error(`archeio ended with ${this.#process.exitCode}`);
  }
}

/** archeio has to be told a port, and takes no 0. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => {
        resolve(port);
      });
    });
  });
}
