// Certificates for tests: an authority, a server's for 127.0.0.1, a client's, and another authority that nobody believes. Made by openssl, and
// more of them on demand.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Paths of PEM files. */
export interface TestCertificate {
  readonly certificate: string;
  readonly key: string;
}

export interface LeafOptions {
  /** Who signs it; `ca` if absent. */
  readonly authority?: 'ca' | 'other';
  /** extendedKeyUsage. */
  readonly usage: string;
  /** subjectAltName; 127.0.0.1 and localhost if absent. */
  readonly names?: string;
}

export interface TestPki extends Disposable {
  readonly directory: string;
  readonly ca: string;
  readonly otherCa: string;
  readonly server: TestCertificate;
  readonly client: TestCertificate;
  /** One more, whose common name and files are named so. */
  issue(name: string, options: LeafOptions): TestCertificate;
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
  const directory = mkdtempSync(join(tmpdir(), 'netloom-pki-'));
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
  const issue = (
    name: string,
    { authority: signer = 'ca', usage, names = 'IP:127.0.0.1,DNS:localhost' }: LeafOptions,
  ): TestCertificate => {
    const [key, request, certificate] = [path(`${name}.key`), path(`${name}.csr`), path(`${name}.crt`)];
    openssl('req', ...curve, '-keyout', key, '-out', request, '-subj', `/CN=${name}`);
    const extensions = path(`${name}.ext`);
    writeFileSync(extensions, `subjectAltName=${names}\nextendedKeyUsage=${usage}\n`);
    const sign = [
      '-CA',
      path(`${signer}.crt`),
      '-CAkey',
      path(`${signer}.key`),
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
    directory,
    ca,
    otherCa: authority('other'),
    // etcd's gateway is a client of itself.
    server: issue('server', { usage: 'serverAuth,clientAuth' }),
    client: issue('client', { usage: 'clientAuth' }),
    issue,
    [Symbol.dispose]() {
      rmSync(directory, { recursive: true });
    },
  };
}
