import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { TransferError } from '../../../src/transfer/errors.js';
import { HttpClient } from '../../../src/transfer/http.js';
import { TRANSFER_LIMITS } from '../../../src/transfer/limits.js';
import { LoopbackServer } from '../../support/index.js';

let server: LoopbackServer;
let folder: string;

beforeAll(async () => {
  server = await LoopbackServer.start(() => ({ status: 200, body: 'here' }));
  folder = mkdtempSync(join(tmpdir(), 'offline-'));
});

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const client = (isOffline: boolean): HttpClient =>
  new HttpClient({
    userAgent: 'test',
    proxyEnvironment: {},
    limits: TRANSFER_LIMITS,
    isOffline,
    signal: new AbortController().signal,
    onRequest: () => undefined,
  });

test.each([true, false])('isOffline: %s', async (isOffline) => {
  server.reset();
  const answer = client(isOffline).read(new URL(server.url), 10);
  if (isOffline) {
    await expect(answer).rejects.toThrow(TransferError);
    await expect(answer).rejects.toThrow('this client makes no requests');
  } else {
    expect((await answer).toString()).toBe('here');
  }
  expect(server.requests).toHaveLength(isOffline ? 0 : 1);
});

test('a file is read', async () => {
  writeFileSync(join(folder, 'file'), 'there');
  const url = pathToFileURL(join(folder, 'file'));
  expect((await client(true).read(url, 10)).toString()).toBe('there');
});
