import { createPublicKey, publicDecrypt, X509Certificate, type KeyObject } from 'node:crypto';
import { verifyDigest } from './ecdsa.js';
import { leafHash } from './merkle-tree.js';
import { json, type Answer, type Handler, type ReceivedRequest } from './server.js';
import {
  hashedRekordBody,
  RawJson,
  type HashedRekord,
  type LogEntry,
  type TransparencyLog,
} from './transparency-log.js';

const MAX_ENTRIES = 10;

/** Rekor v1's HTTP interface (sigstore/rekor, openapi.yaml): the parts that clients of signed blobs use. */
export function transparencyLogApi(log: TransparencyLog): Handler {
  return (request) => {
    const [path = '', query = ''] = request.path.split('?');
    const route = `${request.method} ${path}`;
    const entry = /^GET \/api\/v1\/log\/entries\/(.+)$/.exec(route)?.[1];
    if (entry !== undefined) return getEntry(log, decodeURIComponent(entry));
    switch (route) {
      case 'GET /api/v1/log':
        return getLog(log);
      case 'GET /api/v1/log/publicKey':
        return { status: 200, headers: PEM, body: log.publicKeyPem };
      case 'GET /api/v1/log/entries':
        return getEntryByIndex(log, new URLSearchParams(query));
      case 'POST /api/v1/log/entries':
        return whenParsed(request, (body) => addEntry(log, body));
      case 'POST /api/v1/log/entries/retrieve':
        return whenParsed(request, (body) => retrieveEntries(log, body));
      case 'POST /api/v1/index/retrieve':
        return whenParsed(request, (body) => searchIndex(log, body));
      default:
        return failure(404, `path ${path} was not found`);
    }
  };
}

const PEM = { 'content-type': 'application/x-pem-file' };
/** Rekor answers an unknown entry with 404 and an empty body: the response has no schema. */
const NO_SUCH_ENTRY: Answer = { status: 404, headers: { 'content-type': 'application/json' } };

function getEntry(log: TransparencyLog, uuid: string): Answer {
  if (!isEntryId(uuid)) return invalid(`entryUUID in path should match '${ENTRY_ID.source}'`);
  const entry = log.find(uuid);
  return entry === undefined ? NO_SUCH_ENTRY : entryAnswer(log, entry);
}

function getEntryByIndex(log: TransparencyLog, query: URLSearchParams): Answer {
  const logIndex = query.get('logIndex');
  if (logIndex === null) return invalid('logIndex in query is required');
  const entry = log.findByLogIndex(Number(logIndex));
  return entry === undefined ? NO_SUCH_ENTRY : entryAnswer(log, entry);
}

function addEntry(log: TransparencyLog, body: unknown): Answer {
  const proposed = parseProposal(body);
  if ('message' in proposed) return failure(400, proposed.message);
  const known = log.find(leafHash(hashedRekordBody(proposed)).toString('hex'));
  if (known !== undefined) {
    const location = { location: `/api/v1/log/entries/${known.uuid}` };
    const message = `an equivalent entry already exists in the transparency log with UUID ${known.uuid}`;
    return json(409, { code: 409, message }, location);
  }
  const entry = log.add(proposed);
  const location = { location: `/api/v1/log/entries/${entry.uuid}`, etag: entry.uuid };
  return entryAnswer(log, entry, 201, location);
}

function retrieveEntries(log: TransparencyLog, body: unknown): Answer {
  const uuids = listOf(body, 'entryUUIDs');
  const proposals = listOf(body, 'entries');
  const logIndexes = listOf(body, 'logIndexes');
  const count = uuids.length + proposals.length + logIndexes.length;
  if (count === 0) return invalid('at least one of entries, entryUUIDs, logIndexes is required');
  if (count > MAX_ENTRIES) {
    return invalid(`more than max allowed ${MAX_ENTRIES} entries in request`);
  }
  const found = uuids.map((uuid) => log.find(String(uuid)));
  for (const proposal of proposals) {
    const proposed = parseProposal(proposal);
    if ('message' in proposed) return failure(400, proposed.message);
    found.push(log.find(leafHash(hashedRekordBody(proposed)).toString('hex')));
  }
  found.push(...logIndexes.map((logIndex) => log.findByLogIndex(Number(logIndex))));
  const answers = found.filter((entry) => entry !== undefined).map((entry) => jsonOf(log, entry));
  return { status: 200, headers: JSON_TYPE, body: `[${answers.join(',')}]` };
}

function searchIndex(log: TransparencyLog, body: unknown): Answer {
  const hash = member(body, 'hash');
  if (typeof hash !== 'string' || !/^(sha256:)?[0-9a-fA-F]{64}$/.test(hash)) {
    return invalid('hash in body is malformed');
  }
  return json(200, log.index.get(hash.replace('sha256:', '').toLowerCase()) ?? []);
}

function getLog(log: TransparencyLog): Answer {
  return json(200, {
    inactiveShards: [],
    rootHash: log.tree.root().toString('hex'),
    signedTreeHead: log.checkpoint(),
    treeID: String(BigInt(`0x${log.treeId}`)),
    treeSize: log.tree.size,
  });
}

/** A proposed hashedrekord whose signature verifies, with its PEM in canonical form; else Rekor's reason for refusing it. */
function parseProposal(proposal: unknown): HashedRekord | { message: string } {
  const kind = member(proposal, 'kind');
  if (kind !== 'hashedrekord') return { message: `unsupported entry kind ${JSON.stringify(kind)}` };
  const spec = member(proposal, 'spec');
  const hash = member(member(spec, 'data'), 'hash');
  const signature = member(spec, 'signature');
  const digest = member(hash, 'value');
  const content = member(signature, 'content');
  const publicKey = member(member(signature, 'publicKey'), 'content');
  if (typeof digest !== 'string' || !/^[0-9a-fA-F]{64}$/.test(digest)) {
    return { message: 'error processing entry: invalid value for hash' };
  }
  if (typeof content !== 'string' || typeof publicKey !== 'string') {
    return { message: 'error processing entry: missing signature or public key' };
  }
  const verifier = parsePublicKey(Buffer.from(publicKey, 'base64').toString());
  if (verifier === undefined) return { message: 'error processing entry: invalid public key' };
  const proposed = {
    digest,
    signature: Buffer.from(content, 'base64'),
    certificatePem: verifier.pem,
  };
  if (!verifySignature(Buffer.from(digest, 'hex'), proposed.signature, verifier.key)) {
    const reason = 'invalid signature when validating ASN.1 encoded signature';
    return { message: `error processing entry: verifying signature: ${reason}` };
  }
  return proposed;
}

/** DigestInfo of a SHA-256 digest, without the digest (RFC 8017 §9.2). */
const SHA256_DIGEST_INFO = Buffer.from('3031300d060960864801650304020105000420', 'hex');

/** Rekor knows RSA (PKCS #1 v1.5) beside ECDSA; a signature over a digest, SHA-256. */
function verifySignature(digest: Buffer, signature: Buffer, key: KeyObject): boolean {
  if (key.asymmetricKeyType !== 'rsa') return verifyDigest(digest, signature, key);
  return publicDecrypt(key, signature).equals(Buffer.concat([SHA256_DIGEST_INFO, digest]));
}

function parsePublicKey(pem: string): { pem: string; key: KeyObject } | undefined {
  try {
    if (pem.includes('BEGIN PUBLIC KEY')) {
      const key = createPublicKey(pem);
      return { pem: key.export({ format: 'pem', type: 'spki' }).toString(), key };
    }
    const certificate = new X509Certificate(pem);
    return { pem: certificate.toString(), key: certificate.publicKey };
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

const JSON_TYPE = { 'content-type': 'application/json' };

function entryAnswer(
  log: TransparencyLog,
  entry: LogEntry,
  status = 200,
  headers: Record<string, string> = {},
): Answer {
  return { status, headers: { ...JSON_TYPE, ...headers }, body: jsonOf(log, entry) };
}

function jsonOf(log: TransparencyLog, entry: LogEntry): string {
  const answer = log.answer(entry.uuid) ?? {};
  const tampered = log.tamper?.(answer, log) ?? answer;
  return tampered instanceof RawJson ? tampered.text : JSON.stringify(tampered);
}

function whenParsed(request: ReceivedRequest, then: (body: unknown) => Answer): Answer {
  let body: unknown;
  try {
    body = JSON.parse(request.body.toString());
  } catch (error) {
    return failure(400, `parsing body body from "" failed, because ${String(error)}`);
  }
  return then(body);
}

const failure = (code: number, message: string): Answer => json(code, { code, message });
/** go-openapi's answer to a request that does not fit the schema. */
const invalid = (message: string): Answer => json(422, { code: 602, message });

const ENTRY_ID = /^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$/;
const isEntryId = (text: string): boolean => ENTRY_ID.test(text);

const member = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;

function listOf(value: unknown, name: string): unknown[] {
  const list = member(value, name);
  return Array.isArray(list) ? list : [];
}
