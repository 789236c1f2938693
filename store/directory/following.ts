// How a directory is followed: by what the kernel tells of it, or by looking at it again and again, because other machines write to
// it. Only the choice; who follows are directory-watch.ts and service-directory.ts.
import type { FollowStatus, SourceSurroundings } from '../source-status.ts';
import { type SharedFileSystemOptions, sharedFileSystem } from './shared-file-system.ts';

/** `auto`: polling where the file system is one that machines share. */
export const directoryWatchChoices = ['auto', 'notify', 'poll'] as const;

export interface FollowOptions extends SharedFileSystemOptions {
  readonly watch?: (typeof directoryWatchChoices)[number];
  /** Milliseconds from one look to the next, where it is polled. */
  readonly pollMs?: number;
  /** Hears how it is done, first and when that changes: something may be mounted there later. */
  readonly onFollow?: (following: Following) => void;
}

export interface Following {
  readonly by: 'notify' | 'poll';
  /** The name of a file system that machines share; undefined for one of this machine. */
  readonly fileSystem: string | undefined;
  /** Milliseconds. */
  readonly pollMs: number;
}

/** From the end of one look to the next, in times of what it took: a slow file system is not asked all the time. */
const leastPause = 10;

/** Asks the file system anew each time it is told to, and says when the answer is another one. */
export class Follow {
  readonly #directory: string;
  readonly #watch: NonNullable<FollowOptions['watch']>;
  readonly #onFollow: NonNullable<FollowOptions['onFollow']>;
  readonly #mountType: FollowOptions['mountType'];
  #now: Following;
  #isTold = false;

  constructor(directory: string, options: FollowOptions = {}) {
    const { watch = 'auto', pollMs = 1000, onFollow = () => {}, mountType } = options;
    this.#mountType = mountType;
    this.#directory = directory;
    this.#watch = watch;
    this.#onFollow = onFollow;
    this.#now = { by: watch === 'poll' ? 'poll' : 'notify', fileSystem: undefined, pollMs };
  }

  get isPolling(): boolean {
    return this.#now.by === 'poll';
  }

  /** Looks where the directory is. */
  update(): void {
    const fileSystem = sharedFileSystem(this.#directory, { mountType: this.#mountType });
    const auto = fileSystem === undefined ? 'notify' : 'poll';
    const by = this.#watch === 'auto' ? auto : this.#watch;
    if (this.#isTold && by === this.#now.by && fileSystem === this.#now.fileSystem) return;
    this.#isTold = true;
    this.#now = { ...this.#now, by, fileSystem };
    this.#onFollow(this.#now);
  }

  /** From the end of a look at everything, which took so long, to the next one. */
  pauseAfter(tookMs: number): number {
    return Math.max(this.#now.pollMs, tookMs * leastPause);
  }
}

function followStatus(directory: string, { by, fileSystem, pollMs }: Following): FollowStatus {
  return { directory, by, fileSystem: fileSystem ?? null, pollMs: by === 'poll' ? pollMs : null };
}

/** What is worth a line in the log, once; undefined where all is as usual. */
export function followingNote(directory: string, { by, fileSystem, pollMs }: Following): string | undefined {
  if (by === 'notify' && fileSystem === undefined) return undefined;
  if (by === 'notify')
    return `"${directory}" is on ${fileSystem}, which does not tell what other machines write: that is seen at the next full look only`;
  const why =
    fileSystem === undefined
      ? ''
      : ` is on ${fileSystem}, which does not tell what other machines write, and`;
  return `"${directory}"${why} is looked at every ${pollMs} ms`;
}

/** What a directory store is told of its surroundings. */
export function followOptions(
  directory: string,
  { mountType, onStatus }: SourceSurroundings,
): Pick<FollowOptions, 'mountType' | 'onFollow'> {
  return {
    ...(mountType === undefined ? {} : { mountType }),
    onFollow(following) {
      const status = { kind: 'directory', ...followStatus(directory, following) } as const;
      onStatus?.(status, followingNote(directory, following));
    },
  };
}
