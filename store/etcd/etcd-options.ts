// What is said of an etcd cluster: where its members are, and how they and we prove who we are. Only the shape; settings become it in
// store-settings.ts.

/** Paths of PEM files. Without a CA the system's are believed. */
export interface EtcdTlsFiles {
  readonly ca?: string | undefined;
  /** Both or none. */
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
}

export interface EtcdUser {
  readonly name: string;
  /** The password, or the file that it is the first line of. Never shown. */
  readonly password: { readonly text: string } | { readonly file: string };
}

export interface EtcdOptions {
  /** At least one, as `https://etcd-1:2379`; see `parseEndpoint`. */
  readonly endpoints: readonly string[];
  readonly tls?: EtcdTlsFiles | undefined;
  readonly user?: EtcdUser | undefined;
  /** Milliseconds that one request to one member may take. */
  readonly timeoutMs?: number;
}
