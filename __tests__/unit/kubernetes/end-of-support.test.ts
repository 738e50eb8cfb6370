import { describe, expect, test } from '@jest/globals';
import { RELEASE_DATES } from '../../../src/kubernetes/release-dates.js';
import { describeEndedSupport, endOfSupport } from '../../../src/kubernetes/end-of-support.js';

const day = (text: string): Date => new Date(`${text}T00:00:00Z`);

/**
 * What Kubernetes planned itself: endOfLifeDate of kubernetes/website, data/releases/schedule.yaml
 * and eol.yaml. From 1.27 on, eol.yaml holds the day of the last patch in place of the planned day.
 */
const PLANNED: readonly (readonly [minor: number, date: string])[] = [
  [19, '2021-10-28'],
  [20, '2022-02-28'],
  [21, '2022-06-28'],
  [23, '2023-02-28'],
  [24, '2023-07-28'],
  [25, '2023-10-28'],
  [26, '2024-02-28'],
  [27, '2024-06-28'],
  [29, '2025-02-28'],
];

test.each(PLANNED)('support for 1.%i ends as Kubernetes planned', (minor, date) => {
  expect(endOfSupport(minor)).toEqual(day(date));
});

describe('a notice', () => {
  test('is there from that day on, with the date', () => {
    expect(describeEndedSupport(31, day('2025-10-28'))).toContain(
      'Kubernetes ended support for 1.31 on 2025-10-28',
    );
  });

  test('is not there a moment earlier', () => {
    const before = new Date(day('2025-10-28').getTime() - 1);
    expect(describeEndedSupport(31, before)).toBeUndefined();
  });

  test('is not there for a minor that is newer than the table', () => {
    const newest = Math.max(...RELEASE_DATES.map(([minor]) => minor));
    expect(describeEndedSupport(newest, day('2999-01-01'))).toBeDefined();
    expect(describeEndedSupport(newest + 1, day('2999-01-01'))).toBeUndefined();
  });

  test('says of a minor that is older than the table before when', () => {
    expect(describeEndedSupport(18, day('2025-01-01'))).toContain(
      'Kubernetes ended support for 1.18 before 2021-10-28',
    );
  });
});

describe('the table', () => {
  test('has every minor from the first to the last, with dates that grow', () => {
    const first = RELEASE_DATES[0]?.[0] ?? 0;
    expect(RELEASE_DATES.map(([minor]) => minor)).toEqual(RELEASE_DATES.map((_, at) => first + at));
    const dates = RELEASE_DATES.map(([, date]) => date);
    expect(dates).toEqual([...dates].sort());
    expect(new Set(dates).size).toBe(dates.length);
  });

  test('begins with the first minor that has fourteen months of support', () => {
    expect(RELEASE_DATES[0]).toEqual([19, '2020-08-26']);
  });

  test.each(RELEASE_DATES)('1.%i: %s is a day', (_, date) => {
    expect(day(date).toISOString().slice(0, 10)).toBe(date);
  });
});
