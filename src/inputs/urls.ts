import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
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
    ? 'an https URL, http on loopback, or a file URL, without credentials, query or fragment'
    : 'an https URL, or http on loopback, without credentials, query or fragment';
  const url = URL.parse(given === '' ? otherwise : given);
  const isAllowed =
    url !== null && (isTransportAllowed(url) || (mayBeFile && url.protocol === 'file:'));
  if (!isAllowed) {
    throw invalidInput(name, given, accepted);
  }
  if (url.username !== '' || url.password !== '') {
    // The message does not repeat it, because it holds a secret.
    throw invalidInput(name, '(a URL with credentials)', `${accepted}; see "download-token"`);
  }
  if (url.search !== '' || url.hash !== '') {
    throw invalidInput(name, given, accepted);
  }
  if (url.protocol === 'file:') {
    const folder = folderUrl(url);
    if (folder === undefined) {
      throw invalidInput(name, given, accepted);
    }
    return folder;
  }
  url.pathname = url.pathname.replace(/\/*$/, '/');
  return url;
}

/** Undefined for a URL that is not a path on this machine, such as one with a host name. */
function folderUrl(url: URL): URL | undefined {
  try {
    return pathToFileURL(`${fileURLToPath(url)}${path.sep}`);
  } catch {
    return undefined; // The caller throws.
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
