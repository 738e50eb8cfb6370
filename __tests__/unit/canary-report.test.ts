import { expect, test } from '@jest/globals';
import { findingOf, issuesFor } from '../../scripts/canary-report.js';
import { textOf } from './repository.js';

const JOB = 'verify v1.35.0 linux/amd64';
const REFUSED = {
  annotation_level: 'failure',
  title: 'setup-verified-kubectl: SIGNATURE_MISMATCH',
  message: 'kubectl: the signature is of another file',
};
const FINDING = {
  version: 'v1.35.0',
  platform: 'linux/amd64',
  title: REFUSED.title,
  message: REFUSED.message,
};

test('a refusal is a finding', () => {
  expect(findingOf(JOB, REFUSED)).toEqual(FINDING);
});

test('a publication that the log mended is a finding', () => {
  const warning = { ...REFUSED, annotation_level: 'warning', title: 'Broken publication' };
  expect(findingOf(JOB, warning)?.title).toBe('Broken publication');
});

test.each([
  ['the network', JOB, { ...REFUSED, title: 'setup-verified-kubectl: DOWNLOAD_FAILED' }],
  ['the log', JOB, { ...REFUSED, title: 'setup-verified-kubectl: LOG_UNAVAILABLE' }],
  ['the runner itself', JOB, { ...REFUSED, title: null }],
  ['another warning', JOB, { ...REFUSED, annotation_level: 'warning', title: 'Node is old' }],
  ['a title that is not a code', JOB, { ...REFUSED, title: `${REFUSED.title} @somebody` }],
  ['another job', 'Which versions are supported', REFUSED],
])('%s is none', (_what, job, annotation) => {
  expect(findingOf(job, annotation)).toBeUndefined();
});

test('the jobs of the canary have the names that are read here', () => {
  const name = 'verify ${{ matrix.version }} ${{ matrix.os }}/${{ matrix.arch }}';
  const text = textOf('.github/workflows/canary.yml');
  expect(text).toContain(`name: ${name}\n`);
  expect(text).toContain('name: Which versions are supported\n');
});

test('each version gets one issue, with its platforms', () => {
  const other = { ...FINDING, platform: 'linux/arm64' };
  const issues = issuesFor([FINDING, other, { ...FINDING, version: 'v1.34.1' }]);

  expect(issues.map(({ title }) => title)).toEqual([
    'Broken publication: Kubernetes v1.35.0',
    'Broken publication: Kubernetes v1.34.1',
  ]);
  expect(issues[0]?.body).toContain('`linux/amd64`');
  expect(issues[0]?.body).toContain('`linux/arm64`');
});

test('what an annotation says is shown as code, whatever it says', () => {
  const [issue] = issuesFor([{ ...FINDING, message: '@somebody\n```\n# Heading' }]);
  const lines = issue?.body.split('\n') ?? [];

  expect(lines).toEqual(
    expect.arrayContaining(['      @somebody', '      ```', '      # Heading']),
  );
});
