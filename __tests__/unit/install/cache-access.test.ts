import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { CacheAccess } from '../../../src/install/cache-access.js';
import { installFailed } from '../../../src/install/install-failed.js';
import type { Logger } from '../../../src/install/logger.js';
import { MISSING, testUnless } from '../../support/skip.js';

let root: string;
let access: CacheAccess;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cache-access-'));
  const toolCache = { folder: join(root, 'tool-cache'), trustKey: 'trust' };
  mkdirSync(toolCache.folder);
  const silent: Logger = {
    info: () => {},
    debug: () => {},
    notice: () => {},
    warning: () => {},
    progress: () => {},
  };
  access = new CacheAccess(toolCache, ['kubectl'], root, silent);
});
afterEach(() => rmSync(root, { recursive: true }));

const withCode = (code: string): Error => Object.assign(new Error(code), { code });

test.each(['EACCES', 'EPERM', 'EROFS'])('%s: the copy goes below RUNNER_TEMP', async (code) => {
  const fallback = await access.fallBackAfter(installFailed('cannot put it there', withCode(code)));
  expect(fallback?.folder).toContain(join(root, 'verified-tools-'));
});

test.each(['ENOSPC', 'ENOENT'])('%s: the run fails', async (code) => {
  const failure = installFailed('cannot put it there', withCode(code));
  expect(await access.fallBackAfter(failure)).toBeUndefined();
});

const posix = testUnless(MISSING.permissionBits, MISSING.symbolicLinks);

posix.each([
  ['a link: what is behind it keeps its mode', true, 0o777],
  ['a plain folder: write permission is taken back', false, 0o755],
])('verified-kubectl is %s', async (_, isLink, mode) => {
  const above = isLink ? join(root, 'foreign') : join(root, 'tool-cache', 'verified-kubectl');
  const version = join(above, '1.31.9');
  mkdirSync(version, { recursive: true });
  chmodSync(above, 0o755);
  chmodSync(version, 0o777);
  if (isLink) symlinkSync(above, join(root, 'tool-cache', 'verified-kubectl'));
  await access.lookIn('v1.31.9');
  expect(statSync(version).mode & 0o777).toBe(mode);
});
