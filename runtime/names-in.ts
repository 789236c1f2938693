// The names in a directory that may not have been made yet.
import { readdirSync } from 'node:fs';
import { errorCode } from './error-text.ts';

/** Sorted by their UTF-16 units; none when there is no such directory. Throws Node's error for anything else. */
export function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
