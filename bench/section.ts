/** A part of the benchmark. */
export interface Section {
  /** For machines. */
  figures: unknown;
  /** The same for people. */
  lines: string[];
}

export const rounded = (number: number, digits = 1): string => number.toFixed(digits);

/** The one in the middle; of an even number the lower of the two. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length / 2) - 1] ?? NaN;
}
