import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { errorMessage } from '../../../runtime/error-text.ts';
import { FakeApiServer } from '../../../test/store/fake-api-server.ts';
import { inClusterAccess } from './in-cluster-access.ts';
import type { KubeAccess } from './kube-access.ts';
import { KubeClient } from './kube-client.ts';
import { openAccess } from './open-access.ts';

const signal = new AbortController().signal;
const anything = [{ apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list'] }];

let directory: string;
let server: FakeApiServer;
let client: KubeClient | undefined;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-access-'));
  server = await FakeApiServer.start();
});

afterEach(async () => {
  client?.close();
  client = undefined;
  await server.stop();
  rmSync(directory, { recursive: true });
});

const put = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};

const list = (access: KubeAccess): Promise<string> => {
  client ??= new KubeClient({ access });
  return client.text({ path: '/api/v1/nodes', signal });
};

const messageOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'it did not fail',
    (error: unknown) => errorMessage(error),
  );

/** A kubeconfig of one cluster, with this user. */
const kubeconfig = (user: object | undefined, more: object = {}): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'here',
    contexts: [{ name: 'here', context: { cluster: 'c', ...(user === undefined ? {} : { user: 'u' }) } }],
    clusters: [{ name: 'c', cluster: { server: server.url, ...more } }],
    users: user === undefined ? [] : [{ name: 'u', user }],
  });

describe('in a pod', () => {
  test('the address, with brackets where it needs them', () => {
    expect(inClusterAccess({ host: '10.96.0.1', port: '443' }).server).toBe('https://10.96.0.1:443');
    expect(inClusterAccess({ host: 'fd00::1', port: '443' }).server).toBe('https://[fd00::1]:443');
  });

  test('the token is read anew each time', async () => {
    put('token', 'first\n');
    put('ca.crt', 'a certificate');
    const inner = inClusterAccess({ host: '192.0.2.1', port: '443', directory });
    const access = { ...inner, server: server.url };
    server.tokens.set('first', anything);
    await list(access);
    server.tokens.clear();
    server.tokens.set('second', anything);
    put('token', 'second');
    await list(access);
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer first',
      'Bearer second',
    ]);
  });

  test('a token that is not there is named, not sent', async () => {
    const access = inClusterAccess({ host: '192.0.2.1', port: '443', directory });
    expect(await messageOf(list(access))).toContain(`Cannot read the service account's "${directory}`);
  });
});

describe('a kubeconfig', () => {
  const open = async (text: string) => openAccess({ kubeconfig: put('config', text) });

  test('a token in it', async () => {
    server.tokens.set('s3cret', anything);
    await list(await open(kubeconfig({ token: 's3cret' })));
    expect(server.requests.at(-1)?.headers.authorization).toBe('Bearer s3cret');
  });

  test('kubeadm’s for kube-proxy: a token in a file, beside it, that changes', async () => {
    put('token', 'one');
    server.tokens.set('one', anything);
    const access = await open(kubeconfig({ tokenFile: 'token' }));
    await list(access);
    server.tokens.clear();
    server.tokens.set('two', anything);
    put('token', 'two\n');
    await list(access);
    expect(server.requests.at(-1)?.headers.authorization).toBe('Bearer two');
  });

  test('user and password, and none at all', async () => {
    await list(await open(kubeconfig({ username: 'me', password: 'pw' })));
    expect(server.requests.at(-1)?.headers.authorization).toBe(`Basic ${btoa('me:pw')}`);
    client?.close();
    client = undefined;
    await list(await open(kubeconfig(undefined)));
    expect(server.requests.at(-1)?.headers.authorization).toBeUndefined();
  });

  test('a plugin that tells the token', async () => {
    const plugin = put(
      'plugin',
      `#!/bin/sh\necho '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"told"}}'\n`,
    );
    chmodSync(plugin, 0o700);
    server.tokens.set('told', anything);
    await list(
      await open(kubeconfig({ exec: { apiVersion: 'client.authentication.k8s.io/v1', command: plugin } })),
    );
    expect(server.requests.at(-1)?.headers.authorization).toBe('Bearer told');
  });

  test('what a plugin prints is not shown when it fails', async () => {
    const plugin = put('plugin', '#!/bin/sh\necho the s3cret is bad >&2; exit 1\n');
    chmodSync(plugin, 0o700);
    const access = await open(kubeconfig({ exec: { command: plugin } }));
    const message = await messageOf(list(access));
    expect(message).toContain('users: the credentials cannot be had');
    expect(message).not.toContain('s3cret');
  });

  test('certificates: the files of it, and read anew', async () => {
    const [ca, cert, key] = ['ca', 'cert', 'key'].map((name) => put(name, `${name} 1`));
    const access = await openAccess({
      kubeconfig: put(
        'config',
        kubeconfig(
          { 'client-certificate': cert, 'client-key': key },
          { 'certificate-authority': ca, 'tls-server-name': 'api' },
        ),
      ),
      server: 'https://192.0.2.1:6443/',
    });
    expect(access.server).toBe('https://192.0.2.1:6443');
    const texts = async () => {
      const { tls } = await access.credentials();
      return [tls.ca, tls.cert, tls.key, tls.servername].map(String);
    };
    expect(await texts()).toEqual(['ca 1', 'cert 1', 'key 1', 'api']);
    put('cert', 'cert 2');
    expect(await texts()).toEqual(['ca 1', 'cert 2', 'key 1', 'api']);
  });

  test('the file itself is read anew when it changes; a broken one changes nothing', async () => {
    const access = await open(kubeconfig({ token: 'one' }));
    put('config', '{ half');
    await list(access);
    put('config', kubeconfig({ token: 'other' }));
    await list(access);
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer one',
      'Bearer other',
    ]);
  });

  test('a 401 is asked again once, with what is there by then', async () => {
    const access = await open(kubeconfig({ token: 'stale' }));
    server.tokens.set('fresh', anything);
    server.fault = ({ headers }) => {
      if (headers.authorization === 'Bearer stale') put('config', kubeconfig({ token: 'fresh' }));
      return undefined;
    };
    expect(await messageOf(list(access))).toContain('401 Unauthorized');
    expect(server.requests).toHaveLength(2);
    put('config', kubeconfig({ token: 'fresh' }));
    await list(access);
  });

  test.each<[string, string]>([
    ['users: [ {', 'it is not YAML: '],
    ['[]', 'want an object'],
    ['{}', 'current-context: is missing'],
    [
      JSON.stringify({ 'current-context': 'x', contexts: [], clusters: [] }),
      'current-context: there is no context "x"',
    ],
    [
      JSON.stringify({
        'current-context': 'x',
        contexts: [{ name: 'x', context: { cluster: 'c' } }],
        clusters: [],
      }),
      'contexts: there is no cluster "c"',
    ],
    [
      JSON.stringify({
        'current-context': 'x',
        contexts: [{ name: 'x', context: { cluster: 'c' } }],
        clusters: [{ name: 'c', cluster: { server: 'https://u:s3cret@h' } }],
      }),
      'server: has a user or a password in it',
    ],
    [
      JSON.stringify({
        'current-context': 'x',
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'nobody' } }],
        clusters: [{ name: 'c', cluster: { server: 'https://h' } }],
        users: [{ name: 'u', user: { token: 's3cret' } }],
      }),
      'contexts: there is no user "nobody"',
    ],
    ['users: s3cret\ncurrent-context: x\ncontexts: []\nclusters: []\n', 'users: want an array'],
    ['a: "s3cret\n', 'it is not YAML: '],
  ])('%j is refused by name, without its secrets', async (text, message) => {
    const said = await messageOf(open(text));
    expect(said).toMatch(/^Cannot use (?:kubeconfig|the server of) "/);
    expect(said).toContain(message);
    expect(said).not.toContain('s3cret');
  });

  test('one that is not there', async () => {
    expect(await messageOf(openAccess({ kubeconfig: join(directory, 'none') }))).toContain(
      'there is no such file',
    );
  });
});

test('an address alone needs no credentials; nothing at all is an error that says what to do', async () => {
  expect((await openAccess({ server: 'http://127.0.0.1:8001/' })).server).toBe('http://127.0.0.1:8001');
  expect((await openAccess({ pod: { host: '10.0.0.1', port: '443' } })).server).toBe('https://10.0.0.1:443');
  expect(await messageOf(openAccess({}))).toContain('no kubeconfig and no address is given');
  expect(await messageOf(openAccess({ server: 'ftp://h' }))).toContain('want https:// or http://');
  expect(await messageOf(openAccess({ server: 'nonsense' }))).toContain('want a URL');
});

test('no request and no error shows the token', async () => {
  server.tokens.set('other', anything);
  const access: KubeAccess = {
    server: server.url,
    credentials: async () => ({ headers: { authorization: 'Bearer s3cret' }, tls: {} }),
    refused() {},
  };
  const error: unknown = await list(access).catch((one: unknown) => one);
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('s3cret');
  expect(errorMessage(error)).toBe(`Cannot get nodes at ${server.url}: 401 Unauthorized`);
});
