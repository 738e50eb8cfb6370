import { RELEASE_DATES } from './release-dates.js';

/** Twelve months of support and two of maintenance. */
const MONTHS_OF_SUPPORT = 14;

/** Kubernetes ends support on the 28th, a day that every month has. */
const DAY_OF_MONTH = 28;

/**
 * When Kubernetes' support for a minor ends, as planned: on the 28th of the fourteenth month after
 * its .0 (https://kubernetes.io/releases/patch-releases/#support-period).
 *
 * @returns midnight UTC; undefined for a minor that is not in the table of release dates
 */
export function endOfSupport(minor: number): Date | undefined {
  const released = RELEASE_DATES.find(([listed]) => listed === minor)?.[1];
  if (released === undefined) {
    return undefined;
  }
  const date = new Date(`${released}T00:00:00Z`);
  return new Date(
    Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + MONTHS_OF_SUPPORT, DAY_OF_MONTH),
  );
}

/**
 * A sentence about a minor that Kubernetes no longer supports.
 *
 * @returns undefined for one that is still supported, and for one that is newer than the table
 */
export function describeEndedSupport(minor: number, now: Date): string | undefined {
  const first = RELEASE_DATES[0]?.[0] ?? 0;
  const end = endOfSupport(Math.max(minor, first));
  if (end === undefined || now < end) {
    return undefined;
  }
  const day = end.toISOString().slice(0, 10);
  return `Kubernetes ended support for 1.${String(minor)} ${minor < first ? 'before' : 'on'} ${day}. It no longer publishes security fixes for that version, although your provider may. See https://kubernetes.io/releases/.`;
}
