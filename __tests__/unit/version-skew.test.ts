// docs/version-skew.md and README.md say what the code does.
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import {
  ACCEPTED_CLUSTER_VERSIONS,
  parseClusterVersion,
} from '../../src/kubernetes/cluster-version.js';
import { TOOLS } from '../../src/kubernetes/platform.js';
import { SKEW_POLICY } from '../../src/kubernetes/skew.js';
import { textOf } from './repository.js';

const DOCUMENT = textOf('docs/version-skew.md');

function rowsBetween(text: string, marker: string): string[][] {
  const [, inside = ''] =
    new RegExp(`<!-- ${marker} -->\n(.*)<!-- /${marker} -->`, 's').exec(text) ?? [];
  return inside
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** What the table must say, from the policy that the action checks by. */
const EXPECTED = Object.entries(SKEW_POLICY)
  .sort(([, one], [, other]) => Number(one === undefined) - Number(other === undefined))
  .map(([tool, rule]) => {
    if (rule === undefined) return [`\`${tool}\``, 'any', 'any', ''];
    const { older, newer, before, words } = rule;
    const exception =
      before === undefined ? '' : `, ${String(before.older)} below 1.${String(before.minor)}`;
    return [`\`${tool}\``, `${String(older)}${exception}`, String(newer), words];
  });

test('the table in docs/version-skew.md is the policy', () => {
  expect(rowsBetween(DOCUMENT, 'skew-policy')).toEqual(EXPECTED);
});

test('the five without a rule are the last five', () => {
  expect(EXPECTED.filter(([, older]) => older === 'any')).toHaveLength(5);
  expect(EXPECTED).toHaveLength(TOOLS.length);
});

test('the sources are linked', () => {
  for (const rule of Object.values(SKEW_POLICY)) {
    if (rule !== undefined) expect(DOCUMENT).toContain(`](${rule.source})`);
  }
});

describe('every version that is given as an example is one', () => {
  const { inputs } = parse(textOf('action.yml')) as {
    inputs: Record<string, { description: string }>;
  };
  const ofAction = inputs['cluster-version']?.description ?? '';
  const [, ofDocument = ''] = /^- What an API server reports: (.*?)\. Only/m.exec(DOCUMENT) ?? [];
  const [, ofError = ''] = /\((.*?)\)/.exec(ACCEPTED_CLUSTER_VERSIONS) ?? [];
  const examples = [
    ...[...ofAction.matchAll(/`(v?1\.[^`]+)`/g), ...ofDocument.matchAll(/`([^`]+)`/g)].flatMap(
      ([, example]) => example ?? [],
    ),
    ...ofError.split(', '),
  ];

  test('there are some of each', () => {
    expect(examples.length).toBeGreaterThan(10);
  });

  test.each([...new Set(examples)])('%s', (example) => {
    expect(parseClusterVersion(example)).toBeDefined();
  });
});
