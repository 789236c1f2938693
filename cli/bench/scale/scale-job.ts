// What the benchmark and its reader processes tell each other, a line of JSON a message, over a unix socket. Only the shapes.
import type { LeaseStoreChoice } from '../../../store/open-lease-store.ts';
import type { ServiceSourceChoice } from '../../../store/open-service-source.ts';

/** What a reader is to do. */
export type ScaleJob =
  /** Follows leases, and does no more with them. */
  | { readonly kind: 'leases'; readonly store: LeaseStoreChoice }
  /** A whole agent, that programs the namespace. */
  | {
      readonly kind: 'agent';
      readonly store: LeaseStoreChoice;
      /** Path of its namespace. */
      readonly netns: string;
      readonly directory: string;
    }
  /** Follows services, and keeps their ports as the proxy does. */
  | { readonly kind: 'services'; readonly source: ServiceSourceChoice }
  /** Many stores in one process, each with its own connections. */
  | { readonly kind: 'crowd'; readonly store: LeaseStoreChoice; readonly clients: number };

/** What a job does with requests; its own news goes by itself. */
export interface RunningJob extends AsyncDisposable {
  acquire?(): Promise<void>;
  renew?(): Promise<void>;
}

export type ScaleRequest =
  | { readonly ask: 'usage' }
  | { readonly ask: 'acquire' }
  | { readonly ask: 'renew' };

/** Times are milliseconds of the machine's monotonic clock, which all processes share. */
export type ScaleNews =
  | { readonly news: 'began'; readonly at: number }
  /** A snapshot of leases. */
  | { readonly news: 'leases'; readonly at: number; readonly leases: number; readonly problems: number }
  /** A pass of the agent. */
  | {
      readonly news: 'pass';
      readonly at: number;
      readonly peers: number;
      readonly ready: boolean;
      readonly steps: number;
    }
  /** A batch of services, and when the ports that follow from it were known. */
  | {
      readonly news: 'services';
      readonly at: number;
      readonly trackedAt: number;
      readonly services: number;
      readonly slices: number;
    }
  /** How many of the crowd hear their store, at each change of that. */
  | { readonly news: 'crowd'; readonly at: number; readonly connected: number }
  /** Connections that the crowd tried to make since the last of these. */
  | { readonly news: 'attempts'; readonly at: number; readonly count: number };

export interface Usage {
  /** Milliseconds of processor time since the process began. */
  readonly cpu: number;
  /** Bytes. */
  readonly resident: number;
  /** The most that was ever resident. */
  readonly peak: number;
}

export type ScaleMessage =
  | ScaleNews
  | { readonly answer: 'usage'; readonly usage: Usage }
  | { readonly answer: 'done' }
  | { readonly failed: string };

export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
