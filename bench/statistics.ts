/** The middle of those figures that are known; the lower one of two. */
export function median(figures: readonly (number | undefined)[]): number {
  const sorted = figures.filter((figure) => figure !== undefined).sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
}

/** `12 (10 to 15)`: median, least and greatest. */
export function range(figures: readonly (number | undefined)[], digits = 0): string {
  const known = figures.filter((figure) => figure !== undefined);
  if (known.length === 0) return '–';
  const [low, middle, high] = [Math.min(...known), median(known), Math.max(...known)];
  return `${middle.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;
}

/** Figure by figure, each with the one that was measured right beside it. */
export function ratios(
  figures: readonly (number | undefined)[],
  others: readonly (number | undefined)[],
): (number | undefined)[] {
  return figures.map((figure, index) => {
    const other = others[index];
    return figure === undefined || other === undefined ? undefined : figure / other;
  });
}

/** A table in Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return lines.join('\n');
}
