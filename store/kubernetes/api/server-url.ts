// The address of an API server, from a kubeconfig or a flag.
import { StoreError } from '../../store-error.ts';

/** The address of a server as requests begin. Throws StoreError `invalid`; user and password in it are refused, not shown. */
export function serverUrl(text: string, object: string): string {
  const fail = (message: string) =>
    new StoreError(`Cannot use the server of "${object}"`, {
      code: 'invalid',
      object,
      problems: [{ field: 'server', message }],
    });
  if (!URL.canParse(text)) throw fail('want a URL such as https://192.0.2.1:6443');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') throw fail('has a user or a password in it');
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw fail(`want https:// or http://, not ${url.protocol}//`);
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}
