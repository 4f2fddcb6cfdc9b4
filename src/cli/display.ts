/** Where progress is shown: drawn again and again on a terminal, a line for each change elsewhere, or as JSON. */
import { cursorTo, moveCursor, clearScreenDown } from 'node:readline';
import type { WriteStream } from 'node:tty';
import type { Progress } from '../core/progress.ts';
import { describeChanges, renderProgress } from './render-progress.ts';

const DEFAULT_COLUMNS = 100;
const DEFAULT_ROWS = 24;

export interface Display {
  show(progress: Progress): void;
  /** A line that stays, above what is drawn. */
  say(line: string): void;
  /** A line while there is no news, taken away by the next progress. */
  note(line: string): void;
}

export function createDisplay({ json }: { json: boolean }): Display {
  if (json) return new JsonDisplay();
  return process.stdout.isTTY ? new LiveDisplay(process.stdout) : new LineDisplay();
}

/** Draws over what it drew before. */
class LiveDisplay implements Display {
  readonly #terminal: WriteStream;
  #drawn: readonly string[] = [];

  constructor(terminal: WriteStream) {
    this.#terminal = terminal;
  }

  show(progress: Progress): void {
    // One column is left free: some terminals wrap a line that fills the last one.
    const columns = (this.#terminal.columns || DEFAULT_COLUMNS) - 1;
    const lines = renderProgress(progress, { columns, now: new Date() });
    // What has scrolled out of the window cannot be drawn over.
    this.#draw(lines.slice(0, (this.#terminal.rows || DEFAULT_ROWS) - 1));
  }

  say(line: string): void {
    const drawn = this.#drawn;
    this.#draw([line]);
    this.#drawn = [];
    this.#draw(drawn);
  }

  note(line: string): void {
    this.#draw([...this.#drawn.filter((drawn) => drawn !== line), line]);
  }

  #draw(lines: readonly string[]): void {
    moveCursor(this.#terminal, 0, -this.#drawn.length);
    cursorTo(this.#terminal, 0);
    clearScreenDown(this.#terminal);
    this.#terminal.write(lines.map((line) => `${line}\n`).join(''));
    this.#drawn = lines;
  }
}

class LineDisplay implements Display {
  #before: Progress | undefined;
  #note: string | undefined;

  show(progress: Progress): void {
    for (const line of describeChanges(this.#before, progress)) this.say(line);
    this.#before = progress;
    this.#note = undefined;
  }

  say(line: string): void {
    console.log(`${new Date().toISOString().slice(11, 19)}  ${line}`);
  }

  note(line: string): void {
    if (line !== this.#note) this.say(line);
    this.#note = line;
  }
}

/** A line of JSON for each progress that differs from the one before; nothing else on stdout. */
class JsonDisplay implements Display {
  #before = '';

  show(progress: Progress): void {
    const line = JSON.stringify(progress);
    if (line !== this.#before) console.log(line);
    this.#before = line;
  }

  say(line: string): void {
    console.error(line);
  }

  note(line: string): void {
    console.error(line);
  }
}
