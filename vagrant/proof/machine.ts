// One machine as the proof sees it: an ssh session with a worker in it, that answers orders. The session's end is the worker's.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { z } from 'zod';
import { type Answer, type OrderText, parseAnswer } from './orders.ts';

export interface Machine {
  readonly name: string;
  /** Rejects with what the worker says went wrong, and when the session ends before the answer. */
  order<T>(order: OrderText, answer: z.ZodType<T>): Promise<T>;
  /** Resolves when the worker has taken away what it made. */
  close(): Promise<void>;
}

export interface MachineOptions {
  readonly name: string;
  /** As `vagrant ssh-config` prints it. */
  readonly sshConfig: string;
  /** The same path inside and outside. */
  readonly checkout: string;
}

export function openMachine({ name, sshConfig, checkout }: MachineOptions): Machine {
  const quoted = `'${checkout.replaceAll("'", "'\\''")}'`;
  const command = `exec sudo ${quoted}/vagrant/worker`;
  const child = spawn('ssh', ['-F', sshConfig, '-T', name, command], { stdio: ['pipe', 'pipe', 'pipe'] });
  const waiting = new Map<number, (answer: Answer) => void>();
  let last = 0;
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-2000);
  });
  child.stdin.on('error', () => undefined);
  createInterface({ input: child.stdout }).on('line', (line) => {
    const answer = parseAnswer(line);
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', resolve);
  });
  let over = false;
  void ended.then(() => {
    over = true;
    const error = `the session with ${name} has ended: ${said.trim()}`;
    for (const [id, settle] of waiting) settle({ id, error });
    waiting.clear();
  });
  return {
    name,
    async order(order, shape) {
      if (over) throw new Error(`Cannot ask ${name}: the session has ended: ${said.trim()}`);
      const id = ++last;
      const answer = await new Promise<Answer>((resolve) => {
        waiting.set(id, resolve);
        child.stdin.write(`${JSON.stringify({ id, order })}\n`);
      });
      if (answer.error !== undefined) throw new Error(answer.error);
      return shape.parse(answer.result);
    },
    async close() {
      child.stdin.end();
      if ((await ended) !== 0) throw new Error(`Cannot tidy up on ${name}: ${said.trim() || 'ssh failed'}`);
    },
  };
}
