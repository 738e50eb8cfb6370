import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { findExecutable, type ExecutableFound } from './find-executable.js';
import type { Registry } from './registry.js';

/**
 * Finds go-containerregistry's crane: the one that the variable `CRANE` names, else `crane` on `PATH`.
 *
 * @throws Error when it does not run
 */
export function findCrane(): ExecutableFound {
  const found = findExecutable('CRANE', 'crane');
  if ('executable' in found) execFileSync(found.executable, ['version'], { stdio: 'pipe' });
  return found;
}

/** A real registry, in memory: `crane registry serve` (google/go-containerregistry, pkg/registry). */
export class CraneRegistry {
  readonly #process: ChildProcess;
  readonly host: string;

  private constructor(process: ChildProcess, port: string) {
    this.#process = process;
    this.host = `127.0.0.1:${port}`;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  static start(executable: string): Promise<CraneRegistry> {
    const args = ['registry', 'serve', '--address', '127.0.0.1:0'];
    const child = spawn(executable, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    return new Promise((resolve, reject) => {
      let output = '';
      child.on('error', reject);
      child.on('exit', () => {
        reject(new Error(`crane did not serve: ${output}`));
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        const [, port] = /serving on port (\d+)/.exec(output) ?? [];
        if (port !== undefined) resolve(new CraneRegistry(child, port));
      });
    });
  }

  /** Pushes everything that a registry of the test world has (OCI distribution-spec, "Push"). */
  async push(registry: Registry): Promise<void> {
    const names = [...registry.manifests].map(([key, { bytes, mediaType }]) => {
      const [repository = '', reference = ''] = key.split(' ');
      return {
        repository,
        reference,
        bytes,
        mediaType,
        isIndex: mediaType.includes('.list.') || mediaType.includes('.index.'),
      };
    });
    for (const repository of new Set(names.map((one) => one.repository))) {
      for (const [digest, blob] of registry.blobs) await this.#putBlob(repository, digest, blob);
    }
    // An index is taken when the registry has its images.
    for (const one of names.toSorted((a, b) => Number(a.isIndex) - Number(b.isIndex))) {
      const { repository, reference, bytes, mediaType } = one;
      await this.#send('PUT', `/v2/${repository}/manifests/${reference}`, bytes, mediaType);
    }
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#process.removeAllListeners('exit').once('exit', () => {
        resolve();
      });
      this.#process.kill();
    });
  }

  async #putBlob(repository: string, digest: string, blob: Buffer): Promise<void> {
    const path = `/v2/${repository}/blobs/uploads/?digest=${digest}`;
    await this.#send('POST', path, blob, 'application/octet-stream');
  }

  async #send(method: string, path: string, body: Buffer, type: string): Promise<void> {
    const init = { method, body: new Uint8Array(body), headers: { 'content-type': type } };
    const response = await fetch(`${this.url}${path}`, init);
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
  }
}
