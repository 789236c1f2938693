import { expect, test } from '@jest/globals';
import { terminalProgress } from './progress.ts';
import { openTerminal } from './terminal.ts';

function record(isTTY: boolean) {
  const written: string[] = [];
  const stream = { isTTY, write: (text: string) => written.push(text) };
  return { written, terminal: openTerminal({ stdout: stream, stderr: stream, noColor: true }) };
}

const withoutTime = (text: string): string => text.replace(/\(\d+\.\d s\)/, '(T)');

test('plain lines where nobody watches, one for each step', async () => {
  const { written, terminal } = record(false);
  const progress = terminalProgress(terminal);
  expect(await progress.step('Working', async () => 7)).toBe(7);
  await expect(progress.step('Failing', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(written.map(withoutTime)).toEqual(['✓ Working (T)\n', '✗ Failing (T)\n']);
});

test('a person sees the step while it runs, and only its end afterwards', async () => {
  const { written, terminal } = record(true);
  await terminalProgress(terminal).step('Working', async () => undefined);
  expect(written.map(withoutTime)).toEqual(['⠋ Working …', '\r\u001b[2K', '✓ Working (T)\n']);
});
