import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ErrorCode } from '../../src/errors.js';
import {
  CertificateAuthority,
  DAY,
  NATIVE_PLATFORM,
  LoopbackServer,
  Proxy,
  ReleaseHost,
  TransparencyLog,
  TufRepository,
  World,
  changeKeptMetadata,
  executable,
  fault,
  filesBelow,
  forgery,
  keptMetadataPath,
  metadataToKeep,
  runAction,
  tally,
  trustedRootJson,
  writeKeptMetadata,
  type ActionResult,
  type FaultAction,
  type PublishedFile,
} from '../support/index.js';
import { MISSING, canRun, linkFolder, testUnless, type Missing } from '../support/skip.js';
import { transparencyLogApi } from '../support/transparency-log-api.js';
import { STRANGER } from './outcome.js';

// The catalogue in docs/threat-model.md, from the redirects on: one row per attack. Forged
// signatures, certificates, identities, log entries and releases are in verification.test.ts.

let plain: World;
let tls: World;
/** Somebody else's host, on http: it serves the same objects, and would like to see a token. */
let stranger: ReleaseHost;
/** Another Sigstore and another mirror, with other files under the same versions. */
let strange: World;
let folder: string;
let count = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'attacks-'));
  [plain, tls, stranger, strange] = await Promise.all([
    World.start(),
    World.start({ tls: true }),
    ReleaseHost.start(),
    World.start(),
  ]);
});

afterAll(async () => {
  await Promise.all([plain, tls, stranger, strange].map((one) => one.stop()));
  rmSync(folder, { recursive: true, force: true });
});

/** Where one attack takes place: a release of its own, and what the attacker may change. */
interface Stage {
  readonly world: World;
  /** With `v`. */
  readonly version: string;
  readonly kubectl: PublishedFile;
  readonly toolCache: string;
  /** `<tool cache>/verified-kubectl/<version>/<os>-<arch>-<trust>` */
  readonly entry: string;
  readonly inputs: Record<string, string>;
  readonly env: Record<string, string>;
  readonly workspace: Record<string, string>;
  /** Runs to let go of what the attack started. */
  readonly afterwards: (() => void | Promise<void>)[];
  /** A run before the attack, by another job on the same machine. */
  earlierRun(...warnings: string[]): Promise<void>;
}

interface Attack {
  readonly what: string;
  /** Refused with this code, or without effect: the genuine file is installed. */
  readonly outcome: ErrorCode | 'without effect';
  readonly tls?: boolean;
  /** What the attack cannot be made without. */
  readonly needs?: readonly Missing[];
  readonly attack: (stage: Stage) => void | Promise<void>;
  /** What else must be true of the run. */
  readonly check?: (run: ActionResult, stage: Stage) => void | Promise<void>;
}

function stageIn(world: World): Stage {
  count += 1;
  const version = `v1.40.${count}`;
  world.release.publish({ version, platforms: [NATIVE_PLATFORM] });
  const toolCache = join(folder, `tool-cache-${count}`);
  mkdirSync(toolCache);
  const inputs = { ...world.inputs(), version };
  const env = world.environment();
  return {
    world,
    version,
    kubectl: world.release.artifact(version, NATIVE_PLATFORM, 'kubectl'),
    toolCache,
    entry: join(toolCache, world.cacheEntry(version)),
    inputs,
    env,
    workspace: {},
    afterwards: [],
    earlierRun: async (...warnings) => {
      const run = await runAction({ inputs, env, toolCache });
      expect(run.annotations.map(({ title }) => title)).toEqual(warnings);
      expect(run.exitCode).toBe(0);
      run.cleanup();
    },
  };
}

/** What the action may say to the runner; anything else was put into its mouth. */
const OWN_COMMANDS = ['add-mask', 'debug', 'error', 'warning', 'notice', 'group', 'endgroup'];

function expectOwnWordsOnly(run: ActionResult): void {
  const foreign = run.commands.filter(({ name }) => !OWN_COMMANDS.includes(name));
  expect(foreign).toEqual([]);
  expect(run.variables).toEqual({});
  // eslint-disable-next-line no-control-regex -- exactly these must not be there
  expect(run.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2028]/);
  expect(run.stdout).not.toContain('##[');
  expect(run.stderr).toBe('');
}

async function play({ outcome, attack, check, tls: isTls }: Attack): Promise<void> {
  const world = isTls === true ? tls : plain;
  const stage = stageIn(world);
  const { toolCache, inputs, env, workspace } = stage;
  try {
    await attack(stage);
    const before = snapshot(toolCache);
    const run = await runAction({ inputs, env, toolCache, workspace, timeoutMs: 45_000 });
    expectOwnWordsOnly(run);
    const errors = run.annotations.filter(({ level }) => level === 'error');
    if (outcome === 'without effect') {
      expect(errors).toEqual([]);
      expect(run.exitCode).toBe(0);
      const { bytes } = stage.kubectl;
      expect(readFileSync(run.outputs['kubectl-path'] ?? '').equals(bytes)).toBe(true);
    } else {
      expect(errors.map(({ title }) => title)).toEqual([`setup-verified-kubectl: ${outcome}`]);
      expect(errors[0]?.message.split('\n')).toHaveLength(2);
      expect(run.exitCode).toBe(1);
      expect(run.paths).toEqual([]);
      expect(run.outputs).toEqual({});
      // Nothing is there that was not there before: what is refused may be removed.
      const now = snapshot(toolCache);
      expect(now.filter((file) => !before.includes(file))).toEqual([]);
    }
    const installed = run.paths.map((folder) =>
      relative(run.dirs.temp, folder).replaceAll(sep, '/'),
    );
    const isInstalled = (file: string): boolean => installed.some((one) => file.startsWith(one));
    expect(run.tempFiles().filter((file) => !isInstalled(file))).toEqual([]);
    await check?.(run, stage);
    run.cleanup();
    tally('attacks refused or without effect');
  } finally {
    for (const end of stage.afterwards) await end();
    world.reset();
    stranger.server.reset();
  }
}

/** Copies of kubectl, which is what is attacked. */
const snapshot = (toolCache: string): string[] =>
  readdirSync(toolCache, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /^verified-kubectl(?!-)/.test(name),
  );

/** The path of the binary. */
const KUBECTL = /\/kubectl(\.exe)?$/;

/** Every kind of object that is fetched: who serves it, how it is found, what its loss is called. */
const OBJECTS: readonly {
  readonly name: string;
  readonly server: 'host' | 'log' | 'tuf';
  readonly match: RegExp;
  readonly code: ErrorCode;
}[] = [
  { name: 'binary', server: 'host', match: KUBECTL, code: 'DOWNLOAD_FAILED' },
  { name: '.sig', server: 'host', match: /kubectl(\.exe)?\.sig$/, code: 'DOWNLOAD_FAILED' },
  { name: '.cert', server: 'host', match: /kubectl(\.exe)?\.cert$/, code: 'DOWNLOAD_FAILED' },
  { name: 'SBOM', server: 'host', match: /\.spdx$/, code: 'DOWNLOAD_FAILED' },
  { name: "SBOM's .sig", server: 'host', match: /\.spdx\.sig$/, code: 'DOWNLOAD_FAILED' },
  { name: 'pointer', server: 'host', match: /stable\.txt$/, code: 'DOWNLOAD_FAILED' },
  { name: 'log entry', server: 'log', match: /log\/entries\//, code: 'LOG_UNAVAILABLE' },
  { name: 'TUF root', server: 'tuf', match: /\/2\.root\.json$/, code: 'TRUST_ROOT_UNAVAILABLE' },
  {
    name: 'TUF timestamp',
    server: 'tuf',
    match: /\/timestamp\.json$/,
    code: 'TRUST_ROOT_UNAVAILABLE',
  },
  {
    name: 'TUF snapshot',
    server: 'tuf',
    match: /\d\.snapshot\.json$/,
    code: 'TRUST_ROOT_UNAVAILABLE',
  },
  {
    name: 'TUF targets',
    server: 'tuf',
    match: /\d\.targets\.json$/,
    code: 'TRUST_ROOT_UNAVAILABLE',
  },
  {
    name: 'trusted root',
    server: 'tuf',
    match: /trusted_root\.json$/,
    code: 'TRUST_ROOT_UNAVAILABLE',
  },
];

/** The same misbehaviour for every object. */
function forEveryObject(
  what: string,
  act: (stage: Stage) => FaultAction,
  { except = [], codes = {}, ...more }: ObjectOptions = {},
): Attack[] {
  return OBJECTS.filter(({ name }) => !except.includes(name)).map(
    ({ name, server, match, code }) => ({
      what: `${what}: ${name}`,
      outcome: codes[name] ?? code,
      ...more,
      attack: (stage) => {
        if (name === 'pointer') stage.inputs['version'] = 'stable';
        stage.env['SETUP_VERIFIED_KUBECTL_TIME_SCALE'] = '0.05';
        stage.world.servers[server].fail(match, act(stage), Infinity);
      },
    }),
  );
}

interface ObjectOptions extends Pick<Attack, 'tls' | 'check'> {
  readonly except?: readonly string[];
  readonly codes?: Readonly<Record<string, ErrorCode>>;
}

/** Redirects to the same path at the stranger, who has the same objects. */
const toStranger =
  ({ world }: Stage): FaultAction =>
  async (delivery) => {
    for (const [path, content] of world.host.files) stranger.files.set(path, content);
    await fault.redirect(`${stranger.url}${delivery.request.path}`)(delivery);
  };

const REDIRECTS: Attack[] = [
  ...forEveryObject('redirect from https to http', toStranger, {
    tls: true,
    check: () => {
      expect(stranger.server.requests).toEqual([]);
    },
  }),
  ...forEveryObject('redirect loop', () => (delivery) => {
    return fault.redirect(delivery.request.path)(delivery);
  }),
  {
    what: 'redirect to http on another machine',
    outcome: 'DOWNLOAD_FAILED',
    attack: ({ world }) =>
      world.host.server.fail(KUBECTL, fault.redirect('http://192.0.2.1/kubectl'), Infinity),
  },
  {
    what: 'redirect to a file of this machine',
    outcome: 'DOWNLOAD_FAILED',
    attack: ({ world }) =>
      world.host.server.fail(KUBECTL, fault.redirect('file:///etc/passwd'), Infinity),
  },
  {
    what: 'redirect that carries the token to another host, and from there back',
    outcome: 'without effect',
    attack: (stage) => {
      const { world, inputs } = stage;
      inputs['download-token'] = 'very-secret';
      world.host.server.fail(KUBECTL, toStranger(stage));
      stranger.server.fail(KUBECTL, fault.redirect(`${world.host.url}/${stage.kubectl.path}`));
    },
    check: (run, { world, kubectl }) => {
      const [first, back] = world.host.server.requestsFor(`/${kubectl.path}`);
      expect(first?.headers.authorization).toBe('Bearer very-secret');
      expect(back?.headers.authorization).toBeUndefined();
      const [seen, ...more] = [
        ...stranger.server.requests,
        ...world.logServer.requests,
        ...world.tufServer.requests,
      ];
      expect([seen, ...more].map((request) => request?.headers.authorization)).not.toContain(
        'Bearer very-secret',
      );
      expect(run.stdout.replace('::add-mask::very-secret', '')).not.toContain('very-secret');
    },
  },
];

/** Headers that announce more than the largest binary, and a few bytes. */
const announcesTwoGiB: FaultAction = ({ response }) => {
  response.writeHead(200, { 'content-length': String(2 ** 31) });
  response.write('x');
};

/** The right body, more bytes behind it than were announced. */
const moreThanAnnounced: FaultAction = async ({ response, answer }) => {
  const { body } = await answer();
  response.socket?.end(
    Buffer.concat([
      Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`),
      body,
      Buffer.from('and more'),
    ]),
  );
};

const SIZES: Attack[] = [
  ...forEveryObject('endless answer', () => fault.endless(), {
    except: ['binary'],
    codes: { pointer: 'VERSION_NOT_FOUND' },
  }),
  {
    what: 'endless answer: the unsigned digest file',
    outcome: 'without effect',
    attack: ({ world }) => world.host.server.fail('.sha256', fault.endless(), Infinity),
  },
  {
    what: 'a binary of 2 GiB',
    outcome: 'DOWNLOAD_FAILED',
    attack: ({ world }) => world.host.server.fail(KUBECTL, announcesTwoGiB, Infinity),
  },
  ...forEveryObject('gzip bomb', () => fault.gzipBomb(1 << 30)),
  // A next root that is absent has no body that could be shorter.
  ...forEveryObject('shorter than announced', () => fault.truncate(5), { except: ['TUF root'] }),
  {
    what: 'longer than announced',
    outcome: 'without effect',
    attack: ({ world }) => world.host.server.fail(KUBECTL, moreThanAnnounced),
  },
  {
    what: 'longer than it was signed',
    outcome: 'SIGNATURE_MISMATCH',
    attack: ({ world }) => world.host.server.fail(KUBECTL, fault.extraBytes(1), Infinity),
  },
];

const withLog = (tamper: ReturnType<typeof forgery.text>): Attack['attack'] => {
  return ({ world }) => {
    world.log.tamper = tamper;
  };
};

const LOG: Attack[] = [
  ['JSON nested 100,000 deep', forgery.deepJson(100_000), 'LOG_ENTRY_INVALID'] as const,
  [
    'objects nested 20,000 deep',
    forgery.text('{"a":'.repeat(20_000)),
    'LOG_ENTRY_INVALID',
  ] as const,
  ['JSON of 10 MB', forgery.hugeJson(10_000_000), 'LOG_UNAVAILABLE'] as const,
  ['an empty answer', forgery.text(''), 'LOG_ENTRY_INVALID'] as const,
  ['an empty object', forgery.text('{}'), 'LOG_ENTRY_NOT_FOUND'] as const,
  ['null', forgery.text('null'), 'LOG_ENTRY_INVALID'] as const,
  ['__proto__ as entry id', forgery.text('{"__proto__":{}}'), 'LOG_ENTRY_INVALID'] as const,
].map(([what, tamper, outcome]) => ({
  what: `log answers with ${what}`,
  outcome,
  attack: withLog(tamper),
}));

LOG.push(
  {
    what: 'a log id of the trusted root whose key is another',
    outcome: 'LOG_ENTRY_INVALID',
    attack: ({ world, inputs }) => {
      const root = world.trustedRoot();
      for (const log of root.tlogs) {
        log.publicKey.rawBytes = TransparencyLog.create({ baseEntries: 1 }).spki.toString('base64');
        log.publicKey.keyDetails = 'PKIX_ECDSA_P256_SHA_256';
      }
      useTrustedRoot(inputs, world.writeTrustedRoot(root));
    },
  },
  {
    what: 'a certificate log id of the trusted root whose key is another',
    outcome: 'CERTIFICATE_UNTRUSTED',
    attack: ({ world, inputs }) => {
      const root = world.trustedRoot();
      for (const log of root.ctlogs) {
        log.publicKey.rawBytes = TransparencyLog.create({ baseEntries: 1 }).spki.toString('base64');
      }
      useTrustedRoot(inputs, world.writeTrustedRoot(root));
    },
  },
  {
    what: 'an entry of Rekor v2 without a timestamp',
    outcome: 'LOG_ENTRY_INVALID',
    attack: ({ kubectl }) => {
      const bundle = kubectl.bundleV2();
      delete bundle.verificationMaterial.timestampVerificationData;
      kubectl.removeMaterial();
      kubectl.putBundle(bundle);
    },
  },
  {
    what: 'an entry of Rekor v2 with a time that nobody signed',
    outcome: 'LOG_ENTRY_INVALID',
    attack: ({ kubectl }) => {
      const bundle = kubectl.bundleV2();
      delete bundle.verificationMaterial.timestampVerificationData;
      for (const entry of bundle.verificationMaterial.tlogEntries) {
        entry.integratedTime = String(Math.floor(Date.now() / 1000) - 30 * 86_400);
      }
      kubectl.removeMaterial();
      kubectl.putBundle(bundle);
    },
  },
);

function useTrustedRoot(inputs: Record<string, string>, path: string): void {
  inputs['trusted-root'] = path;
  delete inputs['tuf-mirror-url'];
  delete inputs['tuf-root'];
}

/** Signed, but not logged, so that nothing can be recovered from the log; then `.cert` is changed. */
const withCertificateFile =
  (change: (pem: string) => Buffer | string): Attack['attack'] =>
  ({ world, version, kubectl }) => {
    const fresh = world.release.putFile(kubectl.path, Buffer.from(`#!/bin/sh\n# ${version}\n`), {
      signing: { log: false },
    });
    world.host.put(`${kubectl.path}.cert`, change(fresh.certificate.pem));
  };

const base64 = (text: Buffer | string): string => Buffer.from(text).toString('base64');

const derOf = (pem: string): Buffer => Buffer.from(pem.replace(/-----.*-----|\n/g, ''), 'base64');

const pemOf = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${(base64(der).match(/.{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE-----\n`;

const CERTIFICATES: Attack[] = [
  ...(
    [
      ['several certificates', (pem) => base64(pem + pem)],
      ['garbage behind the certificate', (pem) => base64(`${pem}garbage`)],
      ['garbage before the certificate', (pem) => base64(`garbage\n${pem}`)],
      ['garbage behind the base64', (pem) => `${base64(pem)}!`],
      ['bytes behind the DER', (pem) => base64(pemOf(Buffer.concat([derOf(pem), Buffer.of(0)])))],
      ['DER cut short', (pem) => base64(pemOf(derOf(pem).subarray(0, -1)))],
      ['a PEM of another kind', (pem) => base64(pem.replaceAll('CERTIFICATE', 'PUBLIC KEY'))],
      ['PEM headers', (pem) => base64(pem.replace('-----\n', '-----\nProc-Type: 4,ENCRYPTED\n\n'))],
      ['an empty file', () => ''],
      ['HTML', () => '<html>log in</html>'],
    ] satisfies [string, (pem: string) => string][]
  ).map(([what, change]): Attack => ({
    what: `.cert with ${what}`,
    outcome: 'SIGNATURE_MALFORMED',
    attack: withCertificateFile(change),
  })),
  ...(['rsa', 'ed25519'] as const).flatMap((key): Attack[] => [
    {
      what: `certificate with a key of type ${key}, and its signature`,
      outcome: 'SIGNATURE_MALFORMED',
      // Other bytes than the published ones, whose genuine entry the log would still hold.
      attack: ({ world, kubectl }) =>
        void world.release.putFile(kubectl.path, Buffer.from(`#!/bin/sh\n# ${key}\n`), {
          signing: { certificate: { key } },
        }),
    },
    {
      what: `certificate with a key of type ${key}, and an ECDSA signature`,
      outcome: 'CERTIFICATE_UNTRUSTED',
      attack: ({ kubectl, world }) => {
        const { signature } = kubectl;
        const { certificate } = world.release.signAndLog(kubectl.bytes, { certificate: { key } });
        kubectl.putMaterial({ signature, certificate });
      },
    },
  ]),
  {
    what: 'certificate of an authority as leaf',
    outcome: 'CERTIFICATE_UNTRUSTED',
    attack: ({ kubectl }) => void kubectl.sign({ certificate: { isCA: true } }),
  },
  {
    what: "the authority's own certificate as leaf",
    outcome: 'SIGNATURE_MISMATCH',
    attack: ({ world, version, kubectl }) =>
      withCertificateFile(() => base64(pemOf(world.authority.intermediate)))({
        world,
        version,
        kubectl,
      } as Stage),
  },
];

/** A TUF repository of the row's own, so that it may be damaged. */
async function ownTuf(stage: Stage): Promise<TufRepository> {
  const target = Buffer.from(JSON.stringify(stage.world.trustedRoot()));
  const repository = TufRepository.create({ 'trusted_root.json': target });
  const server = await LoopbackServer.start(repository.handler);
  const root = join(stage.toolCache, 'initial-root.json');
  writeFileSync(root, repository.rootJson);
  stage.inputs['tuf-mirror-url'] = server.url;
  stage.inputs['tuf-root'] = root;
  stage.afterwards.push(() => server.stop());
  return repository;
}

/** The file in the tool cache in which TUF metadata is kept. */
const tufCache = ({ toolCache }: Stage): string =>
  keptMetadataPath(join(toolCache, 'verified-trust-root'));

/** Makes the kept metadata incomplete, so that the repository is asked. */
function damageTufCache(stage: Stage): void {
  changeKeptMetadata(tufCache(stage), 'targets.json', undefined);
}

/** What a link in place of kept metadata points to. */
function expectPrecious(_run: ActionResult, { toolCache }: Stage): void {
  const elsewhere = join(toolCache, 'elsewhere');
  const names = readdirSync(elsewhere);
  expect(names).toHaveLength(1);
  expect(readFileSync(join(elsewhere, names[0] ?? ''), 'utf8')).toBe('precious');
}

const YESTERDAY = new Date(Date.now() - DAY);

const TUF: Attack[] = [
  ...(['timestamp', 'snapshot', 'targets'] as const).flatMap((role): Attack[] => [
    {
      what: `TUF ${role} that has expired, served for ever`,
      outcome: 'TRUST_ROOT_UNAVAILABLE',
      attack: async (stage) => (await ownTuf(stage)).publish({ expires: { [role]: YESTERDAY } }),
    },
    {
      what: `TUF ${role} signed by a key that the root does not name`,
      outcome: 'TRUST_ROOT_UNAVAILABLE',
      attack: async (stage) => (await ownTuf(stage)).publish({ foreignKey: [role] }),
    },
  ]),
  {
    what: 'TUF root that has expired',
    outcome: 'TRUST_ROOT_UNAVAILABLE',
    attack: async (stage) => (await ownTuf(stage)).renewRoot(YESTERDAY),
  },
  ...(['foreign', 'old', 'new'] as const).map((signedBy): Attack => ({
    what: `next TUF root signed by ${signedBy} keys alone`,
    outcome: 'TRUST_ROOT_UNAVAILABLE',
    attack: async (stage) => (await ownTuf(stage)).rotateRoot({ signedBy }),
  })),
  {
    what: 'next TUF root that says it is an earlier version',
    outcome: 'TRUST_ROOT_UNAVAILABLE',
    attack: async (stage) => (await ownTuf(stage)).rotateRoot({ version: 1 }),
  },
  {
    what: 'TUF metadata rolled back behind what an earlier run saw',
    outcome: 'TRUST_ROOT_UNAVAILABLE',
    attack: async (stage) => {
      const tuf = await ownTuf(stage);
      tuf.publish();
      await stage.earlierRun();
      rmSync(join(stage.toolCache, 'verified-kubectl'), { recursive: true });
      damageTufCache(stage);
      tuf.rollBackTo(1);
    },
  },
  {
    what: 'no attack on TUF, metadata of an earlier run incomplete (the twin of the row above)',
    outcome: 'without effect',
    attack: async (stage) => {
      (await ownTuf(stage)).publish();
      await stage.earlierRun();
      damageTufCache(stage);
    },
  },
  {
    what: 'TUF target with other bytes',
    outcome: 'TRUST_ROOT_UNAVAILABLE',
    attack: async (stage) => {
      const { files } = await ownTuf(stage);
      for (const path of files.keys()) {
        if (path.startsWith('targets/')) files.set(path, Buffer.from(JSON.stringify(evilRoot())));
      }
    },
  },
];

/** An authority and a log of the attacker's own. */
let evil: { authority: CertificateAuthority; log: TransparencyLog } | undefined;

function attacker(): { authority: CertificateAuthority; log: TransparencyLog } {
  evil ??= {
    authority: CertificateAuthority.create({ ctLog: plain.ctLog }),
    log: TransparencyLog.create({ baseEntries: 10 }),
  };
  return evil;
}

function evilRoot(): ReturnType<typeof trustedRootJson> {
  const { authority, log } = attacker();
  return trustedRootJson({
    validFrom: plain.validFrom,
    logs: [log, plain.log],
    certificateAuthorities: [authority, plain.authority],
    ctLogs: [plain.ctLog],
    timestampAuthorities: [],
  });
}

/** A kubectl that the attacker signed: installed as soon as the attacker's root is believed. */
function publishEvil({ world, kubectl }: Stage): void {
  kubectl.replace(Buffer.from('#!/bin/sh\n# evil\n'));
  kubectl.sign({ authority: attacker().authority });
  world.release.putSbom(kubectl.path.split('/')[1] ?? '', {
    sha256: { [kubectl.path.split('/').slice(2).join('/')]: kubectl.sha256 },
  });
}

/** The metadata of a whole repository of the attacker's, in place of what was kept. */
function plantRepository(stage: Stage): void {
  const target = Buffer.from(JSON.stringify(evilRoot()));
  const repository = TufRepository.create({ 'trusted_root.json': target });
  repository.rotateRoot({ signedBy: 'new' });
  writeKeptMetadata(tufCache(stage), metadataToKeep(repository));
}

function plantTrustedRoot(stage: Stage): void {
  const evilTarget = Buffer.from(JSON.stringify(evilRoot()));
  changeKeptMetadata(tufCache(stage), 'trusted_root.json', evilTarget);
}

/** Puts something else where kept metadata is expected. */
const inPlaceOfMetadata =
  (put: (path: string) => void): Attack['attack'] =>
  async (stage) => {
    await stage.earlierRun();
    const path = tufCache(stage);
    rmSync(path);
    put(path);
  };

const linkToDevice = (path: string): void => symlinkSync('/dev/zero', path);

const makePipe = (path: string): void => void execFileSync('mkfifo', [path]);

const PLANTED_TRUST: Attack[] = [
  ...(
    [
      ['a whole TUF repository', plantRepository],
      ['a trusted root', plantTrustedRoot],
    ] as const
  ).flatMap(([what, plant]): Attack[] => [
    {
      what: `${what} planted in the TUF cache`,
      outcome: 'without effect',
      attack: async (stage) => {
        await stage.earlierRun();
        plant(stage);
      },
    },
    {
      what: `${what} planted in the TUF cache, and a kubectl signed under it`,
      outcome: 'CERTIFICATE_UNTRUSTED',
      attack: async (stage) => {
        await stage.earlierRun();
        rmSync(join(stage.toolCache, 'verified-kubectl'), { recursive: true });
        plant(stage);
        publishEvil(stage);
      },
    },
  ]),
  ...(
    [
      ['a folder', (path) => mkdirSync(path)],
      ['a link to nowhere', (path) => symlinkSync('/nowhere', path), MISSING.symbolicLinks],
      ['a link to a device without end', linkToDevice, MISSING.symbolicLinks, MISSING.devices],
      ['a pipe that nobody writes to', makePipe, MISSING.namedPipes],
      ['garbage', (path) => writeFileSync(path, '{"signed":')],
    ] satisfies [string, (path: string) => void, ...Missing[]][]
  ).map(([what, put, ...needs]): Attack => ({
    what: `${what} in the TUF cache`,
    outcome: 'without effect',
    needs,
    attack: inPlaceOfMetadata(put),
    check: (_run, stage) => {
      // A file that could not be moved to its name is not left behind.
      expect(readdirSync(dirname(tufCache(stage))).filter((name) => name.startsWith('.'))).toEqual(
        [],
      );
    },
  })),
];

const ESCAPE = '\u001b[31m';
const COMMANDS = `::error title=forged::x ##[error]x ::set-output name=x::y ${ESCAPE}\u202e <img src=x> **bold** [a](https://evil.test) @everyone`;

const signedAs =
  (certificate: object): Attack['attack'] =>
  ({ kubectl }) =>
    void kubectl.sign({ certificate });

const WORDS: Attack[] = [
  {
    what: 'workflow commands in a pointer',
    outcome: 'VERSION_NOT_FOUND',
    attack: ({ world, inputs }) => {
      world.host.server.fail(
        'stable.txt',
        fault.body(`\n::add-path::/evil\n${COMMANDS}`),
        Infinity,
      );
      inputs['version'] = 'stable';
    },
  },
  {
    what: 'workflow commands in a redirect',
    outcome: 'DOWNLOAD_FAILED',
    attack: ({ world }) =>
      world.host.server.fail(KUBECTL, fault.redirect('http://evil.test/##[error]'), Infinity),
  },
  {
    what: "workflow commands in the certificate's name",
    outcome: 'IDENTITY_MISMATCH',
    attack: signedAs({ subjectAlternativeName: { email: `\n${COMMANDS.slice(0, 90)}\n` } }),
  },
  {
    what: "workflow commands in the certificate's issuer",
    outcome: 'IDENTITY_MISMATCH',
    attack: signedAs({ issuer: `\n::add-path::/evil\n${COMMANDS}` }),
  },
  {
    what: 'Markdown and HTML in a name that is expected',
    outcome: 'without effect',
    attack: (stage) => {
      const name = '::error::x<img src=x>**b**|`c`[a](b)##[error]@everyone';
      stage.inputs['certificate-identity'] = name;
      for (const file of [stage.kubectl, stage.world.release.sbom(stage.version)]) {
        file.sign({ certificate: { subjectAlternativeName: { email: name } } });
      }
    },
    check: ({ summary }) => {
      expect(summary).not.toMatch(/<img|\*\*|\[a\]|`c`|@everyone/);
      expect(summary).toContain('&#60;img');
    },
  },
  {
    what: 'workflow commands in an answer of the log',
    outcome: 'LOG_ENTRY_INVALID',
    attack: withLog(forgery.text(`::add-path::/evil\n${COMMANDS}`)),
  },
  {
    what: 'workflow commands as the id of a log entry',
    outcome: 'LOG_ENTRY_INVALID',
    attack: ({ world }) => {
      world.log.tamper = (answer) =>
        Object.fromEntries(Object.values(answer).map((entry) => [`\n${COMMANDS}`, entry]));
    },
  },
  {
    what: 'workflow commands in a bundle that is no JSON',
    outcome: 'SIGNATURE_MALFORMED',
    attack: ({ world, kubectl }) => {
      kubectl.removeMaterial();
      world.host.put(`${kubectl.path}.sigstore.json`, `::add-path::/evil\n${COMMANDS}`);
    },
  },
  {
    what: "workflow commands in the SBOM's namespace",
    outcome: 'RELEASE_MISMATCH',
    attack: ({ world, version }) =>
      void world.release.putSbom(version, { namespaceVersion: COMMANDS }),
  },
  {
    what: 'workflow commands in a file name of the SBOM',
    outcome: 'RELEASE_MISMATCH',
    attack: ({ world, version, kubectl }) =>
      void world.release.putSbom(version, {
        omit: [kubectl.path.split('/').slice(2).join('/')],
        appended: `FileName: ${COMMANDS}\nFileChecksum: SHA256: ${kubectl.sha256}\n`,
      }),
  },
  {
    what: 'workflow commands in what a signed binary says of itself',
    outcome: 'RELEASE_MISMATCH',
    needs: [MISSING.executables],
    attack: ({ world, version, kubectl }) => {
      const says = `{"gitVersion": "v1\n::add-path::/evil\n", "platform": "${ESCAPE}##[error]"}`;
      kubectl.replace(Buffer.from(`#!/bin/sh\necho '${says}'\n# ${version}\n`));
      kubectl.sign();
      world.host.remove(`release/${version}/kubernetes-release.spdx`);
    },
  },
  ...['version', 'tools', 'architecture', 'checksum', 'minimum-release-age', 'rekor-url'].map(
    (input): Attack => ({
      what: `workflow commands in the input ${input}`,
      outcome: 'INVALID_INPUT',
      attack: ({ inputs }) => {
        inputs[input] = `x\n::add-path::/evil\n${COMMANDS}`;
      },
    }),
  ),
  {
    what: 'workflow commands in a version file',
    outcome: 'INVALID_INPUT',
    attack: ({ inputs, workspace }) => {
      inputs['version'] = '';
      inputs['version-file'] = 'version';
      workspace['version'] = `${COMMANDS}\r::add-path::/evil\n`;
    },
  },
  {
    what: "workflow commands in a version file's name",
    outcome: 'INVALID_INPUT',
    attack: ({ inputs }) => {
      inputs['version'] = '';
      inputs['version-file'] = `a\n::add-path::/evil\n${COMMANDS}`;
    },
  },
  {
    what: 'workflow commands in a file name in the tool cache',
    outcome: 'without effect',
    needs: [MISSING.anyFileName],
    attack: async (stage) => {
      await stage.earlierRun();
      const path = join(stage.entry, '\n::add-path::evil ##[error]');
      writeFileSync(path, '');
      chmodSync(path, 0o666);
    },
  },
];

const inputIs =
  (name: string, value: string): Attack['attack'] =>
  ({ inputs }) => {
    inputs[name] = value;
  };

const versionFileIs =
  (value: string): Attack['attack'] =>
  ({ inputs, workspace }) => {
    inputs['version'] = '';
    inputs['version-file'] = value;
    workspace['folder/file'] = '';
  };

const PATHS: Attack[] = [
  ...[
    '../../etc',
    'v1.31.9/../../x',
    '1.31.9%2f..',
    '1.31.9\\..\\x',
    '1.31.9 /x',
    '//x/1.31.9',
  ].map((value): Attack => ({
    what: `version ${value}`,
    outcome: 'INVALID_INPUT',
    attack: inputIs('version', value),
  })),
  ...['../kubectl', 'kubectl/../../x', 'kubectl\\x', '/bin/sh', '__proto__', 'constructor'].map(
    (value): Attack => ({
      what: `tools ${value}`,
      outcome: 'INVALID_INPUT',
      attack: inputIs('tools', value),
    }),
  ),
  ...['../arm64', 'amd64/..', '__proto__', 'toString', 'amd64\n'.repeat(2)].map(
    (value): Attack => ({
      what: `architecture ${JSON.stringify(value)}`,
      outcome: 'INVALID_INPUT',
      attack: inputIs('architecture', value),
    }),
  ),
  ...['../../../../../../etc/passwd', 'folder', '/dev/zero', '/dev/stdin', 'folder/file/x'].map(
    (value): Attack => ({
      what: `version-file ${value}`,
      outcome: 'INVALID_INPUT',
      attack: versionFileIs(value),
    }),
  ),
  {
    what: 'version-file that is a pipe',
    outcome: 'INVALID_INPUT',
    needs: [MISSING.namedPipes],
    attack: (stage) => {
      const pipe = join(stage.toolCache, 'pipe');
      makePipe(pipe);
      return versionFileIs(pipe)(stage);
    },
  },
  {
    what: 'version-file that is a link to a device without end',
    outcome: 'INVALID_INPUT',
    needs: [MISSING.symbolicLinks, MISSING.devices],
    attack: (stage) => {
      const link = join(stage.toolCache, 'link');
      linkToDevice(link);
      return versionFileIs(link)(stage);
    },
  },
  ...['trusted-root', 'tuf-root'].flatMap((input): Attack[] => [
    ...(
      [
        ['a pipe', makePipe, MISSING.namedPipes],
        ['a folder', (path) => mkdirSync(path)],
        ['a link to a device without end', linkToDevice, MISSING.symbolicLinks, MISSING.devices],
        ['a link to itself', (path) => symlinkSync(path, path), MISSING.symbolicLinks],
        ['a file of 2 GiB', (path) => writeLarge(path)],
      ] satisfies [string, (path: string) => void, ...Missing[]][]
    ).map(([what, put, ...needs]): Attack => ({
      what: `${input} that is ${what}`,
      outcome: 'INVALID_INPUT',
      needs,
      attack: ({ toolCache, inputs }) => {
        put(join(toolCache, 'root'));
        useTrustedRoot(inputs, '');
        inputs[input] = join(toolCache, 'root');
      },
    })),
    {
      what: `${input} that is a file which is not for the log`,
      outcome: 'TRUST_ROOT_UNAVAILABLE',
      attack: ({ toolCache, inputs }) => {
        writeFileSync(join(toolCache, 'secret'), 'hunter2');
        useTrustedRoot(inputs, '');
        inputs[input] = join(toolCache, 'secret');
      },
      check: (run) => {
        expect(run.stdout + run.summary).not.toContain('hunter');
      },
    },
  ]),
  ...['v1.31.9/../../../evil', 'v1.31.9?x', 'v1.31.9#x', 'https://evil.test/', '../v1.31.9'].map(
    (text): Attack => ({
      what: `pointer to ${text}`,
      outcome: 'VERSION_NOT_FOUND',
      attack: ({ world, inputs }) => {
        world.host.server.fail('stable.txt', fault.body(text), Infinity);
        inputs['version'] = 'stable';
      },
      check: (_run, { world }) => {
        expect(world.host.server.requests.map(({ path }) => path)).toEqual(['/release/stable.txt']);
      },
    }),
  ),
];

function writeLarge(path: string): void {
  writeFileSync(path, '');
  truncateSync(path, 2 ** 31);
}

/** A binary that leaves a mark when it is executed. */
const marking = ({ toolCache }: Stage): string => `#!/bin/sh\n: > '${toolCache}/executed'\n`;

const expectNotExecuted = (_run: ActionResult, { toolCache }: Stage): void => {
  expect(existsSync(join(toolCache, 'executed'))).toBe(false);
};

const binaryIn = (folder: string): string =>
  join(folder, NATIVE_PLATFORM.startsWith('windows') ? 'kubectl.exe' : 'kubectl');

/** Somebody else can change the tool cache: it is not used, and what is installed is not in it. */
const expectOutsideOfCache = (run: ActionResult, { toolCache }: Stage): void => {
  expect(run.annotations.map(({ title }) => title)).toEqual(['Tool cache not used']);
  expect(run.paths).toHaveLength(1);
  expect(run.paths[0]?.startsWith(`${run.dirs.temp}${sep}`)).toBe(true);
  expect(run.outputs['kubectl-path']).not.toContain(toolCache);
};

/** Changes a genuine copy; it must be refused, removed and fetched anew. */
function inCache(what: string, change: (stage: Stage) => void, ...needs: Missing[]): Attack {
  return {
    what,
    outcome: 'without effect',
    needs,
    attack: async (stage) => {
      await stage.earlierRun();
      change(stage);
    },
    check: (run, stage) => {
      expect(run.annotations.map(({ title }) => title)).toEqual(['Cached copy refused']);
      expect(run.outputs['cache-hit']).toBe('false');
      expectNotExecuted(run, stage);
    },
  };
}

function replaceByLink(path: string, link: (target: string, path: string) => void): void {
  renameSync(path, `${path}-elsewhere`);
  link(`${path}-elsewhere`, path);
}

const TOOL_CACHE: Attack[] = [
  inCache('another binary in the tool cache', (stage) =>
    writeFileSync(binaryIn(stage.entry), marking(stage)),
  ),
  inCache('evidence of 2 GiB in the tool cache', ({ entry }) =>
    writeLarge(`${binaryIn(entry)}.sigstore.json`),
  ),
  inCache('the SBOM taken out of its evidence', ({ entry }) =>
    rmSync(join(entry, 'kubernetes-release.spdx.sigstore.json')),
  ),
  inCache(
    'a link in place of the copy',
    ({ entry }) => replaceByLink(entry, linkFolder),
    MISSING.folderLinks,
  ),
  inCache(
    'a link in place of the binary',
    ({ entry }) => replaceByLink(binaryIn(entry), symlinkSync),
    MISSING.symbolicLinks,
  ),
  inCache(
    'a binary that everybody may write to',
    ({ entry }) => chmodSync(binaryIn(entry), 0o757),
    MISSING.permissionBits,
  ),
  inCache(
    'a folder that everybody may write to',
    ({ entry }) => chmodSync(entry, 0o777),
    MISSING.permissionBits,
  ),
  inCache('a file in place of the copy', ({ entry }) => {
    rmSync(entry, { recursive: true });
    writeFileSync(entry, '');
  }),
  inCache(
    'a pipe in place of the evidence',
    ({ entry }) => {
      rmSync(`${binaryIn(entry)}.sigstore.json`);
      makePipe(`${binaryIn(entry)}.sigstore.json`);
    },
    MISSING.namedPipes,
  ),
  inCache('a .complete marker beside an empty folder', ({ entry }) => {
    rmSync(entry, { recursive: true });
    mkdirSync(entry);
  }),
  inCache('a .complete marker beside a folder with another binary alone', (stage) => {
    rmSync(stage.entry, { recursive: true });
    mkdirSync(stage.entry);
    writeFileSync(binaryIn(stage.entry), marking(stage), { mode: 0o755 });
  }),
  {
    what: 'a .complete marker without a folder',
    outcome: 'without effect',
    attack: async (stage) => {
      await stage.earlierRun();
      rmSync(stage.entry, { recursive: true });
    },
  },
  {
    what: "a copy of another version, with its evidence, in this version's place",
    outcome: 'without effect',
    attack: async (stage) => {
      const older = stageIn(stage.world);
      await older.earlierRun();
      mkdirSync(dirname(stage.entry), { recursive: true });
      cpSync(older.entry, stage.entry, { recursive: true });
    },
    check: (run) => {
      expect(run.annotations.map(({ title }) => title)).toEqual(['Cached copy refused']);
    },
  },
  ...['verified-kubectl', 'version'].map((which): Attack => ({
    what: `a link in place of the folder above a copy: ${which}`,
    outcome: 'without effect',
    needs: [MISSING.folderLinks],
    attack: (stage) => {
      const target = join(stage.toolCache, 'elsewhere');
      const version = dirname(stage.entry);
      const link = which === 'version' ? version : dirname(version);
      mkdirSync(join(target, stage.version.slice(1)), { recursive: true });
      mkdirSync(dirname(link), { recursive: true });
      linkFolder(target, link);
    },
    check: (run, stage) => {
      expectOutsideOfCache(run, stage);
      expect(filesBelow(join(stage.toolCache, 'elsewhere'))).toEqual([]);
    },
  })),
  {
    what: 'a link in place of the .complete marker, to a file of the user',
    outcome: 'without effect',
    needs: [MISSING.symbolicLinks],
    attack: ({ entry, toolCache }) => {
      writeFileSync(join(toolCache, 'diary'), 'dear diary');
      mkdirSync(dirname(entry), { recursive: true });
      symlinkSync(join(toolCache, 'diary'), `${entry}.complete`);
    },
    check: (_run, { toolCache }) => {
      expect(readFileSync(join(toolCache, 'diary'), 'utf8')).toBe('dear diary');
    },
  },
  {
    what: "another job's copy in the tool cache of another action",
    outcome: 'without effect',
    attack: (stage) => {
      for (const arch of ['x64', 'amd64', 'arm64']) {
        const place = join(stage.toolCache, 'kubectl', stage.version.slice(1), arch);
        mkdirSync(place, { recursive: true });
        writeFileSync(binaryIn(place), marking(stage), { mode: 0o755 });
      }
    },
    check: expectNotExecuted,
  },
  ...(
    [
      ['a pipe', makePipe, MISSING.namedPipes],
      ['a folder', (path) => mkdirSync(path)],
      ['a link to a device without end', linkToDevice, MISSING.symbolicLinks, MISSING.devices],
    ] satisfies [string, (path: string) => void, ...Missing[]][]
  ).map(([what, put, ...needs]): Attack => ({
    what: `${what} called kubectl on PATH`,
    outcome: 'without effect',
    needs,
    attack: (stage) => {
      const place = join(stage.toolCache, 'path');
      mkdirSync(place);
      put(binaryIn(place));
      stage.env['PATH'] = place;
    },
  })),
  {
    what: 'a file in place of the temporary folder',
    outcome: 'INSTALL_FAILED',
    attack: ({ toolCache, env }) => {
      env['RUNNER_TEMP'] = join(toolCache, 'temp');
      writeFileSync(join(toolCache, 'temp'), '');
    },
  },
  {
    what: 'a link to nowhere in place of the temporary folder',
    outcome: 'INSTALL_FAILED',
    needs: [MISSING.symbolicLinks],
    attack: ({ toolCache, env }) => {
      env['RUNNER_TEMP'] = join(toolCache, 'temp');
      symlinkSync('/nowhere', join(toolCache, 'temp'));
    },
  },
];

const NOBODY = 65534;

/** What another run, which trusts somebody else, is told to install: never what this one asks for. */
const OTHER_TRUST: Readonly<Record<string, () => Record<string, string>>> = {
  'tuf-root': () => strange.inputs(),
  'trusted-root': () => {
    const inputs = strange.inputs();
    useTrustedRoot(inputs, strange.writeTrustedRoot());
    return inputs;
  },
  'certificate-identity': () => ({
    ...plain.inputs(),
    'certificate-identity': 'stranger@example.com',
  }),
};

/** Publishes another file under the same version, and has another run install it. */
async function runOfOtherTrust({ version, toolCache }: Stage, input: string): Promise<void> {
  const { release } = input === 'certificate-identity' ? plain : strange;
  const signing = input === 'certificate-identity' ? STRANGER : {};
  release.publish({ version, platforms: [NATIVE_PLATFORM], size: 9999, signing });
  const inputs = { ...OTHER_TRUST[input]?.(), version };
  const run = await runAction({ inputs, toolCache });
  expect(run.annotations).toEqual([]);
  expect(run.outputs['cache-hit']).toBe('false');
  expect(statSync(run.outputs['kubectl-path'] ?? '').size).toBeGreaterThanOrEqual(9999);
  run.cleanup();
}

const OLDER = 'v1.20.0';
const mirrors: ReleaseHost[] = [];

/** Serves a genuine older release under the name of the one asked for; returns its URL. */
async function lyingMirror({ world, version, afterwards }: Stage, sbom: boolean): Promise<string> {
  world.release.publish({ version: OLDER, platforms: [NATIVE_PLATFORM], pointers: false });
  const mirror = await ReleaseHost.start();
  mirrors.push(mirror);
  afterwards.push(() => mirror.stop());
  const names = [`bin/${NATIVE_PLATFORM}/${basename(binaryIn(''))}`];
  for (const name of sbom ? [...names, 'kubernetes-release.spdx'] : names) {
    for (const suffix of ['', '.sig', '.cert', '.sha256']) {
      const bytes = world.host.files.get(`release/${OLDER}/${name}${suffix}`);
      if (bytes !== undefined) mirror.put(`release/${version}/${name}${suffix}`, bytes);
    }
  }
  return mirror.url;
}

/** A run of somebody else on the same machine, with inputs of their own. */
async function anotherRun(
  { version, toolCache, inputs: own }: Stage,
  inputs: Readonly<Record<string, string>>,
  code?: ErrorCode,
): Promise<void> {
  const run = await runAction({ inputs: { ...own, ...inputs, version }, toolCache });
  const errors = run.annotations.filter(({ level }) => level === 'error');
  expect(errors.map(({ title }) => title)).toEqual(
    code === undefined ? [] : [`setup-verified-kubectl: ${code}`],
  );
  run.cleanup();
}

/** A server for a log; returns its URL. */
async function logOf({ afterwards }: Stage, log: TransparencyLog): Promise<string> {
  const server = await LoopbackServer.start(transparencyLogApi(log));
  afterwards.push(() => server.stop());
  log.baseUrl = server.url;
  return server.url;
}

const expectCached = (run: ActionResult): void => {
  expect(run.outputs['cache-hit']).toBe('true');
};

const NEIGHBOURS: Attack[] = [
  inCache('one more program in the entry', ({ entry }) => {
    writeFileSync(join(entry, 'git'), '#!/bin/sh\n', { mode: 0o755 });
  }),
  ...['verified-kubectl', 'version'].map((which): Attack => ({
    what: `a folder above a copy that everybody may write to: ${which}`,
    outcome: 'without effect',
    needs: [MISSING.permissionBits],
    attack: async (stage) => {
      await stage.earlierRun();
      const version = dirname(stage.entry);
      chmodSync(which === 'version' ? version : dirname(version), 0o777);
    },
    check: (run, { entry }) => {
      expect(run.annotations).toEqual([]);
      expect(run.paths).toEqual([entry]);
      for (const folder of [dirname(entry), dirname(dirname(entry))]) {
        expect(statSync(folder).mode & 0o022).toBe(0);
      }
    },
  })),
  ...['verified-kubectl', 'version', 'the entry'].map((which): Attack => ({
    what: `a folder of another user: ${which}`,
    outcome: 'without effect',
    needs: [MISSING.root],
    attack: async (stage) => {
      await stage.earlierRun();
      const version = dirname(stage.entry);
      const folders = { 'verified-kubectl': dirname(version), version, 'the entry': stage.entry };
      chownSync(folders[which as keyof typeof folders], NOBODY, NOBODY);
    },
    check: (run, stage) => {
      if (which === 'the entry') {
        expect(run.annotations.map(({ title }) => title)).toEqual(['Cached copy refused']);
      } else {
        expectOutsideOfCache(run, stage);
        expect(existsSync(binaryIn(stage.entry))).toBe(true);
      }
    },
  })),
  {
    what: 'a link in place of the folder of the version, to a folder with a entry of its own',
    outcome: 'without effect',
    needs: [MISSING.folderLinks],
    attack: ({ entry, toolCache }) => {
      const precious = join(toolCache, 'elsewhere', basename(entry), 'precious.txt');
      mkdirSync(dirname(precious), { recursive: true });
      writeFileSync(precious, 'precious');
      mkdirSync(dirname(dirname(entry)), { recursive: true });
      linkFolder(join(toolCache, 'elsewhere'), dirname(entry));
    },
    check: (run, stage) => {
      expectOutsideOfCache(run, stage);
      expect(filesBelow(join(stage.toolCache, 'elsewhere'))).toHaveLength(1);
    },
  },
  {
    what: 'entries of versions that are none, for a minor',
    outcome: 'without effect',
    attack: ({ toolCache, inputs }) => {
      inputs['version'] = '1.40';
      const names = ['v1.40.01', 'v1.40.9999999999999999', 'v1.40.x'];
      if (canRun(MISSING.anyFileName)) names.push('v1.40.*');
      for (const version of names) {
        const entry = plain.cacheEntry(version, 'kubectl', NATIVE_PLATFORM, 'ab'.repeat(32));
        mkdirSync(join(toolCache, entry), { recursive: true });
      }
    },
  },
  ...Object.keys(OTHER_TRUST).map((input): Attack => ({
    what: `another run names its own ${input}, while this one has its copy on PATH`,
    outcome: 'without effect',
    attack: async (stage) => {
      await stage.earlierRun();
      const genuine = readFileSync(binaryIn(stage.entry));
      await runOfOtherTrust(stage, input);
      expect(readFileSync(binaryIn(stage.entry)).equals(genuine)).toBe(true);
    },
    check: (run) => {
      expect(run.annotations).toEqual([]);
      expect(run.outputs['cache-hit']).toBe('true');
    },
  })),
  {
    what: 'a mirror that gives another run the SBOM of another release, for a copy without SBOM',
    needs: [MISSING.executables],
    outcome: 'without effect',
    attack: async (stage) => {
      hideSbom(stage);
      await stage.earlierRun('Release proven without SBOM');
      const mirror = await lyingMirror(stage, true);
      await anotherRun(stage, { 'download-base-url': mirror }, 'RELEASE_MISMATCH');
      await anotherRun(stage, { 'download-base-url': mirror, 'bind-release': 'false' });
    },
    check: expectCached,
  },
  {
    what: 'an unbound copy of another release, and a run that is kept waiting before it refuses it',
    outcome: 'without effect',
    attack: async (stage) => {
      const mirror = await lyingMirror(stage, true);
      const unbound = { 'download-base-url': mirror, 'bind-release': 'false' };
      await anotherRun(stage, unbound);
      // In the place where a run that binds would look for it.
      const { version, toolCache, world } = stage;
      const sha256 = world.release.artifact(OLDER, NATIVE_PLATFORM, 'kubectl').sha256;
      const from = world.cacheEntry(version, 'kubectl', NATIVE_PLATFORM, sha256, mirror);
      const planted = join(
        toolCache,
        world.cacheEntry(version, 'kubectl', NATIVE_PLATFORM, sha256),
      );
      cpSync(join(toolCache, from), planted, { recursive: true });
      const gate = Promise.withResolvers<undefined>();
      const asked = Promise.withResolvers<undefined>();
      mirrors.at(-1)?.server.fail('kubernetes-release.spdx', async (delivery) => {
        asked.resolve(undefined);
        await gate.promise;
        await fault.delay(0)(delivery);
      });
      const waiting = anotherRun(stage, { 'download-base-url': mirror }, 'RELEASE_MISMATCH');
      await asked.promise;
      await stage.earlierRun('Cached copy refused');
      gate.resolve(undefined);
      await waiting;
      await anotherRun(stage, unbound);
    },
    check: expectCached,
  },
  {
    what: 'another run with the same TUF root, and a mirror that holds back a newer trusted root',
    outcome: 'without effect',
    attack: async (stage) => {
      const { world, version, inputs } = stage;
      const tuf = await ownTuf(stage);
      const { authority, log } = attacker();
      const rekor = await logOf(stage, log);
      const stolen = trustedRootJson({
        validFrom: plain.validFrom,
        logs: [log],
        certificateAuthorities: [authority],
        ctLogs: [plain.ctLog],
        timestampAuthorities: [plain.timestampAuthority],
      });
      tuf.publish({ targets: { 'trusted_root.json': Buffer.from(JSON.stringify(stolen)) } });
      const heldBack = new Map(tuf.files);
      const mirror = await LoopbackServer.start(({ path }) => {
        const body = heldBack.get(decodeURIComponent(path).replace(/^\/+/, ''));
        return body === undefined ? { status: 404 } : { status: 200, body };
      });
      stage.afterwards.push(() => mirror.stop());
      tuf.publish({
        targets: { 'trusted_root.json': Buffer.from(JSON.stringify(world.trustedRoot())) },
      });
      await stage.earlierRun();
      strange.release.publish({
        version,
        platforms: [NATIVE_PLATFORM],
        size: 9999,
        signing: { authority, log },
      });
      await anotherRun(stage, {
        ...strange.inputs(),
        'rekor-url': rekor,
        'tuf-mirror-url': mirror.url,
        'tuf-root': inputs['tuf-root'] ?? '',
      });
    },
    check: expectCached,
  },
  {
    what: 'an unbound copy that the mirror of another run chose, for a run that binds nothing either',
    outcome: 'without effect',
    attack: async (stage) => {
      stage.inputs['bind-release'] = 'false';
      await anotherRun(stage, { 'download-base-url': await lyingMirror(stage, false) });
    },
    check: (run) => {
      expect(run.outputs['cache-hit']).toBe('false');
    },
  },
  {
    what: 'a genuine copy under a version that does not exist, for a minor',
    outcome: 'without effect',
    attack: async (stage) => {
      await stage.earlierRun();
      const planted = join(dirname(dirname(stage.entry)), '1.40.9999', basename(stage.entry));
      cpSync(stage.entry, planted, { recursive: true });
      stage.inputs['version'] = '1.40';
    },
    check: (run, { version }) => {
      expect(run.outputs['version']).toBe(version);
      expect(run.annotations.map(({ title }) => title)).toEqual(['Cached copy refused']);
    },
  },
  {
    what: 'a kept copy without the checksum that is asked for, which another one has',
    outcome: 'without effect',
    attack: async (stage) => {
      const { kubectl, inputs } = stage;
      inputs['bind-release'] = 'false';
      await stage.earlierRun();
      kubectl.replace(Buffer.concat([kubectl.bytes, Buffer.from('# built again')]));
      kubectl.sign();
      inputs['checksum'] = kubectl.sha256;
    },
    check: (run) => {
      expect(run.outputs['cache-hit']).toBe('false');
    },
  },
  ...['/proc/self/mem'].map((device): Attack => ({
    what: `a link to ${device}, which fails when it is read, in the tool cache of another action`,
    outcome: 'without effect',
    needs: [MISSING.proc],
    attack: (stage) => {
      const place = join(stage.toolCache, 'kubectl', stage.version.slice(1), 'amd64');
      mkdirSync(place, { recursive: true });
      symlinkSync(device, binaryIn(place));
      const arm = join(dirname(place), 'arm64');
      mkdirSync(arm);
      symlinkSync(device, binaryIn(arm));
    },
  })),
  inCache('a copy that has another name', ({ entry, toolCache }) => {
    linkSync(binaryIn(entry), join(toolCache, 'another name'));
  }),
  {
    what: 'a proven copy exchanged, while the run is busy with another tool',
    outcome: 'INSTALL_FAILED',
    attack: async (stage) => {
      const { world, version, toolCache, entry, inputs } = stage;
      await stage.earlierRun();
      const tools = ['kubectl', 'kubectl-convert'];
      world.release.publish({ version, tools, platforms: [NATIVE_PLATFORM] });
      inputs['tools'] = tools.join();
      // The log is asked about the second tool: what is kept of the first one was looked at before.
      world.logServer.fail(/./, async (delivery) => {
        await sleep(1000);
        writeFileSync(join(toolCache, 'exchange'), marking(stage), { mode: 0o755 });
        renameSync(join(toolCache, 'exchange'), binaryIn(entry));
        await fault.delay(0)(delivery);
      });
    },
    check: (run, stage) => {
      expect(run.annotations[0]?.message).toContain('another run has changed');
      expectNotExecuted(run, stage);
    },
  },
  {
    what: 'a link in place of the folder that keeps TUF metadata',
    outcome: 'without effect',
    needs: [MISSING.folderLinks],
    attack: async (stage) => {
      await stage.earlierRun();
      const name = basename(tufCache(stage));
      const cache = join(stage.toolCache, 'verified-trust-root');
      const elsewhere = join(stage.toolCache, 'elsewhere');
      mkdirSync(elsewhere);
      writeFileSync(join(elsewhere, name), 'precious');
      rmSync(cache, { recursive: true });
      linkFolder(elsewhere, cache);
    },
    check: expectPrecious,
  },
  {
    what: 'a link in place of the file that keeps TUF metadata',
    outcome: 'without effect',
    attack: async (stage) => {
      await stage.earlierRun();
      const kept = tufCache(stage);
      const elsewhere = join(stage.toolCache, 'elsewhere');
      mkdirSync(elsewhere);
      writeFileSync(join(elsewhere, basename(kept)), 'precious');
      rmSync(kept);
      symlinkSync(join(elsewhere, basename(kept)), kept);
    },
    check: expectPrecious,
  },
];

const hideSbom = ({ world, version }: Stage): void => {
  world.host.remove(`release/${version}/kubernetes-release.spdx`);
};

/** A text that is no program, under the name of the tool, and signed. */
function signText({ kubectl, toolCache }: Stage): void {
  kubectl.replace(Buffer.from(`SPDXVersion: SPDX-2.3\n: > '${toolCache}/executed'\n`));
  kubectl.sign();
}

const HIDDEN_SBOM: Attack[] = [
  {
    what: 'a signed text in place of the tool',
    outcome: 'RELEASE_MISMATCH',
    attack: signText,
    check: expectNotExecuted,
  },
  {
    what: 'a signed text in place of the tool, and no SBOM',
    outcome: 'RELEASE_MISMATCH',
    attack: (stage) => {
      signText(stage);
      hideSbom(stage);
    },
    check: expectNotExecuted,
  },
  ...['kube-apiserver'].map((served): Attack => ({
    what: `${served}, signed, whose help speaks of kubelet, in place of kubelet, and no SBOM`,
    outcome: 'RELEASE_MISMATCH',
    needs: [MISSING.linux],
    attack: (stage) => {
      const { world, version, inputs } = stage;
      world.release.publish({ version, tools: ['kubelet', served], platforms: [NATIVE_PLATFORM] });
      const other = world.release.artifact(version, NATIVE_PLATFORM, served);
      const help = `The Kubernetes API server.\n\nUsage:\n  ${served} [flags]\n  --kubelet-timeout`;
      const about = { tool: served, version, platform: NATIVE_PLATFORM };
      other.replace(executable({ ...about, help }));
      other.sign();
      const target = world.release.artifact(version, NATIVE_PLATFORM, 'kubelet');
      target.replace(other.bytes);
      target.putMaterial(other);
      inputs['tools'] = 'kubelet';
      hideSbom(stage);
    },
  })),
];

const TOKEN = 'token-of-the-mirror';

const PROXIES: Attack[] = [
  {
    what: 'a proxy reads along, what is meant for a mirror on this machine',
    outcome: 'without effect',
    attack: async (stage) => {
      const proxy = await Proxy.start();
      stage.env['http_proxy'] = proxy.url;
      stage.inputs['download-token'] = TOKEN;
      stage.afterwards.push(async () => {
        await proxy.stop();
        expect(proxy.requests.length).toBeGreaterThan(0);
        expect(JSON.stringify(proxy.requests)).not.toContain(TOKEN);
      });
    },
    check: (_run, { world }) => {
      const [asked] = world.host.server.requestsFor(KUBECTL);
      expect(asked?.headers.authorization).toBe(`Bearer ${TOKEN}`);
    },
  },
];

describe('without an attack', () => {
  test.each([
    ['http', false],
    ['https', true],
  ])('%s: installed', async (_scheme, isTls) => {
    const stage = stageIn(isTls ? tls : plain);
    for (const version of [stage.version, 'stable']) {
      const { env, inputs } = stage;
      const run = await runAction({ inputs: { ...inputs, version }, env });
      expect(run.exitCode).toBe(0);
      expectOwnWordsOnly(run);
      run.cleanup();
    }
  });

  test('a redirect from https to https is followed', async () => {
    const stage = stageIn(tls);
    tls.host.server.fail(KUBECTL, (delivery) =>
      fault.redirect(`${delivery.request.path}?again`)(delivery),
    );
    const run = await runAction({ inputs: stage.inputs, env: stage.env });
    tls.reset();
    expect(run.exitCode).toBe(0);
    run.cleanup();
  });

  test('a release signed into Rekor v2 with a timestamp is installed', async () => {
    const { kubectl, inputs } = stageIn(plain);
    const bundle = kubectl.bundleV2();
    kubectl.removeMaterial();
    kubectl.putBundle(bundle);
    const run = await runAction({ inputs });
    expect(run.exitCode).toBe(0);
    run.cleanup();
  });

  test('a trusted root from a file is accepted', async () => {
    const { world, inputs } = stageIn(plain);
    useTrustedRoot(inputs, world.writeTrustedRoot());
    const run = await runAction({ inputs });
    expect(run.exitCode).toBe(0);
    run.cleanup();
  });

  test('a genuine copy in the tool cache is used', async () => {
    const stage = stageIn(plain);
    await stage.earlierRun();
    const run = await runAction({ inputs: stage.inputs, toolCache: stage.toolCache });
    expect(run.outputs['cache-hit']).toBe('true');
    run.cleanup();
  });

  testUnless(MISSING.permissionBits)('a kept copy is for every user to read', async () => {
    const stage = stageIn(plain);
    await stage.earlierRun();
    expect(readdirSync(stage.entry)).toHaveLength(4);
    for (const name of readdirSync(stage.entry)) {
      // Every user may read it, and nobody but the owner change it.
      expect([name, statSync(join(stage.entry, name)).mode & 0o066]).toEqual([name, 0o044]);
    }
  });
});

const CATALOGUE: Readonly<Record<string, readonly Attack[]>> = {
  'network: redirects': REDIRECTS,
  'network, mirror, CDN: sizes': SIZES,
  'log operator': LOG,
  'release bucket: certificates': CERTIFICATES,
  'TUF mirror': TUF,
  'another job: TUF cache': PLANTED_TRUST,
  'everybody: words for the log and the summary': WORDS,
  'author of a pull request: paths': PATHS,
  'another job: tool cache and temporary folder': TOOL_CACHE,
  'other runs and other users: entries': NEIGHBOURS,
  'mirror: hidden SBOM': HIDDEN_SBOM,
  'proxy: token': PROXIES,
};

describe.each(Object.entries(CATALOGUE))('%s', (_who, attacks) => {
  for (const attack of attacks) {
    const { what, outcome, needs = [] } = attack;
    testUnless(...needs)(`${what} -> ${outcome}`, () => play(attack));
  }
});
