// The example of CONTRIBUTING.md, which quotes a part of it.
import { afterAll, beforeAll, beforeEach, test } from '@jest/globals';
import { World, type Forgery } from '../support/index.js';
import { NATIVE, expectInstalled, expectRefused, runIn } from './expectations.js';

let world: World;

beforeAll(async () => {
  world = await World.start({ publish: [{ version: 'v1.31.9', platforms: [NATIVE] }] });
});

afterAll(() => world.stop());

beforeEach(() => world.reset());

/** The log leaves out the last hash of the audit path. */
const shortenedProof: Forgery = (answer) => {
  for (const { verification } of Object.values(answer)) {
    verification?.inclusionProof?.hashes.pop();
  }
  return answer;
};

test('a whole audit path is accepted', async () => {
  expectInstalled(await runIn(world, { version: '1.31.9' }));
});

test('one without its last hash is refused', async () => {
  world.log.tamper = shortenedProof;
  expectRefused(await runIn(world, { version: '1.31.9' }), 'LOG_ENTRY_INVALID');
});
