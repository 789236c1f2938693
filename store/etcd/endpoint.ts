// The address of a member of an etcd cluster, as flannel and etcdctl take it: http://HOST:PORT or https://HOST:PORT. Pure.

export interface Endpoint {
  /** As it is shown. */
  readonly url: string;
  /** As gRPC wants it: HOST:PORT. */
  readonly target: string;
  readonly isSecure: boolean;
}

const defaultPort = '2379';

/** Undefined for what is none. Without a scheme it is http, without a port 2379; nothing may follow the port. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(withScheme)) return undefined;
  const url = new URL(withScheme);
  const isSecure = url.protocol === 'https:';
  if (!isSecure && url.protocol !== 'http:') return undefined;
  const { hostname, username, password, pathname, search, hash } = url;
  if (hostname === '' || [username, password, search, hash].some((part) => part !== '') || pathname !== '/')
    return undefined;
  // A URL leaves its scheme's own port out.
  const written = /:(\d+)\/?$/.exec(withScheme)?.[1];
  const port = url.port !== '' ? url.port : (written ?? defaultPort);
  const target = `${hostname}:${Number(port)}`;
  return { url: `${isSecure ? 'https' : 'http'}://${target}`, target, isSecure };
}
