// `npm run demo`: runs the built dist/index.js on a genuine release and on forged ones.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import {
  artifactPath,
  CAN_EXECUTE,
  CertificateAuthority,
  executable,
  runAction,
  World,
  type ActionResult,
} from '../__tests__/support/index.js';
import {
  parseArchitecture,
  parseOperatingSystem,
  platformName,
} from '../src/kubernetes/platform.js';
import { cachedKubectl, KUBECTL } from './fetch-kubectl.js';
import { logOf, resultsOf } from './show.js';

const VERSION = KUBECTL.version;
const OLD_VERSION = 'v1.30.0';
const PLATFORM = runningPlatform();

interface Forgery {
  readonly title: string;
  readonly story: string;
  /** The code of the error that it must end in. */
  readonly code: string;
  readonly forge: (world: World, genuine: Buffer) => void;
}

const FORGERIES: readonly Forgery[] = [
  {
    title: 'one flipped byte',
    story: 'A mirror serves kubectl with one byte changed, and matching checksum files.',
    code: 'SIGNATURE_MISMATCH',
    forge: (world, genuine) => {
      const changed = Buffer.from(genuine);
      changed.writeUInt8(changed.readUInt8(changed.length - 2) ^ 1, changed.length - 2);
      kubectlOf(world).replace(changed);
    },
  },
  {
    title: 'an old version under a new name',
    story: `${OLD_VERSION}, with its genuine signature by Kubernetes, is served as ${VERSION}.`,
    code: 'RELEASE_MISMATCH',
    forge: (world) => {
      const { bytes, signature, certificate } = kubectlOf(world, OLD_VERSION);
      kubectlOf(world).replace(bytes);
      kubectlOf(world).putMaterial({ signature, certificate });
    },
  },
  {
    title: 'signed by someone else',
    story:
      'A different file, with a real certificate and log entry, but for a similar-looking identity.',
    code: 'IDENTITY_MISMATCH',
    forge: (world, genuine) => {
      const email = 'krel-staging@k8s-releng-prod.iam-gserviceaccount.com';
      kubectlOf(world).replace(changedBytes(genuine));
      kubectlOf(world).sign({ certificate: { subjectAlternativeName: { email } } });
    },
  },
  {
    title: 'the right name from an unknown authority',
    story: 'A different file, with a certificate for the right identity from an untrusted CA.',
    code: 'CERTIFICATE_UNTRUSTED',
    forge: (world, genuine) => {
      const authority = CertificateAuthority.create({ ctLog: world.ctLog });
      kubectlOf(world).replace(changedBytes(genuine));
      kubectlOf(world).sign({ authority });
    },
  },
  {
    title: 'not in the public log',
    story: 'A different file, signed by the right identity, but the signature was never logged.',
    code: 'LOG_ENTRY_NOT_FOUND',
    forge: (world, genuine) => {
      kubectlOf(world).replace(changedBytes(genuine));
      kubectlOf(world).sign({ log: false });
    },
  },
];

/** Expectations that did not hold. */
const surprises: string[] = [];

const world = await World.start();
try {
  const genuine = genuineKubectl();
  publish(world, genuine);
  await showInstallation(world);
  for (const [index, forgery] of FORGERIES.entries()) {
    await showRefusal(world, genuine, forgery, index + 3);
  }
} finally {
  await world.stop();
}
heading(surprises.length === 0 ? 'All as expected' : 'NOT as expected');
for (const surprise of surprises) console.log(surprise);
process.exitCode = surprises.length === 0 ? 0 : 1;

function genuineKubectl(): Buffer {
  const official = PLATFORM === KUBECTL.platform ? cachedKubectl() : undefined;
  console.log('This runs dist/index.js as a GitHub runner does. It talks only to servers on this');
  console.log('machine: a release host, a transparency log and a TUF repository.');
  console.log(
    official === undefined
      ? 'kubectl is a small substitute. "npm run fetch-kubectl" downloads the official one.'
      : `kubectl is the official binary, ${official}.`,
  );
  return official === undefined
    ? executable({ tool: 'kubectl', version: VERSION, platform: PLATFORM })
    : readFileSync(official);
}

function publish(world: World, genuine: Buffer): void {
  world.release.publish({ version: OLD_VERSION, platforms: [PLATFORM] });
  world.release.putFile(artifactPath(VERSION, PLATFORM, 'kubectl'), genuine);
  world.release.putSbom(VERSION);
  world.release.point('stable-1.31', VERSION);
}

/** Undoes the previous forgery. */
function restore(world: World, genuine: Buffer): void {
  kubectlOf(world).replace(genuine);
  kubectlOf(world).sign();
}

async function showInstallation(world: World): Promise<void> {
  const options = { inputs: { ...world.inputs(), version: '1.31' } };
  heading('1. First run, with "version: 1.31"');
  const first = await runAction(options);
  try {
    console.log(logOf(first));
    console.log(resultsOf(first));
    expect('the first run succeeds', first.exitCode === 0 && first.paths.length === 1);
    if (CAN_EXECUTE) showAnswer(first);

    heading('2. Second run: the copy in the tool cache is verified again');
    world.reset();
    const second = await runAction({ ...options, toolCache: first.dirs.toolCache });
    const requests = Object.values(world.servers).flatMap((server) => server.requests).length;
    console.log(logOf(second));
    console.log(`Output cache-hit: ${second.outputs['cache-hit'] ?? ''}`);
    console.log(`Requests to all servers: ${requests}`);
    expect('the second run succeeds', second.exitCode === 0 && second.paths.length === 1);
    expect('it is served from the tool cache', second.outputs['cache-hit'] === 'true');
    expect('it makes no request', requests === 0);
    second.cleanup();
  } finally {
    first.cleanup();
  }
}

/** A later step of the job, which finds kubectl by PATH. */
function showAnswer({ paths }: ActionResult): void {
  const search = [...paths, process.env['PATH']].join(delimiter);
  const answer = execFileSync('kubectl', ['version', '--client'], {
    env: { PATH: search },
    encoding: 'utf8',
  });
  console.log(`$ kubectl version --client\n${answer.trim()}`);
  expect('the kubectl on PATH is the one asked for', answer.includes(VERSION));
}

async function showRefusal(
  world: World,
  genuine: Buffer,
  { title, story, code, forge }: Forgery,
  number: number,
): Promise<void> {
  heading(`${number}. Refused: ${title}`);
  console.log(story);
  restore(world, genuine);
  forge(world, genuine);
  const run = await runAction({ inputs: { ...world.inputs(), version: VERSION } });
  const [error] = run.annotations.filter(({ level }) => level === 'error');
  const kept = run.toolCacheFiles().length + run.tempFiles().length;
  console.log(logOf(run));
  console.log(
    `Exit code: ${run.exitCode ?? 'none'}. Added to PATH: ${run.paths.length}. Files left behind: ${kept}.`,
  );
  expect(`"${title}" fails the run`, run.exitCode === 1);
  expect(`"${title}" ends in ${code}`, error?.title === `setup-verified-kubectl: ${code}`);
  expect(`"${title}" leaves nothing behind`, run.paths.length === 0 && kept === 0);
  run.cleanup();
}

function expect(what: string, isSo: boolean): void {
  if (!isSo) surprises.push(`Expected: ${what}.`);
}

function heading(text: string): void {
  console.log(`\n=== ${text} ===`);
}

function kubectlOf(world: World, version = VERSION): ReturnType<World['release']['artifact']> {
  return world.release.artifact(version, PLATFORM, 'kubectl');
}

function changedBytes(genuine: Buffer): Buffer {
  return Buffer.concat([genuine, Buffer.from('# more\n')]);
}

function runningPlatform(): string {
  const os = parseOperatingSystem(process.platform);
  const arch = parseArchitecture(process.arch);
  if (os === undefined || arch === undefined) {
    throw new Error(`Kubernetes has no kubectl for ${process.platform}/${process.arch}`);
  }
  return platformName({ os, arch });
}
