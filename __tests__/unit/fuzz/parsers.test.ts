import { createHash } from 'node:crypto';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { escapeLogLine, escapeHtml } from '../../../src/escape.js';
import { readStoredBundle } from '../../../src/sigstore/evidence/stored.js';
import { checkSubjects } from '../../../src/kubernetes/provenance.js';
import { parseReleaseFile, releaseFileOf } from '../../../src/kubernetes/release-file.js';
import { checkRelease, readSbom } from '../../../src/kubernetes/sbom.js';
import { parseVersionRequest, resolveVersion, satisfies } from '../../../src/kubernetes/version.js';
import { parseVersionFile } from '../../../src/kubernetes/version-file.js';
import { parseBundle, serializeBundle } from '../../../src/sigstore/bundle.js';
import {
  parseCertificate,
  parseDetached,
  parseSignature,
  toPem,
} from '../../../src/sigstore/detached.js';
import { parseHashedRekord } from '../../../src/sigstore/hashedrekord.js';
import { parseLogEntries } from '../../../src/sigstore/evidence/rekor.js';
import { loadTrustRoot } from '../../../src/sigstore/trust/trusted-root.js';
import { World, provenance } from '../../support/index.js';
import { testClient } from '../transfer/server.js';
import { bytes, forAll, mutated, orRefused, text } from './cases.js';

// Whatever the network says: a SetupError, or a correct value; never another error, nor a hang.

const signedAt = new Date('2025-05-15T00:00:00Z');
const VERSION = 'v1.31.9';
jest.setTimeout(600_000);

let world: World;
let folder: string;

beforeAll(async () => {
  world = await World.start({
    baseEntries: 5,
    publish: [{ version: VERSION, sbom: { images: 1, tarballs: 1 } }],
  });
  folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
  mkdirSync(join(folder, 'release'));
});

afterAll(async () => {
  await world.stop();
  rmSync(folder, { recursive: true });
});

const kubectl = (): ReturnType<World['release']['artifact']> =>
  world.release.artifact(VERSION, 'linux/amd64', 'kubectl');

/** Arbitrary bytes, arbitrary text, and what is nearly valid. */
const around = (valid: Buffer): fc.Arbitrary<Buffer> =>
  fc.oneof(
    bytes(),
    text().map((value) => Buffer.from(value)),
    mutated(valid),
    mutated(valid),
  );

describe('.sig and .cert', () => {
  test('.sig', async () => {
    const valid = Buffer.from(kubectl().signature.toString('base64'));
    await forAll(around(valid), async (file) => {
      const der = await orRefused(() => parseSignature(file));
      // What is accepted is written in the one way there is, but for a newline.
      if (der !== undefined) {
        expect(file.toString().replace(/\r?\n$/, '')).toBe(der.toString('base64'));
      }
    });
  });

  test('.cert', async () => {
    const { pem } = kubectl().certificate;
    for (const valid of [Buffer.from(pem), Buffer.from(Buffer.from(pem).toString('base64'))]) {
      await forAll(around(valid), async (file) => {
        const der = await orRefused(() => parseCertificate(file));
        if (der !== undefined) expect(parseCertificate(Buffer.from(toPem(der)))).toEqual(der);
      });
    }
  });

  test('a pair', async () => {
    await forAll(fc.tuple(bytes(), bytes()), async ([signature, certificate]) => {
      expect(await orRefused(() => parseDetached(signature, certificate))).toBeUndefined();
    });
  });
});

describe('transparency log', () => {
  const answer = (): Buffer => Buffer.from(JSON.stringify(world.log.answer(kubectl().entry.uuid)));

  test('an answer', async () => {
    await forAll(around(answer()), async (json) => {
      const entries = (await orRefused(() => parseLogEntries(json))) ?? [];
      for (const { body, logIndex } of entries) {
        expect(body.length).toBeGreaterThan(0);
        expect(Number.isSafeInteger(logIndex)).toBe(true);
      }
    });
  });

  test('any JSON', async () => {
    await forAll(fc.jsonValue({ maxDepth: 5 }), async (value) => {
      await orRefused(() => parseLogEntries(Buffer.from(JSON.stringify(value))));
      await orRefused(() =>
        parseLogEntries(Buffer.from(JSON.stringify({ ['a'.repeat(64)]: value }))),
      );
    });
  });

  test('a body', async () => {
    await forAll(around(kubectl().entry.body), (body) => {
      parseHashedRekord(body);
    });
  });
});

describe('bundles', () => {
  const valid = (): Buffer =>
    serializeBundle(parseBundle(Buffer.from(JSON.stringify(kubectl().bundle()))));

  test('published', async () => {
    await forAll(around(valid()), async (json) => {
      const bundle = await orRefused(() => parseBundle(json));
      if (bundle !== undefined) parseBundle(serializeBundle(bundle));
    });
  });

  test('any JSON in place of a part', async () => {
    const names = Object.keys(kubectl().bundle());
    await forAll(fc.tuple(fc.constantFrom(...names), fc.jsonValue()), async ([name, value]) => {
      const json = Buffer.from(JSON.stringify({ ...kubectl().bundle(), [name]: value }));
      const bundle = await orRefused(() => parseBundle(json));
      if (bundle !== undefined) parseBundle(serializeBundle(bundle));
    });
  });

  test('kept as evidence', async () => {
    const path = join(folder, 'evidence.json');
    const genuine = valid();
    await forAll(around(genuine), async (json) => {
      writeFileSync(path, json);
      const bundle = await orRefused(() => readStoredBundle(path));
      if (bundle !== undefined) expect(serializeBundle(bundle)).toEqual(json);
    });
  });

  test('trusted root from a file', async () => {
    const { http } = testClient();
    const source = { kind: 'file', path: 'trusted_root.json' } as const;
    await forAll(around(Buffer.from(JSON.stringify(world.trustedRoot()))), async (json) => {
      await orRefused(() => loadTrustRoot({ ...source, json }, http));
    });
  });
});

const digest = (bytes: Buffer | string): Buffer => createHash('sha256').update(bytes).digest();

describe('releases', () => {
  test('SBOM', async () => {
    const path = join(folder, 'sbom.spdx');
    const genuine = world.release.sbom(VERSION).bytes;
    const { sha256 } = kubectl();
    const other = '0'.repeat(64);
    await forAll(around(genuine), async (document) => {
      writeFileSync(path, document);
      const sbom = await readSbom({ path, sha256: digest(document) });
      // A digest that stands nowhere in it is never vouched for.
      expect(
        await orRefused(() => {
          checkRelease(sbom, VERSION, 'bin/linux/amd64/kubectl', { sha256: other, signedAt });
          return 'accepted';
        }),
      ).toBeUndefined();
      const accepted = await orRefused(() => {
        checkRelease(sbom, VERSION, 'bin/linux/amd64/kubectl', { sha256, signedAt });
        return 'accepted';
      });
      if (accepted !== undefined) {
        expect(document.includes(sha256)).toBe(true);
        expect(document.includes(`https://sbom.k8s.io/${VERSION}/release`)).toBe(true);
      }
    });
  });

  test('SBOM: one long line', async () => {
    const path = join(folder, 'long.spdx');
    for (const piece of [' ', '\t', '<text>', 'FileName: ', '\r', '\u2028']) {
      const document = `FileName:${piece.repeat(300_000)}x${piece.repeat(300_000)}`;
      writeFileSync(path, document);
      await readSbom({ path, sha256: digest(document) });
    }
  });

  test('provenance', async () => {
    const valid = provenance(VERSION, [{ name: 'kubernetes-src.tar.gz', bytes: Buffer.from('a') }]);
    const path = join(folder, 'provenance.json');
    let accepted = 0;
    await forAll(around(valid), async (json) => {
      writeFileSync(path, json);
      const sha256 = createHash('sha256').update(json).digest();
      await orRefused(async () => {
        await checkSubjects({ path, sha256 }, VERSION, 'provenance.json');
        accepted += 1;
        const { subject } = JSON.parse(json.toString()) as { subject: { name: string }[] };
        expect(subject.length).toBeGreaterThan(0);
        for (const { name } of subject) expect(name).toContain(`/release/${VERSION}/`);
      });
    });
    expect(accepted).toBeGreaterThan(0);
  });

  test('names of artifacts', async () => {
    const names = ['client', 'kubernetes-src.tar.gz', 'kubernetes-test-linux-arm64.tar.gz'];
    const near = fc.constantFrom(...names).chain((name) => mutated(Buffer.from(name)));
    await forAll(fc.oneof(text(), near.map(String)), async (name) => {
      const request = await orRefused(() => parseReleaseFile(name, { os: 'linux', arch: 'amd64' }));
      if (request === undefined) return;
      expect(request.name).toMatch(/^[a-z0-9-]+\.(tar\.gz|spdx|json)$/);
      const { url } = releaseFileOf(VERSION, new URL('https://dl.k8s.io/'), request);
      expect(url.href).toBe(`https://dl.k8s.io/release/${VERSION}/${request.name}`);
    });
  });

  test('pointer', async () => {
    const { http } = testClient();
    const path = join(folder, 'release', 'stable.txt');
    await forAll(around(Buffer.from('v1.31.9\n')), async (pointer) => {
      writeFileSync(path, pointer);
      const base = pathToFileURL(`${folder}/`);
      const version = await orRefused(() => resolveVersion({ kind: 'stable' }, http, base));
      if (version !== undefined) {
        expect(version).toMatch(/^v\d{1,4}\.\d{1,4}\.\d{1,4}$/);
        expect(pointer.toString('utf8').trim()).toBe(version);
      }
    });
  });

  test('version', async () => {
    const nearly = fc.stringMatching(
      /^[v~^<>=]{0,2}[0-9x*]{1,3}(\.[0-9x*]{1,5}){0,3}(-(alpha|beta|rc)?\.?[0-9]{0,3})?$/,
    );
    await forAll(fc.oneof(text(), nearly), async (value) => {
      const request = await parseVersionRequest(value);
      if (request?.kind === 'exact') expect(await satisfies(request.version, request)).toBe(true);
      if (request !== undefined) expect(value).not.toMatch(/[/\\%:?#]/);
    });
  });

  test.each(['.kubectl-version', '.tool-versions', 'mise.toml', 'go.mod'])('%s', async (name) => {
    const valid = Buffer.from(
      '[tools]\nkubectl = "1.31.9"\nkubectl 1.31.9\nrequire (\n  k8s.io/api v0.31.9\n)\nreplace k8s.io/api => ../x\n',
    );
    await forAll(around(valid), async (file) => {
      const pinned = await orRefused(() => parseVersionFile(name, file.toString('utf8'), name));
      if (pinned !== undefined) expect(pinned.version).not.toBe('');
    });
  });
});

describe('what is shown', () => {
  test('a line is one line, and no command', async () => {
    await forAll(
      fc.oneof(text(), fc.string({ unit: fc.constantFrom(':', '#', '[', ' ', '\n', 'e') })),
      (value) => {
        const shown = escapeLogLine(value);
        // eslint-disable-next-line no-control-regex -- exactly these must not be there
        expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
        expect(shown).not.toMatch(/^\s*::/);
        expect(shown).not.toContain('##[');
        expect(escapeHtml(value)).not.toMatch(/[<>"'`*_[\]|@]/);
      },
    );
  });
});
