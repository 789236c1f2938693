// TLS to an API server: whom we believe, what we show, and all of it replaced while we run.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { errorMessage } from '../../../runtime/error-text.ts';
import { FakeApiServer } from '../../../test/store/fake-api-server.ts';
import { opensslFault, type TestCertificate, type TestPki, testPki } from '../../../test/store/test-pki.ts';
import { until } from '../../../test/store/until.ts';
import { inClusterAccess } from './in-cluster-access.ts';
import type { KubeAccess } from './kube-access.ts';
import { KubeClient } from './kube-client.ts';
import { listWatch } from './list-watch.ts';
import { openAccess } from './open-access.ts';

const { signal } = new AbortController();
const nodes = [{ apiGroups: [''], resources: ['nodes'], verbs: ['list', 'watch'] }];
const fault = opensslFault();
const describeTls = fault === undefined ? describe : describe.skip;
if (fault !== undefined) test.skip(`TLS of an API server: ${fault}`, () => undefined);

describeTls('TLS', () => {
  let pki: TestPki;
  let directory: string;
  let server: FakeApiServer;
  let clients: KubeClient[];
  let endings: (() => Promise<void>)[];

  beforeAll(() => {
    pki = testPki();
  });
  afterAll(() => pki[Symbol.dispose]());
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'netloom-tls-'));
    clients = [];
    endings = [];
    server = await FakeApiServer.start({ tls: shown(pki.server) });
    server.put('nodes', { metadata: { name: 'n1' } });
  });
  afterEach(async () => {
    for (const end of endings) await end();
    for (const client of clients) client.close();
    await server.stop();
    rmSync(directory, { recursive: true });
  });

  /** What a server shows; it believes in certificates of `ca`. */
  function shown({ certificate, key }: TestCertificate) {
    return { cert: readFileSync(certificate), key: readFileSync(key), clientCa: readFileSync(pki.ca) };
  }

  const put = (name: string, content: string | Buffer): string => {
    const path = join(directory, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };

  const kubeconfig = (user: object, cluster: object = { 'certificate-authority': pki.ca }): string =>
    put(
      'config',
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'here',
        contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
        clusters: [{ name: 'c', cluster: { server: server.url, ...cluster } }],
        users: [{ name: 'u', user }],
      }),
    );

  const clientOf = (access: KubeAccess): KubeClient => {
    const client = new KubeClient({ access });
    clients.push(client);
    return client;
  };

  const open = async (user: object, cluster?: object): Promise<KubeClient> =>
    clientOf(await openAccess({ kubeconfig: kubeconfig(user, cluster) }));

  const list = (client: KubeClient): Promise<string> => client.text({ path: '/api/v1/nodes', signal });

  const messageOf = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => 'it did not fail',
      (error: unknown) => errorMessage(error),
    );

  /** Follows Nodes; ended with the test. */
  function follow(client: KubeClient): { readonly held: Set<string>; readonly troubles: string[] } {
    const held = new Set<string>();
    const troubles: string[] = [];
    const abort = new AbortController();
    const running = listWatch<string>(
      {
        client,
        path: '/api/v1/nodes',
        read: (object) => String(Object(object).metadata.name),
        listener: {
          replace(names) {
            held.clear();
            for (const name of names) held.add(name);
          },
          put: (name) => held.add(name),
          remove: (name) => held.delete(name),
          trouble: (error) => troubles.push(error?.message ?? 'none'),
        },
        retry: { min: 5, max: 20 },
      },
      abort.signal,
    );
    endings.push(async () => {
      abort.abort();
      await running;
    });
    return { held, troubles };
  }

  test('the CA of a kubeconfig, in a file and in itself', async () => {
    server.tokens.set('t', nodes);
    expect(await list(await open({ token: 't' }))).toContain('"n1"');
    const data = readFileSync(pki.ca).toString('base64');
    expect(await list(await open({ token: 't' }, { 'certificate-authority-data': data }))).toContain('"n1"');
  });

  test.each<[string, () => object]>([
    ['another authority', () => ({ 'certificate-authority': pki.otherCa })],
    ['the system’s authorities, as none is named', () => ({})],
  ])('a server of a CA that is not believed is told nothing: %s', async (_, cluster) => {
    const message = await messageOf(list(await open({ token: 's3cret' }, cluster())));
    expect(message).toMatch(/^Cannot get nodes at https:\/\/127\.0\.0\.1:\d+: .*certificate/);
    expect(message).not.toContain('s3cret');
    expect(server.requests).toEqual([]);
  });

  test('a certificate for another host is refused, unless the kubeconfig says its name', async () => {
    const other = pki.issue('api', { usage: 'serverAuth', names: 'DNS:api.example.com' });
    server.setTls(shown(other));
    expect(await messageOf(list(await open({ token: 't' })))).toMatch(/127\.0\.0\.1 is not in the cert/);
    const named = { 'certificate-authority': pki.ca, 'tls-server-name': 'api.example.com' };
    expect(await list(await open({ token: 't' }, named))).toContain('"n1"');
    const wrong = { ...named, 'tls-server-name': 'other.example.com' };
    expect(await messageOf(list(await open({ token: 't' }, wrong)))).toContain('other.example.com');
    const blind = { 'insecure-skip-tls-verify': true };
    expect(await list(await open({ token: 't' }, blind))).toContain('"n1"');
  });

  test('a client certificate is who we are; without one we are nobody; of another authority too', async () => {
    server.users.set('client', nodes);
    const { certificate, key } = pki.client;
    const stranger = pki.issue('stranger', { authority: 'other', usage: 'clientAuth' });
    const by = ({ certificate: cert, key: file }: TestCertificate) =>
      open({ 'client-certificate': cert, 'client-key': file });
    expect(await list(await by({ certificate, key }))).toContain('"n1"');
    const inside = {
      'client-certificate-data': readFileSync(certificate).toString('base64'),
      'client-key-data': readFileSync(key).toString('base64'),
    };
    expect(await list(await open(inside))).toContain('"n1"');
    for (const client of [await open({}), await by(stranger)])
      expect(await messageOf(list(client))).toContain('403 nodes is forbidden: User "system:anonymous"');
  });

  test('a key that is none is named by its file, and nothing of it is shown', async () => {
    const broken = put('broken', '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n');
    const client = await open({ 'client-certificate': pki.client.certificate, 'client-key': broken });
    const message = await messageOf(list(client));
    expect(message).toMatch(/^Cannot get nodes at https:/);
    expect(message).not.toContain('c2VjcmV0');
    const gone = await open({ 'client-certificate': pki.client.certificate, 'client-key': '/nowhere/k.pem' });
    expect(await messageOf(list(gone))).toContain('"/nowhere/k.pem": ENOENT');
  });

  test('a client certificate that is replaced while we run is shown from the next connection on', async () => {
    const [certificate, key] = [
      put('tls.crt', readFileSync(pki.client.certificate)),
      put('tls.key', readFileSync(pki.client.key)),
    ];
    server.users.set('client', nodes);
    const client = await open({ 'client-certificate': certificate, 'client-key': key });
    const { held, troubles } = follow(client);
    await until(() => server.watchers === 1 && held.has('n1'));
    const next = pki.issue('renewed', { usage: 'clientAuth' });
    put('tls.crt', readFileSync(next.certificate));
    put('tls.key', readFileSync(next.key));
    server.users.clear();
    server.users.set('renewed', nodes);
    // What stands, stands.
    server.put('nodes', { metadata: { name: 'n2' } });
    await until(() => held.has('n2'));
    server.breakWatches('reset');
    server.put('nodes', { metadata: { name: 'n3' } });
    await until(() => held.has('n3'));
    expect(troubles.filter((text) => text !== 'none')).toEqual([]);
  });

  test('a server with a new CA is refused until our file has it; what is known stays meanwhile', async () => {
    const ca = put('ca.crt', readFileSync(pki.ca));
    const { held, troubles } = follow(await open({ token: 't' }, { 'certificate-authority': ca }));
    await until(() => server.watchers === 1);
    const next = pki.issue('next', { authority: 'other', usage: 'serverAuth' });
    server.setTls(shown(next));
    server.breakWatches('reset');
    await until(() => troubles.at(-1)?.includes('certificate') === true);
    expect([...held]).toEqual(['n1']);
    server.put('nodes', { metadata: { name: 'n2' } });
    // Old and new for a while, as clusters rotate it.
    put('ca.crt', Buffer.concat([readFileSync(pki.ca), readFileSync(pki.otherCa)]));
    await until(() => held.has('n2') && troubles.at(-1) === 'none');
  });

  test('in a pod: the mounted CA, and a token that has ended is read anew', async () => {
    put('ca.crt', readFileSync(pki.ca));
    put('token', 'first');
    server.tokens.set('first', nodes);
    const { host, port } = hostOf(server.url);
    const { held, troubles } = follow(clientOf(inClusterAccess({ host, port, directory })));
    await until(() => server.watchers === 1);
    // kubelet renews it long before the server stops taking the old one.
    put('token', 'second');
    server.tokens.clear();
    server.tokens.set('second', nodes);
    server.breakWatches('end');
    server.put('nodes', { metadata: { name: 'n2' } });
    await until(() => held.has('n2'));
    expect(troubles.filter((text) => text !== 'none')).toEqual([]);
    // One that nobody renewed: 401 is asked again at once with what the file has by then, then at every try.
    server.tokens.clear();
    server.tokens.set('third', nodes);
    server.breakWatches('end');
    await until(() => troubles.at(-1)?.includes('401 Unauthorized') === true);
    put('token', 'third');
    server.put('nodes', { metadata: { name: 'n3' } });
    await until(() => held.has('n3') && troubles.at(-1) === 'none');
    expect(server.requests.at(-1)?.headers.authorization).toBe('Bearer third');
  });
});

function hostOf(url: string): { readonly host: string; readonly port: string } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port };
}
