import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { ErrorCode } from '../../../src/errors.js';
import {
  NATIVE_PLATFORM,
  Proxy,
  ReleaseHost,
  World,
  executable,
  fault,
  type FaultAction,
} from '../../support/index.js';
import { MISSING } from '../../support/skip.js';
import { IMPATIENT, expectInstalled, runIn } from '../expectations.js';

import {
  plain,
  type Stage,
  type Attack,
  stageIn,
  expectOwnWordsOnly,
  testAttacks,
  KUBECTL,
  expectNotExecuted,
  hideSbom,
} from './stage.js';

/** Somebody else's host, on http: it serves the same objects, and would like to see a token. */
let stranger: ReleaseHost;
let tls: World;

beforeAll(async () => {
  [tls, stranger] = await Promise.all([World.start({ tls: true }), ReleaseHost.start()]);
});

afterEach(() => {
  stranger.server.reset();
});

afterAll(async () => {
  await Promise.all([tls, stranger].map((one) => one.stop()));
});

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

/** What a lock file takes the place of. */
const LOCKED: ReadonlySet<string> = new Set([
  '.sig',
  '.cert',
  "SBOM's .sig",
  'pointer',
  'log entry',
]);

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
      ...(LOCKED.has(name) && { locked: 'without effect' as const }),
      ...more,
      attack: (stage) => {
        if (name === 'pointer') stage.inputs['version'] = 'stable';
        Object.assign(stage.env, IMPATIENT);
        stage.world.servers[server].fail(match, act(stage), Infinity);
      },
    }),
  );
}

interface ObjectOptions extends Pick<Attack, 'world' | 'leaves'> {
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
    world: () => tls,
    leaves: () => {
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
    secret: 'very-secret',
    leaves: ({ world, kubectl }) => {
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
    locked: 'LOCK_MISMATCH',
    attack: ({ world }) => world.host.server.fail(KUBECTL, fault.extraBytes(1), Infinity),
  },
];

/** A text that is no program, under the name of the tool, and signed. */
function signText({ kubectl, toolCache }: Stage): void {
  kubectl.replace(Buffer.from(`SPDXVersion: SPDX-2.3\n: > '${toolCache}/executed'\n`));
  kubectl.sign();
}

const HIDDEN_SBOM: Attack[] = [
  {
    what: 'a signed text in place of the tool',
    outcome: 'RELEASE_MISMATCH',
    locked: 'LOCK_MISMATCH',
    attack: signText,
    leaves: expectNotExecuted,
  },
  {
    what: 'a signed text in place of the tool, and no SBOM',
    outcome: 'RELEASE_MISMATCH',
    locked: 'LOCK_MISMATCH',
    attack: (stage) => {
      signText(stage);
      hideSbom(stage);
    },
    leaves: expectNotExecuted,
  },
  ...['kube-apiserver'].map((served): Attack => ({
    what: `${served}, signed, whose help speaks of kubelet, in place of kubelet, and no SBOM`,
    outcome: 'RELEASE_MISMATCH',
    locked: 'LOCK_MISMATCH',
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
    secret: TOKEN,
    leaves: ({ world }) => {
      const [asked] = world.host.server.requestsFor(KUBECTL);
      expect(asked?.headers.authorization).toBe(`Bearer ${TOKEN}`);
    },
  },
];

testAttacks('network: redirects', REDIRECTS);
testAttacks('network, mirror, CDN: sizes', SIZES);
testAttacks('mirror: hidden SBOM', HIDDEN_SBOM);
testAttacks('proxy: token', PROXIES);

describe('without an attack', () => {
  test.each([
    ['http', () => plain],
    ['https', () => tls],
  ])('%s: installed', async (_scheme, world) => {
    const { version, inputs } = stageIn(world());
    for (const asked of [version, 'stable']) {
      const run = await runIn(world(), { ...inputs, version: asked });
      expectInstalled(run, { version });
      expectOwnWordsOnly(run);
    }
  });

  test('a redirect from https to https is followed', async () => {
    const { version, inputs } = stageIn(tls);
    tls.host.server.fail(KUBECTL, (delivery) =>
      fault.redirect(`${delivery.request.path}?again`)(delivery),
    );
    const run = await runIn(tls, inputs);
    tls.reset();
    expectInstalled(run, { version });
  });
});
