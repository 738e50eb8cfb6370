import { constants } from 'node:fs';

// How files are opened (POSIX `open`) that somebody else may exchange for something else at any moment. Windows has
// neither flag: its links take a privilege, and its pipes are not files in a folder.
const { O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants as Partial<typeof constants>;

/** For reading. A pipe does not wait for a writer. */
export const READ = constants.O_RDONLY | O_NONBLOCK;

/** The same, but no link is followed. */
export const READ_NO_LINK = READ | O_NOFOLLOW;

/** For reading and writing. No link is followed. */
export const WRITE_NO_LINK = constants.O_RDWR | O_NOFOLLOW;

/** The same, for a file that must not exist. */
export const CREATE = WRITE_NO_LINK | constants.O_CREAT | constants.O_EXCL;
