/** What a registry asks for before it answers: a token from somebody it trusts. */
export interface BearerChallenge {
  /** Where to get the token. */
  readonly realm: string;
  readonly service: string | undefined;
  readonly scope: string | undefined;
}

/** RFC 9110 §11.6.1: a scheme, then parameters; challenges and parameters are separated by commas. */
const SCHEME = /^[ \t,]*([A-Za-z][A-Za-z0-9-]*)(?=[ \t,]|$)/;
const PARAMETER =
  /^[ \t,]*([A-Za-z][A-Za-z0-9_-]*)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^ \t,"]+))/;

/**
 * Finds the bearer challenge in a header `WWW-Authenticate`.
 *
 * @see https://distribution.github.io/distribution/spec/auth/token/
 * @returns undefined where there is none, or one without a realm, or with a parameter twice
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

/** What cannot be read ends the list. */
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
