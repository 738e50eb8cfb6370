/**
 * When each minor's first release appeared, oldest first: [minor, date of 1.<minor>.0].
 *
 * Source: kubernetes/sig-release, releases/release-1.<minor>/README.md. New rows are appended by
 * scripts/release-dates.js, which takes the date of the tag's release on GitHub.
 *
 * Begins with 1.19, the first minor with fourteen months of support (KEP 1498).
 */
export const RELEASE_DATES: readonly (readonly [minor: number, date: string])[] = [
  [19, '2020-08-26'],
  [20, '2020-12-08'],
  [21, '2021-04-08'],
  [22, '2021-08-04'],
  [23, '2021-12-07'],
  [24, '2022-05-03'],
  [25, '2022-08-23'],
  [26, '2022-12-09'],
  [27, '2023-04-11'],
  [28, '2023-08-15'],
  [29, '2023-12-13'],
  [30, '2024-04-17'],
  [31, '2024-08-13'],
  [32, '2024-12-11'],
  [33, '2025-04-23'],
  [34, '2025-08-27'],
  [35, '2025-12-17'],
  [36, '2026-04-22'],
];
