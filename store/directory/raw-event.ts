// The raw events of chokidar: inotify's own. They come first, and none is lost: chokidar has no word for a file that becomes a folder
// at once, and keeps back a second change within 50 ms.
import { join } from 'node:path';

/** Which path an event is about. Its types leave `details` open; without a folder in them it is about `directory`'s. */
export function pathOfRawEvent(
  name: string | null | undefined,
  { details, directory }: { readonly details: unknown; readonly directory: string },
): string {
  return join(watchedPathOf(details) ?? directory, name ?? '');
}

function watchedPathOf(details: unknown): string | undefined {
  if (typeof details !== 'object' || details === null || !('watchedPath' in details)) return undefined;
  return typeof details.watchedPath === 'string' ? details.watchedPath : undefined;
}
