// Certificates for tests: an authority, a server's for 127.0.0.1, a client's, and another authority that nobody believes. Made by openssl.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TestPki extends Disposable {
  readonly ca: string;
  readonly otherCa: string;
  readonly server: { readonly certificate: string; readonly key: string };
  readonly client: { readonly certificate: string; readonly key: string };
}

export function opensslFault(): string | undefined {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'there is no openssl';
  }
}

export function testPki(): TestPki {
  const directory = mkdtempSync('/run/netloom-pki-');
  const path = (name: string) => join(directory, name);
  const openssl = (...argv: readonly string[]) =>
    execFileSync('openssl', argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const authority = (name: string) => {
    const made = [
      '-keyout',
      path(`${name}.key`),
      '-out',
      path(`${name}.crt`),
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    ];
    openssl('req', '-x509', ...curve, ...made);
    return path(`${name}.crt`);
  };
  const ca = authority('ca');
  const leaf = (name: string, usage: string) => {
    const [key, request, certificate] = [path(`${name}.key`), path(`${name}.csr`), path(`${name}.crt`)];
    openssl('req', ...curve, '-keyout', key, '-out', request, '-subj', `/CN=${name}`);
    const extensions = path(`${name}.ext`);
    writeFileSync(extensions, `subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=${usage}\n`);
    const sign = [
      '-CA',
      ca,
      '-CAkey',
      path('ca.key'),
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      extensions,
    ];
    openssl('x509', '-req', '-in', request, '-out', certificate, ...sign);
    return { certificate, key };
  };
  return {
    ca,
    otherCa: authority('other'),
    // etcd's gateway is a client of itself.
    server: leaf('server', 'serverAuth,clientAuth'),
    client: leaf('client', 'clientAuth'),
    [Symbol.dispose]() {
      rmSync(directory, { recursive: true });
    },
  };
}
