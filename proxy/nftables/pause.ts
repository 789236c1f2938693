// Gives way to other work of the process between two slices of a long one. Throws the signal's reason once it aborts.
import { setImmediate } from 'node:timers/promises';

export async function pause(signal: AbortSignal): Promise<void> {
  await setImmediate();
  signal.throwIfAborted();
}
