// Where a command writes: results on standard output, progress and complaints on standard error. Colours and redrawn lines
// are for a person's terminal only.
export interface Terminal {
  /** One line of the result. */
  print(line: string): void;
  /** One line beside the result. */
  note(line: string): void;
  /** Replaces the last line that was drawn this way; does nothing where no person looks. */
  redraw(line: string): void;
  /** Standard error is a person's terminal. */
  readonly watched: boolean;
  /** How wide standard output is; 100 when it is no terminal. */
  readonly columns: number;
  readonly style: Style;
}

export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
}

interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface TerminalOptions {
  readonly stdout: Stream;
  readonly stderr: Stream;
  /** The NO_COLOR convention (no-color.org). */
  readonly noColor: boolean;
}

const eraseLine = '\r\u001b[2K';

export function openTerminal({ stdout, stderr, noColor }: TerminalOptions): Terminal {
  const watched = stderr.isTTY === true;
  let drawn = false;
  const clear = (): void => {
    if (drawn) stderr.write(eraseLine);
    drawn = false;
  };
  return {
    print(line) {
      clear();
      stdout.write(`${line}\n`);
    },
    note(line) {
      clear();
      stderr.write(`${line}\n`);
    },
    redraw(line) {
      if (!watched) return;
      clear();
      stderr.write(line);
      drawn = true;
    },
    watched,
    columns: stdout.columns ?? 100,
    style: styleFor(stdout.isTTY === true && !noColor),
  };
}

/** Select Graphic Rendition codes of ECMA-48. */
function styleFor(colours: boolean): Style {
  const paint = (on: number, off: number) => (text: string) =>
    colours ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  return { bold: paint(1, 22), dim: paint(2, 22), good: paint(32, 39), bad: paint(31, 39) };
}
