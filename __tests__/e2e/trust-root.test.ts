import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { DAY, World, clockAhead, type ActionResult, type Role } from '../support/index.js';
import { IMPATIENT, expectFailure, expectInstalled, requestsOf, runIn } from './runs.js';
import { startServers, stopServers } from './outcome.js';

const VERSION = 'v1.31.8';

let world: World;
/** The tool cache that all runs of a test share. */
let toolCache: string | undefined;

beforeEach(async () => {
  world = await World.start({ baseEntries: 3, publish: [{ version: VERSION }] });
  toolCache = undefined;
});

afterEach(() => world.stop());

/** A run with the clock so many days ahead. */
async function runAfter(days: number): Promise<ActionResult> {
  world.reset();
  const env = { ...IMPATIENT, ...clockAhead(days * DAY) };
  const options = toolCache === undefined ? { env } : { env, toolCache };
  const run = await runIn(world, { version: VERSION }, options);
  toolCache ??= run.dirs.toolCache;
  return run;
}

describe('with the TUF metadata of earlier runs', () => {
  /** Signs what is new since the last run, a day before the run. */
  function refresh(days: number, roles: readonly Role[]): void {
    const expires = { timestamp: new Date(Date.now() + (days + 6) * DAY) };
    for (const role of roles) world.tuf.refresh(role, expires);
  }

  // Sigstore signs the timestamp daily, for seven days, and the rest every few months.
  test.each<[string, Role[]]>([
    ['the timestamp', ['timestamp']],
    ['the snapshot', ['snapshot']],
    ['the targets', ['targets']],
    ['the root and the timestamp', ['root', 'timestamp']],
  ])('a run without network succeeds after a refresh of %s alone', async (_, roles) => {
    expectInstalled(await runAfter(0), VERSION);
    expectInstalled(await runAfter(6), VERSION);
    expect(requestsOf(world)).toEqual([]);

    refresh(8, roles);
    expectInstalled(await runAfter(8), VERSION);
    expect(requestsOf(world)).toContain('/timestamp.json');
    expectInstalled(await runAfter(8), VERSION);
    expect(requestsOf(world)).toEqual([]);

    await stopServers(world);
    const offline = await runAfter(9);
    await startServers(world);
    expectInstalled(offline, VERSION);
    expect(offline.stdout).toContain('from metadata that is still fresh');
  });

  test('a run without network is refused when they have expired', async () => {
    expectInstalled(await runAfter(0), VERSION);
    refresh(8, ['timestamp']);
    await stopServers(world);
    const offline = await runAfter(8);
    await startServers(world);
    expectFailure(offline, 'TRUST_ROOT_UNAVAILABLE');
  });
});
