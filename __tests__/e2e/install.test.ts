import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { World, runAction } from '../support/index.js';

let world: World;

beforeAll(async () => {
  world = await World.start({ publish: [{ version: 'v1.31.9' }] });
});

afterAll(async () => {
  await world.stop();
});

describe('a genuine release', () => {
  test('is installed', async () => {
    const run = await runAction({ inputs: { ...world.inputs(), version: '1.31.9' } });
    console.log(
      run.stdout,
      run.stderr,
      run.outputs,
      run.summary,
      run.paths,
      run.toolCacheFiles(),
      run.tempFiles(),
      run.durationMs,
    );
    expect(run.exitCode).toBe(0);
  });
});
