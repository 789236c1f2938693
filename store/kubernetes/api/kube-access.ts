// Where an API server is and what one shows it: only the shape. Credentials are read anew for each request, because they rotate: a
// token in a file lives for an hour, certificates for a year.
import type { Agent } from 'node:http';

export interface KubeCredentials {
  /** Never logged, never in an error. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: {
    readonly ca?: string | Buffer;
    readonly cert?: string | Buffer;
    readonly key?: string | Buffer;
    readonly rejectUnauthorized?: boolean;
    readonly servername?: string;
  };
  /** Goes through a proxy, with TLS of its own. */
  readonly agent?: Agent;
}

export interface KubeAccess {
  /** Without a slash at its end, without user and password. */
  readonly server: string;
  /** Rejects with StoreError. */
  credentials(): Promise<KubeCredentials>;
  /** The server refused them: whatever is kept of them is stale. */
  refused(): void;
}
