import type { ErrorCode } from '../../../src/errors.js';
import type { PublishedFile } from '../../support/index.js';
import { STRANGER, serveAs } from '../expectations.js';
import { ANOTHER_IDENTITY, INVALID_SIGNATURE, NOT_IN_LOG, UNKNOWN_AUTHORITY } from './claims.js';
import { fresh, stranger, world, type Row } from './stage.js';

export const TARBALL = 'kubernetes-src.tar.gz';

/** The pair of a tarball, as `cosign verify-blob --signature --certificate` and the input `artifacts` see it. */
export interface TarballRow extends Pick<Row, 'what' | 'cosign'> {
  readonly action: ErrorCode | 'accepts';
  readonly change?: (tarball: PublishedFile) => void;
}

/** A release with a tarball, genuine in every part; the log's index could otherwise make good what a row breaks. */
export function publishTarball(): { readonly version: string; readonly tarball: PublishedFile } {
  const version = fresh();
  world.release.publish({ version, artifacts: [TARBALL] });
  world.log.index.clear();
  return { version, tarball: world.release.file(version, TARBALL) };
}

export const TARBALLS: readonly TarballRow[] = [
  { what: 'genuine', cosign: 'accepts', action: 'accepts' },
  {
    what: 'of another version',
    change: ({ path }) => {
      serveAs(world, publishTarball().tarball, path);
    },
    cosign: 'accepts', // It does not look at the release.
    action: 'RELEASE_MISMATCH',
  },
  {
    what: 'signed, but not a file of any release',
    change: ({ path }) => {
      const other = world.release.putFile('release/other', Buffer.from('other'));
      serveAs(world, other, path);
    },
    cosign: 'accepts',
    action: 'RELEASE_MISMATCH',
  },
  {
    what: 'cut short',
    change: (tarball) => {
      tarball.replace(tarball.bytes.subarray(0, -1));
    },
    cosign: INVALID_SIGNATURE,
    action: 'SIGNATURE_MISMATCH',
  },
  {
    what: 'signed by somebody else',
    change: (tarball) => void tarball.sign(STRANGER),
    cosign: ANOTHER_IDENTITY,
    action: 'IDENTITY_MISMATCH',
  },
  {
    what: 'signed with a certificate of another authority',
    change: (tarball) => void tarball.sign({ authority: stranger }),
    cosign: UNKNOWN_AUTHORITY,
    action: 'CERTIFICATE_UNTRUSTED',
  },
  {
    what: 'not in the log',
    change: (tarball) => void tarball.sign({ log: false }),
    cosign: NOT_IN_LOG,
    action: 'LOG_ENTRY_NOT_FOUND',
  },
];
