/** Text laid out in columns. */

/** Rows under their heads, each column as wide as it must be; columns named in `right` are set to the right. */
export function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly string[] = [],
): string[] {
  const widths = heads.map((head, column) =>
    Math.max(...[heads, ...rows].map((row) => (row[column] ?? '').length)),
  );
  return [heads, ...rows].map((row) =>
    row
      .map((cell, column) =>
        right.includes(heads[column] ?? '')
          ? cell.padStart(widths[column] ?? 0)
          : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}

/** Cuts a line that would wrap. */
export const cut = (line: string, columns: number): string =>
  line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`;
