import { NonRetryableError } from './errors.js';

/** The environment variables that proxies are read from. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/** A proxy for one scheme, and the hosts that are reached without it. */
export interface ProxySettings {
  /** http or https. */
  readonly url: URL;
  /** For the `proxy-authorization` header. */
  readonly authorization: string | undefined;
  /** Entries of `no_proxy`, in lower case. */
  readonly bypass: readonly string[];
}

/**
 * Reads the proxy for a scheme: lower-case names first, as in Node 24 (`lib/internal/http.js`).
 *
 * Node ignores a value that does not begin with `http://` or `https://`, and would connect directly
 * without a word. As in curl, `host:port` is an http proxy; any other scheme is an error.
 *
 * @throws {NonRetryableError} for an invalid URL or another scheme, without showing it: it may
 *   contain a password
 */
export function proxySettings(
  scheme: 'http' | 'https',
  environment: ProxyEnvironment,
): ProxySettings | undefined {
  const value = firstSet(environment, `${scheme}_proxy`, `${scheme.toUpperCase()}_PROXY`);
  if (value === '') {
    return undefined;
  }
  const url = URL.parse(value.includes('://') ? value : `http://${value}`);
  if (url === null || /[\r\n]/.test(value)) {
    throw new NonRetryableError(`the address of the proxy for ${scheme} is not a URL`);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new NonRetryableError(`the proxy for ${scheme} is not an http or https proxy`);
  }
  const bypass = firstSet(environment, 'no_proxy', 'NO_PROXY');
  return {
    url,
    authorization: basicAuthorization(scheme, url),
    bypass: bypass === '' ? [] : bypass.split(',').map((entry) => entry.trim().toLowerCase()),
  };
}

/**
 * The same settings for an agent of Node 24, which reads them from the environment.
 *
 * @param settings for http
 */
export function proxyEnvironmentFor({ url, bypass }: ProxySettings): ProxyEnvironment {
  return { http_proxy: url.href, no_proxy: bypass.join(',') };
}

/** The value of the first variable that is not empty; empty if none is. */
function firstSet(environment: ProxyEnvironment, ...names: string[]): string {
  const values = names.map((name) => environment[name] ?? '');
  return values.find((value) => value !== '') ?? '';
}

function basicAuthorization(scheme: string, { username, password }: URL): string | undefined {
  if (username === '' && password === '') {
    return undefined;
  }
  try {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return `Basic ${Buffer.from(credentials).toString('base64')}`;
  } catch {
    throw new NonRetryableError(`the credentials of the proxy for ${scheme} are not URL-encoded`);
  }
}

/**
 * Whether `no_proxy` lists a host: `*`, `host`, `host:port`, `.suffix`, `*.suffix`, or a range of
 * IPv4 addresses such as `10.0.0.1-10.0.0.9`. The rules are Node's, as above.
 *
 * @param host without the brackets of an IPv6 address
 */
export function bypassesProxy(bypass: readonly string[], host: string, port: number): boolean {
  const name = host.toLowerCase();
  return bypass.some((entry) => {
    if (entry === '*' || entry === name || entry === `${name}:${String(port)}`) {
      return true;
    }
    if (entry.startsWith('.')) {
      return name === entry.slice(1) || name.endsWith(entry);
    }
    if (entry.startsWith('*.') && name.endsWith(entry.slice(1))) {
      return true;
    }
    const address = ipv4(name);
    const [first, last] = entry.split('-').map((end) => ipv4(end.trim()));
    return (
      address !== undefined &&
      first !== undefined &&
      last !== undefined &&
      Buffer.compare(first, address) <= 0 &&
      Buffer.compare(address, last) <= 0
    );
  });
}

/** The four bytes of an IPv4 address in dotted decimal. */
function ipv4(text: string): Buffer | undefined {
  const { isIPv4 } = process.getBuiltinModule('node:net');
  return isIPv4(text) ? Buffer.from(text.split('.').map(Number)) : undefined;
}
