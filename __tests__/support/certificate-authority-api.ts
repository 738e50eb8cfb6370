import { createPublicKey, verify } from 'node:crypto';
import type { CertificateAuthority } from './certificate-authority.js';
import { json, type Answer, type Handler } from './server.js';
import { toPem } from './x509.js';

/** Who an identity provider says that somebody is. */
export interface Identity {
  readonly email: string;
  readonly issuer: string;
}

/**
 * An OIDC identity token (RFC 7519) whose signature is none: the world's authority believes everybody. It says RS256,
 * because cosign passes on no other.
 */
export function identityToken({ email, issuer }: Identity): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: issuer,
    sub: '117',
    aud: 'sigstore',
    iat: now,
    exp: now + 3600,
    email,
    email_verified: true,
  };
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signature = Buffer.from('none').toString('base64url');
  return `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}.${signature}`;
}

/** Fulcio's HTTP interface (sigstore/fulcio, fulcio.proto): what signers of blobs use of it. */
export function certificateAuthorityApi(authority: CertificateAuthority): Handler {
  return ({ method, path, headers, body }) => {
    if (`${method} ${path}` !== 'POST /api/v2/signingCert') return failure(404, 'Not Found');
    const identity = readToken(headers.authorization ?? '');
    if (identity === undefined) return failure(401, 'The identity token is malformed');
    return signingCertificate(authority, identity, JSON.parse(body.toString()) as SigningRequest);
  };
}

/** `CreateSigningCertificateRequest` with a public key. */
interface SigningRequest {
  readonly publicKeyRequest: {
    /** PEM. */
    readonly publicKey: { readonly content: string };
    /** Signature over the e-mail address, base64 of DER. */
    readonly proofOfPossession: string;
  };
}

function signingCertificate(
  authority: CertificateAuthority,
  { email, issuer }: Identity,
  { publicKeyRequest }: SigningRequest,
): Answer {
  const key = createPublicKey(publicKeyRequest.publicKey.content);
  const proof = Buffer.from(publicKeyRequest.proofOfPossession, 'base64');
  if (!verify('sha256', Buffer.from(email), key, proof)) {
    return failure(400, 'The signature supplied in the request could not be verified');
  }
  const { pem } = authority.certify(key, { subjectAlternativeName: { email }, issuer });
  const certificates = [pem, ...authority.chain.map((der) => toPem(der))];
  return json(200, { signedCertificateEmbeddedSct: { chain: { certificates } } });
}

/** The claims of a bearer token. */
function readToken(authorization: string): Identity | undefined {
  const [, claims] = /^Bearer [\w-]+\.([\w-]+)\.[\w-]*$/.exec(authorization) ?? [];
  if (claims === undefined) return undefined;
  const { email, iss } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as {
    email: string;
    iss: string;
  };
  return { email, issuer: iss };
}

const failure = (code: number, message: string): Answer =>
  json(code, { code: code === 400 ? 3 : 16, message, details: [] });
