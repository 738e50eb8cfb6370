import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { RELEASE_IDENTITY, RELEASE_ISSUER } from './certificate-authority.js';
import { identityToken, type Identity } from './certificate-authority-api.js';
import type { World } from './world.js';
import { toPem } from './x509.js';

/** The executable, or why there is none to use. */
export type CosignFound = { readonly executable: string } | { readonly absent: string };

/**
 * Finds cosign 3: the one that the variable `COSIGN` names, else `cosign` on `PATH`.
 *
 * @throws Error when `COSIGN` names something that does not run
 */
export function findCosign(environment: NodeJS.ProcessEnv = process.env): CosignFound {
  const named = environment['COSIGN'] ?? '';
  const executable = named === '' ? onPath('cosign', environment['PATH'] ?? '') : named;
  if (executable === undefined) return { absent: 'no cosign in COSIGN or on PATH' };
  const { gitVersion } = JSON.parse(
    execFileSync(executable, ['version', '--json'], { encoding: 'utf8', stdio: 'pipe' }),
  ) as { gitVersion: string };
  // Other major versions have other flags, and judge otherwise.
  return gitVersion.startsWith('v3.')
    ? { executable }
    : { absent: `cosign ${gitVersion} is not version 3` };
}

function onPath(name: string, path: string): string | undefined {
  const file = process.platform === 'win32' ? `${name}.exe` : name;
  return path
    .split(delimiter)
    .map((folder) => join(folder, file))
    .find((candidate) => existsSync(candidate));
}

/**
 * The variables with which cosign trusts a world instead of Sigstore's public instance, where it is given no trusted
 * root: certificates of the authority, keys of the log and of the certificate transparency log. Writes those files.
 */
export function cosignEnvironment(world: World): Record<string, string> {
  const { authority, ctLog, log } = world;
  return {
    SIGSTORE_ROOT_FILE: world.writeFile(
      'authority.pem',
      [authority.root, authority.intermediate].map((der) => toPem(der)).join(''),
    ),
    SIGSTORE_REKOR_PUBLIC_KEY: world.writeFile('log.pem', log.publicKeyPem),
    SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: world.writeFile('ct-log.pem', toPem(ctLog.spki, 'PUBLIC KEY')),
  };
}

/** The variables with which cosign takes its trusted root from a world's TUF repository. */
export const cosignTufEnvironment = (world: World): Record<string, string> => ({
  TUF_MIRROR: world.tufServer.url,
  TUF_ROOT_JSON: world.tufRootPath,
});

export interface CosignResult {
  readonly accepted: boolean;
  /** Everything that it said. */
  readonly output: string;
}

/** Whom to expect; the release team unless given. */
export interface Expectation {
  readonly identity?: string;
  readonly issuer?: string;
  readonly flags?: readonly string[];
}

export interface SignBlobOptions {
  /** Who the identity token says that signs. */
  readonly as: Identity;
  /** URL of a server with Fulcio's interface. */
  readonly authorityUrl: string;
}

/** The command line of cosign 3, pointed at a world. */
export class Cosign {
  readonly #executable: string;
  readonly #world: World;
  /** Where it may keep things; not the home of whoever runs the tests. */
  readonly #home: string;

  constructor(executable: string, world: World, home: string) {
    this.#executable = executable;
    this.#world = world;
    this.#home = home;
  }

  /** `cosign verify-blob --signature --certificate --rekor-url`; each a path or a URL. */
  verifyBlob(
    file: string,
    { signature = `${file}.sig`, certificate = `${file}.cert` } = {},
    expectation: Expectation = {},
    trust = cosignEnvironment(this.#world),
  ): Promise<CosignResult> {
    return this.run(
      [
        ...['verify-blob', file, '--signature', signature, '--certificate', certificate],
        ...['--rekor-url', this.#world.logServer.url, ...expectationFlags(expectation)],
      ],
      trust,
    );
  }

  /** `cosign verify-blob --bundle --trusted-root`: nobody needs to answer. */
  verifyBundle(
    file: string,
    bundle: string,
    expectation: Expectation = {},
    trustedRoot = this.#world.writeTrustedRoot(),
  ): Promise<CosignResult> {
    const flags = ['--bundle', bundle, '--trusted-root', trustedRoot];
    return this.run(['verify-blob', file, ...flags, ...expectationFlags(expectation)]);
  }

  /** `cosign verify-blob --bundle` with the trust root of the world's TUF repository. */
  verifyBundleThroughTuf(file: string, bundle: string): Promise<CosignResult> {
    const args = ['verify-blob', file, '--bundle', bundle, ...expectationFlags({})];
    return this.run(args, cosignTufEnvironment(this.#world));
  }

  /** Writes `<file>.sig` and `<file>.cert`, base64 both. */
  signBlob(file: string, options: SignBlobOptions): Promise<CosignResult> {
    return this.run(
      [
        ...['sign-blob', file, '--new-bundle-format=false', '--use-signing-config=false'],
        ...['--fulcio-url', options.authorityUrl, '--rekor-url', this.#world.logServer.url],
        ...['--output-signature', `${file}.sig`, '--output-certificate', `${file}.cert`],
        ...['--identity-token', identityToken(options.as), '--yes'],
      ],
      cosignEnvironment(this.#world),
    );
  }

  /** Writes `<file>.sigstore.json`. */
  signBlobWithBundle(file: string, options: SignBlobOptions): Promise<CosignResult> {
    const signingConfig = this.#world.writeFile(
      'signing-config.json',
      JSON.stringify(this.#signingConfig(options)),
    );
    return this.run([
      ...['sign-blob', file, '--bundle', `${file}.sigstore.json`],
      ...['--signing-config', signingConfig, '--trusted-root', this.#world.writeTrustedRoot()],
      ...['--identity-token', identityToken(options.as), '--yes'],
    ]);
  }

  run(args: readonly string[], environment: Record<string, string> = {}): Promise<CosignResult> {
    const options = {
      env: { ...inherited(), HOME: this.#home, USERPROFILE: this.#home, ...environment },
      timeout: 60_000,
    };
    return new Promise((resolve, reject) => {
      execFile(this.#executable, args, options, (error, stdout, stderr) => {
        const output = `${stdout}${stderr}`;
        // A refusal is an exit code; anything else says nothing about what was to be judged.
        if (error !== null && typeof error.code !== 'number') {
          reject(new Error(`cosign did not end by itself: ${output}`, { cause: error }));
        } else resolve({ accepted: error === null, output });
      });
    });
  }

  /** `dev.sigstore.trustroot.v1.SigningConfig` as JSON: whom cosign asks when it signs. */
  #signingConfig({ authorityUrl }: SignBlobOptions): unknown {
    const service = (url: string): unknown => ({
      url,
      majorApiVersion: 1,
      validFor: { start: this.#world.validFrom.toISOString() },
      operator: 'the test world',
    });
    return {
      mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
      caUrls: [service(authorityUrl)],
      oidcUrls: [service('https://oidc.test')],
      rekorTlogUrls: [service(this.#world.logServer.url)],
      rekorTlogConfig: { selector: 'ANY' },
      tsaConfig: { selector: 'ANY' },
    };
  }
}

const expectationFlags = ({ identity, issuer, flags = [] }: Expectation): string[] => [
  ...['--certificate-identity', identity ?? RELEASE_IDENTITY],
  ...['--certificate-oidc-issuer', issuer ?? RELEASE_ISSUER],
  ...flags,
];

/** This process's variables without those that cosign listens to, and with no way out of this machine. */
function inherited(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(?:COSIGN|SIGSTORE|TUF|ACTIONS_ID)_|_PROXY$/i.test(name),
  );
  // Go's proxy settings do not hold for loopback; nothing listens on this port.
  return { ...Object.fromEntries(own), HTTP_PROXY: NOWHERE, HTTPS_PROXY: NOWHERE };
}

const NOWHERE = 'http://127.0.0.1:9';
