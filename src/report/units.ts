/** @param bytes shown in decimal megabytes, with one digit after the point */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** @param milliseconds shown in seconds, with two digits after the point */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}
