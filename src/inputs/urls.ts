import { fileURLToPath } from 'node:url';
import { isTransportAllowed } from '../transfer/transport.js';
import { invalidInput, type RawInputs } from './raw-inputs.js';

/**
 * A URL of a server, or of a folder if `mayBeFile`. Its path ends in a slash.
 *
 * @param otherwise the URL for an empty input
 */
export function readUrl(
  inputs: RawInputs,
  name: string,
  otherwise: string,
  mayBeFile = false,
): URL {
  const given = inputs.get(name);
  const accepted = mayBeFile
    ? `an https URL, http on loopback, or a file URL such as ${inputs.isWindows ? 'file:///C:/mirror' : 'file:///srv/mirror'}, without credentials, query or fragment`
    : 'an https URL, or http on loopback, without credentials, query or fragment';
  // A message must not repeat a secret, and the runner does not mask one that is cut.
  const shown = /[@?#]/.test(given) ? '(a URL with credentials, query or fragment)' : given;
  const url = URL.parse(given === '' ? otherwise : given);
  const isAllowed =
    url !== null && (isTransportAllowed(url) || (mayBeFile && url.protocol === 'file:'));
  if (!isAllowed) {
    throw invalidInput(name, shown, accepted);
  }
  if (url.username !== '' || url.password !== '') {
    throw invalidInput(name, shown, `${accepted}; see "download-token"`);
  }
  if (url.search !== '' || url.hash !== '') {
    throw invalidInput(name, shown, accepted);
  }
  if (url.protocol === 'file:' && !isLocalPath(url, inputs.isWindows)) {
    throw invalidInput(name, shown, accepted);
  }
  url.pathname = url.pathname.replace(/\/*$/, '/');
  return url;
}

/** Whether a file URL is a path on this machine: it names no host, and on Windows it has a drive. */
function isLocalPath(url: URL, windows: boolean): boolean {
  // Windows would open a share on that host, and send it the credentials of the runner's account.
  if (url.host !== '') {
    return false;
  }
  try {
    return fileURLToPath(url, { windows }) !== '';
  } catch {
    return false; // The caller throws.
  }
}

/** @param base the only server that the token is sent to */
export function readToken(inputs: RawInputs, base: URL): string | undefined {
  const token = inputs.get('download-token');
  if (token === '') {
    return undefined;
  }
  if (!/^[\x21-\x7e]+$/.test(token) || base.protocol === 'file:') {
    throw invalidInput(
      'download-token',
      '(not shown)',
      'a bearer token of printable ASCII characters, for a "download-base-url" with https',
    );
  }
  return token;
}
