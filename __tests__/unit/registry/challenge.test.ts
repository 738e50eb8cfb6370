import { describe, expect, test } from '@jest/globals';
import { parseBearerChallenge } from '../../../src/registry/challenge.js';

const realm = 'https://auth.test/token';

describe('accepted', () => {
  test.each([
    [`Bearer realm="${realm}"`, {}],
    [`bearer REALM=${realm}`, {}],
    // As Artifact Registry and Docker Hub write it.
    [
      `Bearer realm="${realm}",service="registry.test",scope="repository:a/b:pull"`,
      { service: 'registry.test', scope: 'repository:a/b:pull' },
    ],
    [
      `Bearer scope="repository:a:pull,push" , realm="${realm}" , error="invalid_token"`,
      { scope: 'repository:a:pull,push' },
    ],
    [`Basic realm="registry", Bearer realm="${realm}"`, {}],
    [`Negotiate, Bearer realm="${realm}"`, {}],
    [`Bearer realm="https://auth.test/\\token"`, {}],
  ])('%s', (header, parameters) => {
    const { service, scope } = parameters as { service?: string; scope?: string };
    expect(parseBearerChallenge(header)).toEqual({ realm, service, scope });
  });
});

describe('refused', () => {
  test.each([
    '',
    'Bearer',
    'Basic realm="registry"',
    `realm="${realm}"`,
    'Bearer service="registry.test"',
    'Bearer realm="https://auth.test',
    `Bearer realm="${realm}", realm="https://other.test"`,
    `Bearer realm="${realm}", Realm="${realm}"`,
    `Basic realm="x", Bearer`,
  ])('%s', (header) => {
    expect(parseBearerChallenge(header)).toBeUndefined();
  });

  test('in time, however long', () => {
    for (const header of [
      ' '.repeat(16_000),
      'a '.repeat(8_000),
      `Bearer realm="${'\\'.repeat(16_000)}`,
    ]) {
      expect(parseBearerChallenge(header)).toBeUndefined();
    }
  });
});
