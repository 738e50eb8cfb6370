import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  TufRepository,
  changeKeptMetadata,
  filesBelow,
  metadataToKeep,
  writeKeptMetadata,
} from '../../support/index.js';
import { MISSING, linkFolder, testUnless, type Missing } from '../../support/skip.js';
import { expectInstalled, runIn } from '../expectations.js';

import {
  plain,
  type Stage,
  type Attack,
  stageIn,
  testAttacks,
  tufCache,
  attacker,
  evilRoot,
  linkToDevice,
  linkToKernelLog,
  makePipe,
  writeLarge,
  marking,
  expectNotExecuted,
  binaryIn,
  expectOutsideOfCache,
  inCache,
} from './stage.js';

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
      locked: 'LOCK_MISMATCH',
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
      [
        'a link to the log of the kernel, which never ends',
        linkToKernelLog,
        MISSING.symbolicLinks,
        MISSING.proc,
        MISSING.root,
      ],
      ['a pipe that nobody writes to', makePipe, MISSING.namedPipes],
      ['garbage', (path) => writeFileSync(path, '{"signed":')],
    ] satisfies [string, (path: string) => void, ...Missing[]][]
  ).map(([what, put, ...needs]): Attack => ({
    what: `${what} in the TUF cache`,
    outcome: 'without effect',
    needs,
    attack: inPlaceOfMetadata(put),
    leaves: (stage) => {
      // A file that could not be moved to its name is not left behind.
      expect(readdirSync(dirname(tufCache(stage))).filter((name) => name.startsWith('.'))).toEqual(
        [],
      );
    },
  })),
];

const LINKED_METADATA: Attack[] = [
  {
    what: 'a link to genuine metadata in the TUF cache',
    outcome: 'without effect',
    needs: [MISSING.symbolicLinks],
    attack: async (stage) => {
      await stage.earlierRun();
      const elsewhere = join(stage.toolCache, 'metadata');
      const kept = tufCache(stage);
      renameSync(kept, elsewhere);
      symlinkSync(elsewhere, kept);
    },
    leaves: (stage) => {
      // Not followed, and replaced by what was fetched.
      expect(lstatSync(tufCache(stage)).isFile()).toBe(true);
    },
  },
];

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
    warnings: ['Cached copy refused'],
  },
  ...['verified-kubectl', 'version'].map((which): Attack => ({
    what: `a link in place of the folder above a copy: ${which}`,
    outcome: 'without effect',
    warnings: ['Tool cache not used'],
    needs: [MISSING.folderLinks],
    attack: (stage) => {
      const target = join(stage.toolCache, 'elsewhere');
      const version = dirname(stage.entry);
      const link = which === 'version' ? version : dirname(version);
      mkdirSync(join(target, stage.version.slice(1)), { recursive: true });
      mkdirSync(dirname(link), { recursive: true });
      linkFolder(target, link);
    },
    check: expectOutsideOfCache,
    leaves: ({ toolCache }) => {
      expect(filesBelow(join(toolCache, 'elsewhere'))).toEqual([]);
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
    leaves: ({ toolCache }) => {
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
        writeFileSync(`${place}.complete`, ''); // Else @actions/tool-cache does not find it.
        writeFileSync(binaryIn(place), marking(stage), { mode: 0o755 });
      }
    },
    leaves: expectNotExecuted,
  },
  ...(
    [
      ['a pipe', makePipe, MISSING.namedPipes],
      ['a folder', (path) => mkdirSync(path)],
      ['a link to a device without end', linkToDevice, MISSING.symbolicLinks, MISSING.devices],
      [
        'a link to the log of the kernel, which never ends',
        linkToKernelLog,
        MISSING.symbolicLinks,
        MISSING.proc,
        MISSING.root,
      ],
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

testAttacks('another job: TUF cache', [...PLANTED_TRUST, ...LINKED_METADATA]);
testAttacks('another job: tool cache and temporary folder', TOOL_CACHE);

describe('without an attack', () => {
  test('a genuine copy in the tool cache is used', async () => {
    const { version, inputs, toolCache, earlierRun } = stageIn(plain);
    await earlierRun();
    const run = await runIn(plain, inputs, { toolCache });
    expectInstalled(run, { version });
    expect(run.outputs['cache-hit']).toBe('true');
  });

  testUnless(MISSING.permissionBits)('a kept copy is for every user to read', async () => {
    const { entry, earlierRun } = stageIn(plain);
    await earlierRun();
    expect(readdirSync(entry)).toHaveLength(4);
    for (const name of readdirSync(entry)) {
      // Every user may read it, and nobody but the owner change it.
      expect([name, statSync(join(entry, name)).mode & 0o066]).toEqual([name, 0o044]);
    }
  });
});
