// Reads what proves who we are to etcd: the files of TLS and of the password. What cannot be read or used is named, never shown.
import { readFileSync } from 'node:fs';
import { type ChannelCredentials, credentials } from '@grpc/grpc-js';
import { errorCode } from '../../runtime/error-text.ts';
import { StoreError } from '../store-error.ts';
import type { Endpoint } from './endpoint.ts';
import { callFault } from './etcd-error.ts';
import type { EtcdTlsFiles, EtcdUser } from './etcd-options.ts';

/** Throws StoreError `invalid` for files that cannot be read or used. */
export function credentialsOf(
  { isSecure }: Endpoint,
  { ca, certificate, key }: EtcdTlsFiles,
): ChannelCredentials {
  if (!isSecure) return credentials.createInsecure();
  const read = (what: string, path: string | undefined) =>
    path === undefined ? null : readSecretFile(what, path);
  try {
    return credentials.createSsl(
      read('CA certificates', ca),
      read('private key', key),
      read('certificate', certificate),
    );
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    // What is wrong with a key must not be told with parts of it; OpenSSL names only the kind of fault.
    const paths = [ca, certificate, key].filter((path) => path !== undefined).join('", "');
    const { details } = callFault(cause);
    throw new StoreError(`Cannot use the TLS files of etcd "${paths}": ${details}`, {
      code: 'invalid',
      object: paths,
    });
  }
}

/** The first line of the file, if it is in one. Throws StoreError `invalid` when there is none. */
export function passwordOf({ password }: EtcdUser): string {
  if ('text' in password) return password.text;
  const [line = ''] = readSecretFile('password', password.file).toString('utf8').split(/\r?\n/, 1);
  if (line !== '') return line;
  throw new StoreError(`Cannot read the password of etcd from "${password.file}": its first line is empty`, {
    code: 'invalid',
    object: password.file,
  });
}

function readSecretFile(what: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const code = errorCode(cause) ?? String(cause);
    throw new StoreError(`Cannot read the ${what} of etcd from "${path}": ${code}`, {
      code: 'invalid',
      object: path,
    });
  }
}
