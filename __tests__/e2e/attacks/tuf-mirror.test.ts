import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DAY, changeKeptMetadata } from '../../support/index.js';

import { type Stage, type Attack, testAttacks, ownTuf, tufCache, evilRoot } from './stage.js';

/** Makes the kept metadata incomplete, so that the repository is asked. */
function damageTufCache(stage: Stage): void {
  changeKeptMetadata(tufCache(stage), 'targets.json', undefined);
}

const YESTERDAY = new Date(Date.now() - DAY);

const TUF: Attack[] = [
  ...(['timestamp', 'snapshot', 'targets'] as const).flatMap((role): Attack[] => [
    {
      what: `TUF ${role} that has expired, served for ever`,
      outcome: 'TRUST_ROOT_UNAVAILABLE',
      attack: async (stage) => (await ownTuf(stage)).publish({ expires: { [role]: YESTERDAY } }),
    },
    {
      what: `TUF ${role} signed by a key that the root does not name`,
      outcome: 'TRUST_ROOT_UNAVAILABLE',
      attack: async (stage) => (await ownTuf(stage)).publish({ foreignKey: [role] }),
    },
  ]),
  {
    what: 'TUF root that has expired',
    outcome: 'TRUST_ROOT_UNAVAILABLE',
    attack: async (stage) => (await ownTuf(stage)).renewRoot(YESTERDAY),
  },
  ...(['foreign', 'old', 'new'] as const).map((signedBy): Attack => ({
    what: `next TUF root signed by ${signedBy} keys alone`,
    outcome: 'TRUST_ROOT_UNAVAILABLE',
    attack: async (stage) => (await ownTuf(stage)).rotateRoot({ signedBy }),
  })),
  {
    what: 'next TUF root that says it is an earlier version',
    outcome: 'TRUST_ROOT_UNAVAILABLE',
    attack: async (stage) => (await ownTuf(stage)).rotateRoot({ version: 1 }),
  },
  {
    what: 'TUF metadata rolled back behind what an earlier run saw',
    outcome: 'TRUST_ROOT_UNAVAILABLE',
    attack: async (stage) => {
      const tuf = await ownTuf(stage);
      tuf.publish();
      await stage.earlierRun();
      rmSync(join(stage.toolCache, 'verified-kubectl'), { recursive: true });
      damageTufCache(stage);
      tuf.rollBackTo(1);
    },
  },
  {
    what: 'no attack on TUF, metadata of an earlier run incomplete (the twin of the row above)',
    outcome: 'without effect',
    attack: async (stage) => {
      (await ownTuf(stage)).publish();
      await stage.earlierRun();
      damageTufCache(stage);
    },
  },
  {
    what: 'TUF target with other bytes',
    outcome: 'TRUST_ROOT_UNAVAILABLE',
    attack: async (stage) => {
      const { files } = await ownTuf(stage);
      for (const path of files.keys()) {
        if (path.startsWith('targets/')) files.set(path, Buffer.from(JSON.stringify(evilRoot())));
      }
    },
  },
];

testAttacks('TUF mirror', TUF);
