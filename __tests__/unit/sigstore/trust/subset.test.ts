import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { untrustedPart } from '../../../../src/sigstore/trust/subset.js';
import { World, type TrustedRootJson } from '../../../support/index.js';

let world: World;

beforeAll(async () => {
  world = await World.start();
});

afterAll(() => world.stop());

const compare = (
  change: (json: TrustedRootJson) => void,
  changeTrusted: (json: TrustedRootJson) => void = () => undefined,
): string | undefined => {
  // Nothing is shared between its lists.
  const [json, trusted] = [copyOf(world.trustedRoot()), copyOf(world.trustedRoot())];
  change(json);
  changeTrusted(trusted);
  return untrustedPart(Buffer.from(JSON.stringify(json)), Buffer.from(JSON.stringify(trusted)));
};

const copyOf = (json: TrustedRootJson): TrustedRootJson =>
  JSON.parse(JSON.stringify(json)) as TrustedRootJson;

const LISTS = ['tlogs', 'ctlogs', 'certificateAuthorities', 'timestampAuthorities'] as const;
const periodOf = (json: TrustedRootJson, list: (typeof LISTS)[number]) => {
  const [first] = json[list];
  if (first === undefined) throw new Error('the world trusts nobody');
  return 'publicKey' in first ? first.publicKey.validFor : first.validFor;
};

describe.each(LISTS)('%s', (list) => {
  test('equal, fewer, and in another order: nothing is untrusted', () => {
    expect(compare(() => undefined)).toBeUndefined();
    expect(compare((json) => json[list].shift())).toBeUndefined();
    expect(compare((json) => json[list].reverse())).toBeUndefined();
  });

  test('one more is untrusted', () => {
    expect(
      compare(
        () => undefined,
        (trusted) => trusted[list].shift(),
      ),
    ).toMatch(new RegExp(`^${list}\\[0\\] \\("`));
  });

  test('a shorter time is trusted, a longer one is not', () => {
    const end = (json: TrustedRootJson): void => {
      periodOf(json, list).end = '2030-01-01T00:00:00Z';
    };
    const earlier = (json: TrustedRootJson): void => {
      periodOf(json, list).start = '2001-01-01T00:00:00Z';
    };
    expect(compare(end)).toBeUndefined();
    expect(compare(() => undefined, end)).toContain(list);
    expect(compare(end, end)).toBeUndefined();
    expect(compare(() => undefined, earlier)).toBeUndefined();
    expect(compare(earlier)).toContain(list);
  });

  test('any other field is compared', () => {
    const text = JSON.stringify(world.trustedRoot());
    const [first] = world.trustedRoot()[list];
    for (const value of textsIn(first)) {
      const changed = Buffer.from(text.replaceAll(value, other(value)));
      if (/^\d{4}-/.test(value) || value === 'SHA2_256' || value.startsWith('PKIX_')) continue;
      expect([value, untrustedPart(changed, Buffer.from(text)) === undefined]).toEqual([
        value,
        false,
      ]);
    }
  });
});

test('the time and the base64 of another spelling are the same', () => {
  const genuine = world.trustedRoot();
  const start = new Date(genuine.tlogs[0]?.publicKey.validFor.start ?? '');
  const spelled = JSON.stringify(genuine, undefined, 2).replaceAll(
    start.toISOString(),
    start.toISOString().replace('Z', '000+00:00'),
  );
  expect(untrustedPart(Buffer.from(spelled), Buffer.from(JSON.stringify(genuine)))).toBeUndefined();
});

test("the fixture of Sigstore's public instance trusts itself, and not the world", () => {
  const file = '../../../fixtures/trusted-root-without-start/trusted_root.json';
  const json = readFileSync(new URL(file, import.meta.url));
  expect(untrustedPart(json, json)).toBeUndefined();
  expect(untrustedPart(json, Buffer.from(JSON.stringify(world.trustedRoot())))).toMatch(
    /^tlogs\[0\]/,
  );
});

/** Every text below a value. */
const textsIn = (value: unknown): string[] =>
  typeof value === 'string' ? [value] : Object.values(value ?? {}).flatMap(textsIn);

/** Another text, which is base64 where the first one is. */
const other = (text: string): string =>
  text.startsWith('A') ? `B${text.slice(1)}` : `A${text.slice(1)}`;
