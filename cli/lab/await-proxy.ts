// Asks a node's proxy how it is, through its unix socket, and waits until it has programmed what is there.
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '../../runtime/error-text.ts';
import { unixRequest } from '../../runtime/unix-request.ts';
import { type ProxyStatus, proxyStatusShape } from '../proxy-status-text.ts';

/** Throws UnixRequestError when nobody answers. */
export async function proxyOf(socketPath: string, signal: AbortSignal): Promise<ProxyStatus> {
  const { body } = await unixRequest({ socketPath, path: '/status', timeoutMs: 2000, signal });
  return proxyStatusShape.parse(body);
}

/** Resolves when the proxy is ready. Throws Error that says what was missing at last, or that its process ended. */
export async function awaitProxy(options: {
  readonly socketPath: string;
  /** Milliseconds. */
  readonly timeout: number;
  readonly alive: () => boolean;
  readonly signal: AbortSignal;
}): Promise<void> {
  const deadline = performance.now() + options.timeout;
  let last = 'it did not answer';
  while (performance.now() < deadline) {
    if (!options.alive()) throw new Error('it ended');
    try {
      const { ready, blockers } = await proxyOf(options.socketPath, options.signal);
      if (ready) return;
      last = blockers.join('; ');
    } catch (error) {
      options.signal.throwIfAborted();
      last = errorMessage(error);
    }
    await sleep(20, undefined, { signal: options.signal });
  }
  throw new Error(`the proxy is not ready after ${options.timeout / 1000} s: ${last}`);
}
