/** What every command has in common: text or JSON. */
import { Command } from 'commander';

/** A command that also takes --json. */
export const createCommand = (name: string, summary: string): Command =>
  new Command(name).description(summary).option('--json', 'print JSON instead of text', false);

export interface OutputOptions {
  json: boolean;
}

/** Prints a value as JSON, or as the lines that tell it. */
export function print<T>({ json }: OutputOptions, value: T, render: (value: T) => readonly string[]): void {
  console.log(json ? JSON.stringify(value, undefined, 2) : render(value).join('\n'));
}
