// How a store is reached, as status answers and the log have it: by how the directory is followed, or by the servers that answer.

/** How a directory is followed, as status answers have it. */
export interface FollowStatus {
  readonly directory: string;
  readonly by: 'notify' | 'poll';
  /** A file system that machines share; null for one of this machine. */
  readonly fileSystem: string | null;
  /** Null where the kernel tells. */
  readonly pollMs: number | null;
}

/** A store behind a network. */
export interface ServerStatus {
  readonly kind: 'etcd' | 'kubernetes';
  /** As they were given, without any secret. */
  readonly servers: readonly string[];
  readonly connected: boolean;
  /** Why it is not connected. */
  readonly problem: string | null;
}

export type SourceStatus = ({ readonly kind: 'directory' } & FollowStatus) | ServerStatus;

export interface SourceSurroundings {
  /** The type of the file system that a path is on. */
  readonly mountType?: (path: string) => string | undefined;
  /** Hears how the store is reached, first and when that changes; `note` is what is worth a line in the log. */
  readonly onStatus?: (status: SourceStatus, note: string | undefined) => void;
}
