/** A part of the benchmark. */
export interface Section {
  /** For machines. */
  figures: unknown;
  /** The same for people. */
  lines: string[];
}

export const rounded = (number: number, digits = 1): string => number.toFixed(digits);

/** The smallest of the numbers that a share of them, 0 to 1, does not exceed. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}
