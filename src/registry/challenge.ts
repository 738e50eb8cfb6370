/** A registry's demand for a token (RFC 6750 §3). */
export interface BearerChallenge {
  /** URL of the token server. */
  readonly realm: string;
  readonly service: string | undefined;
  readonly scope: string | undefined;
}

/** RFC 9110 §11.6.1: a scheme, then parameters. Commas separate parameters and challenges. */
const SCHEME = /^[ \t,]*([A-Za-z][A-Za-z0-9-]*)(?=[ \t,]|$)/;
const PARAMETER =
  /^[ \t,]*([A-Za-z][A-Za-z0-9_-]*)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^ \t,"]+))/;

/**
 * The bearer challenge in a header `WWW-Authenticate`.
 *
 * @see https://distribution.github.io/distribution/spec/auth/token/
 * @returns undefined if there is none, or if it has no realm or a duplicate parameter
 */
export function parseBearerChallenge(header: string): BearerChallenge | undefined {
  const bearer = parseChallenges(header).find(({ scheme }) => scheme === 'bearer');
  const realm = bearer?.parameters.get('realm');
  if (bearer === undefined || realm === undefined || bearer.isAmbiguous) {
    return undefined;
  }
  const { parameters } = bearer;
  return { realm, service: parameters.get('service'), scope: parameters.get('scope') };
}

interface Challenge {
  /** Lower case. */
  readonly scheme: string;
  readonly parameters: Map<string, string>;
  isAmbiguous: boolean;
}

/** Stops at the first part that cannot be parsed. */
function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let rest = header;
  while (rest !== '') {
    const [parameter, name, quoted, plain] = PARAMETER.exec(rest) ?? [];
    const current = challenges.at(-1);
    if (parameter !== undefined && name !== undefined && current !== undefined) {
      const key = name.toLowerCase();
      current.isAmbiguous ||= current.parameters.has(key);
      current.parameters.set(key, plain ?? (quoted ?? '').replaceAll(/\\(.)/g, '$1'));
      rest = rest.slice(parameter.length);
      continue;
    }
    const [start, scheme] = SCHEME.exec(rest) ?? [];
    if (start === undefined || scheme === undefined) {
      break;
    }
    challenges.push({ scheme: scheme.toLowerCase(), parameters: new Map(), isAmbiguous: false });
    rest = rest.slice(start.length);
  }
  return challenges;
}
