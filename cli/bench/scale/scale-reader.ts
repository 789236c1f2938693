// The benchmark's end of a reader: starts its process, hears its news, asks it for what it costs, and ends it.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning, type ProcessIdentity, startDaemon, stopProcesses } from '../../../kernel/process.ts';
import { programFile } from '../../../runtime/package-files.ts';
import { readMessages, sendMessage } from './message-lines.ts';
import type { ScaleJob, ScaleMessage, ScaleNews, ScaleRequest, Usage } from './scale-job.ts';

/** Milliseconds until what does not come is given up. */
const patience = 180_000;
const startPatience = 30_000;
const lastWords = 500;

export class ScaleReader implements AsyncDisposable {
  readonly #directory: string;
  readonly #process: ProcessIdentity;
  readonly #socket: Socket;
  readonly #listeners = new Set<(news: ScaleNews) => void>();
  #answered: ((message: ScaleMessage) => void) | undefined;
  #failed: Error | undefined;
  readonly #onFailure = new Set<(error: Error) => void>();
  /** When it began to read. */
  beganAt = Number.NaN;

  private constructor(fields: {
    readonly directory: string;
    readonly process: ProcessIdentity;
    readonly socket: Socket;
  }) {
    this.#directory = fields.directory;
    this.#process = fields.process;
    this.#socket = fields.socket;
  }

  /** `listen` hears all news, from the first on. */
  static async start(job: ScaleJob, listen: (news: ScaleNews) => void = () => {}): Promise<ScaleReader> {
    const directory = mkdtempSync(join(tmpdir(), 'netloom-bench-'));
    const path = join(directory, 'control');
    const logFile = join(directory, 'log');
    const server = createServer().listen(path);
    await once(server, 'listening');
    try {
      const process_ = await startDaemon(
        // As scripts/netloom starts a daemon.
        [process.execPath, '--max-semi-space-size=1', programFile('cli/bench/scale/main'), path],
        { logFile },
      );
      const connected = once(server, 'connection', { signal: AbortSignal.timeout(startPatience) });
      const [socket] = await connected.catch(() => {
        throw new Error(`The reader did not start: ${readFileSync(logFile, 'utf8').slice(-lastWords)}`);
      });
      const reader = new ScaleReader({ directory, process: process_, socket });
      reader.#listeners.add(listen);
      const began = reader.next((news) => news.news === 'began');
      readMessages<ScaleMessage>(socket, (message) => reader.#take(message));
      socket.on('error', () => {});
      socket.on('close', () => reader.#fail(new Error(`The reader has ended: ${reader.#log()}`)));
      sendMessage(socket, job);
      reader.beganAt = (await began).at;
      return reader;
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    } finally {
      server.close();
    }
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** The next news of which `hoped` is true. Ask for it before that can happen. */
  next(hoped: (news: ScaleNews) => boolean, within = patience): Promise<ScaleNews> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    const { promise, resolve, reject } = Promise.withResolvers<ScaleNews>();
    const listener = (news: ScaleNews): void => {
      if (!hoped(news)) return;
      stop();
      resolve(news);
    };
    const fail = (error: Error): void => {
      stop();
      reject(error);
    };
    const timer = setTimeout(() => fail(new Error('The reader did not get there in time')), within);
    const stop = (): void => {
      clearTimeout(timer);
      this.#listeners.delete(listener);
      this.#onFailure.delete(fail);
    };
    this.#listeners.add(listener);
    this.#onFailure.add(fail);
    return promise;
  }

  /** Hears all news until the answer is called. */
  listen(listener: (news: ScaleNews) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async usage(): Promise<Usage> {
    const message = await this.#ask({ ask: 'usage' });
    if (!('answer' in message) || message.answer !== 'usage')
      throw new Error('The reader did not tell what it costs');
    return message.usage;
  }

  async acquire(): Promise<void> {
    await this.#ask({ ask: 'acquire' });
  }

  async renew(): Promise<void> {
    await this.#ask({ ask: 'renew' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.removeAllListeners('close');
    this.#socket.end();
    const deadline = performance.now() + 5000;
    while (isRunning(this.#process) && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 10));
    await stopProcesses([this.#process], { grace: 1000 });
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #ask(request: ScaleRequest): Promise<ScaleMessage> {
    if (this.#failed !== undefined) throw this.#failed;
    const { promise, resolve, reject } = Promise.withResolvers<ScaleMessage>();
    this.#answered = resolve;
    this.#onFailure.add(reject);
    sendMessage(this.#socket, request);
    const message = await promise.finally(() => this.#onFailure.delete(reject));
    if ('failed' in message) throw new Error(`The reader could not do it: ${message.failed}`);
    return message;
  }

  #take(message: ScaleMessage): void {
    if ('news' in message) {
      for (const listener of [...this.#listeners]) listener(message);
      return;
    }
    const answered = this.#answered;
    this.#answered = undefined;
    if (answered !== undefined) answered(message);
    else if ('failed' in message) this.#fail(new Error(`The reader failed: ${message.failed}`));
  }

  #fail(error: Error): void {
    this.#failed ??= error;
    for (const told of [...this.#onFailure]) told(this.#failed);
  }

  #log(): string {
    return readFileSync(join(this.#directory, 'log'), 'utf8').slice(-lastWords);
  }
}
