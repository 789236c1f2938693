// Shows the steps of long work: to a person one line that moves while it runs, elsewhere a plain line when it is done.
import type { Terminal } from './terminal.ts';

export interface Progress {
  /** Runs `action` and shows it under `title`, with the time that it took. */
  step<T>(title: string, action: () => Promise<T>): Promise<T>;
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const frameTime = 80;

export function terminalProgress(terminal: Terminal): Progress {
  return {
    async step(title, action) {
      const started = performance.now();
      let frame = 0;
      const draw = (): void => terminal.redraw(`${frames[frame++ % frames.length]} ${title} …`);
      draw();
      const timer = setInterval(draw, frameTime);
      const finish = (mark: string): void => {
        clearInterval(timer);
        terminal.note(`${mark} ${title} ${terminal.style.dim(`(${seconds(performance.now() - started)})`)}`);
      };
      try {
        const result = await action();
        finish(terminal.style.good('✓'));
        return result;
      } catch (error) {
        finish(terminal.style.bad('✗'));
        throw error;
      }
    },
  };
}

/** Shows nothing: for `--json`. */
export const silentProgress: Progress = { step: (_, action) => action() };

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
