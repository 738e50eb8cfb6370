// The release host, log and TUF repository of the bench, in a process of their own: `node server.ts`,
// forked with IPC. Answers the messages of bench.ts.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  World,
  artifactPath,
  cosignEnvironment,
  imagePayload,
  lockOf,
  lockText,
  putSignature,
  putSignatures,
  releaseFilePath,
  signAsPromoter,
  signatureAnnotations,
} from '../__tests__/support/index.js';
import { KUBECTL } from '../scripts/fetch-kubectl.js';

/** What bench.ts asks for. */
export type Order =
  | { readonly kind: 'network'; readonly latency: number; readonly bandwidth: number | undefined }
  | { readonly kind: 'size'; readonly bytes: number }
  | { readonly kind: 'tarball'; readonly bytes: number }
  | { readonly kind: 'count' };

/** What it is told. */
export type Reply =
  | {
      readonly kind: 'ready';
      readonly inputs: Record<string, string>;
      readonly environment: Record<string, string>;
      /** What cosign needs to trust this world. */
      readonly cosign: Record<string, string>;
      /** A lock file with the kubectl of this release, in this folder. */
      readonly locked: { readonly workspace: string; readonly inputs: Record<string, string> };
    }
  | { readonly kind: 'done' }
  | { readonly kind: 'counted'; readonly requests: number; readonly bytes: number };

/** What bench.ts asks for as `server` and `client`. */
const SERVER_TARBALL = 'kubernetes-server-linux-amd64.tar.gz';
const CLIENT_TARBALL = 'kubernetes-client-linux-amd64.tar.gz';
const CLIENT_BYTES = 30e6;
const IMAGES = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kube-proxy'];
const LOCK_FILE = 'kubernetes.lock.json';

const [file = ''] = process.argv.slice(2);
const world = await World.start({ tls: true, hostNames: ['dl.k8s.io'] });
const kubectl = readFileSync(file);
for (const tool of ['kubectl', 'kubeadm', 'kubelet']) {
  // One more byte for each, so that they are three files and not one.
  publish(
    KUBECTL.version,
    tool,
    tool === 'kubectl' ? kubectl : Buffer.concat([kubectl, Buffer.from(tool)]),
  );
}
publishAt(releaseFilePath(KUBECTL.version, CLIENT_TARBALL), randomBytes(CLIENT_BYTES));
for (const image of IMAGES) publishImage(image, KUBECTL.version);
world.release.putSbom(KUBECTL.version, {
  releaseImages: IMAGES.map((name) => ({ name, arch: 'amd64', layers: [Buffer.from(name)] })),
});
const lockFile = world.writeFile(LOCK_FILE, lockText(lockOf(world, KUBECTL.version)));
reply({
  kind: 'ready',
  inputs: world.inputs(),
  environment: world.environment(),
  cosign: cosignEnvironment(world),
  locked: {
    workspace: dirname(lockFile),
    inputs: { 'lock-file': LOCK_FILE, 'trusted-root': world.writeTrustedRoot(), 'tuf-root': '' },
  },
});

process.on('message', (order: Order) => {
  reply(carryOut(order));
});

function carryOut(order: Order): Reply {
  switch (order.kind) {
    case 'network':
      for (const server of Object.values(world.servers)) {
        server.latency = order.latency;
        server.bandwidth = order.bandwidth;
      }
      return { kind: 'done' };
    case 'size':
      publish(sizeVersion(order.bytes), 'kubectl', randomBytes(order.bytes));
      world.release.putSbom(sizeVersion(order.bytes));
      return { kind: 'done' };
    case 'tarball': {
      const version = sizeVersion(order.bytes);
      publishAt(releaseFilePath(version, SERVER_TARBALL), randomBytes(order.bytes));
      world.release.putSbom(version);
      return { kind: 'done' };
    }
    case 'count': {
      const servers = Object.values(world.servers);
      const requests = servers.reduce((sum, server) => sum + server.requests.length, 0);
      const bytes = servers.reduce((sum, server) => sum + server.bytesSent, 0);
      for (const server of servers) server.forget();
      return { kind: 'counted', requests, bytes };
    }
  }
}

/** A version that stands for an artifact of so many bytes. */
function sizeVersion(bytes: number): string {
  return `v1.0.${String(bytes / 1e6)}`;
}

/** Signed in memory, but served from the disk in pieces, as a release host does it. */
function publish(version: string, tool: string, bytes: Buffer): void {
  publishAt(artifactPath(version, 'linux/amd64', tool), bytes);
}

function publishAt(path: string, bytes: Buffer): void {
  world.release.putFile(path, bytes);
  world.host.put(path, { file: world.writeFile(path.replaceAll('/', '-'), bytes) });
}

/** One image of a release with its signature. */
function publishImage(name: string, version: string): void {
  const layers = [Buffer.from(name)];
  const amd64 = world.registry.putImage(name, undefined, { layers, format: 'docker' });
  const platforms = [{ digest: amd64, platform: { os: 'linux', architecture: 'amd64' } }];
  const digest = world.registry.putIndex(name, version, platforms, 'docker');
  const payload = imagePayload({ reference: `registry.k8s.io/${name}`, digest });
  const annotations = signatureAnnotations(signAsPromoter(world.release, payload));
  const signature = putSignature(world.registry, payload, annotations);
  putSignatures(world.registry, name, digest, [signature]);
}

function reply(message: Reply): void {
  process.send?.(message);
}
