import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type ApiObject, FakeApiServer } from '../../../test/store/fake-api-server.ts';
import { until } from '../../../test/store/until.ts';
import { KubeClient } from './kube-client.ts';
import { listWatch } from './list-watch.ts';

let server: FakeApiServer;
let client: KubeClient;
let abort: AbortController;
let ended: Promise<void> | undefined;
let held: Map<string, string>;
let replaced: number;
let troubles: (string | undefined)[];

beforeEach(async () => {
  server = await FakeApiServer.start();
  client = new KubeClient({
    access: { server: server.url, credentials: async () => ({ headers: {}, tls: {} }), refused() {} },
    silenceMs: 500,
  });
  abort = new AbortController();
  ended = undefined;
  held = new Map();
  replaced = 0;
  troubles = [];
});

afterEach(async () => {
  abort.abort();
  await ended;
  client.close();
  await server.stop();
});

const node = (name: string, value = ''): ApiObject => ({ metadata: { name, labels: { value } } });

type Item = { readonly name: string; readonly value: string };

function follow(query = {}): void {
  ended = listWatch<Item>(
    {
      client,
      path: '/api/v1/nodes',
      query,
      read(object) {
        const { name, labels } = Object(object).metadata;
        return { name, value: labels?.value };
      },
      listener: {
        replace(items) {
          held = new Map(items.map(({ name, value }) => [name, value]));
          replaced++;
        },
        put: ({ name, value }) => held.set(name, value),
        remove: ({ name }) => held.delete(name),
        trouble: (error) => troubles.push(error?.message),
      },
      retry: { min: 5, max: 20 },
    },
    abort.signal,
  );
}

const isHeld = (...names: readonly string[]) =>
  until(() => [...held.keys()].sort().join() === [...names].sort().join());

const verbs = () => server.requests.map(({ verb }) => verb);

test('an empty list, then what is added, changed and deleted', async () => {
  follow();
  await until(() => server.watchers === 1);
  expect(replaced).toBe(1);
  server.put('nodes', node('a', '1'));
  await isHeld('a');
  server.put('nodes', node('a', '2'));
  await until(() => held.get('a') === '2');
  server.delete('nodes', 'a');
  await isHeld();
  expect(verbs()).toEqual(['list', 'watch']);
  expect(troubles).toEqual([undefined]);
});

test('the list comes in pages of one moment', async () => {
  for (let i = 0; i < 7; i++) server.put('nodes', node(`n${i}`));
  server.largestPage = 3;
  follow();
  await isHeld('n0', 'n1', 'n2', 'n3', 'n4', 'n5', 'n6');
  const lists = server.requests.filter(({ verb }) => verb === 'list');
  expect(lists.map(({ query }) => query.get('limit'))).toEqual(['500', '500', '500']);
  // Only the first page may say how new it has to be.
  expect(lists.map(({ query }) => query.get('resourceVersion'))).toEqual(['0', null, null]);
});

test('pages that the server forgot in the middle: all at once', async () => {
  for (let i = 0; i < 4; i++) server.put('nodes', node(`n${i}`));
  server.largestPage = 2;
  server.fault = ({ query }) => {
    if (!query.has('continue')) return undefined;
    server.compact();
    server.largestPage = Number.POSITIVE_INFINITY;
    return undefined;
  };
  follow();
  await isHeld('n0', 'n1', 'n2', 'n3');
  const lists = server.requests.filter(({ verb }) => verb === 'list');
  expect(lists.map(({ query }) => query.get('limit'))).toEqual(['500', '500', null]);
  expect(replaced).toBe(1);
});

test('a list that must not be older than one before comes from the cache: without pages', async () => {
  for (let i = 0; i < 4; i++) server.put('nodes', node(`n${i}`));
  follow();
  await until(() => server.watchers === 1);
  server.put('nodes', node('n4'));
  await isHeld('n0', 'n1', 'n2', 'n3', 'n4');
  server.compact();
  server.breakWatches(410);
  await until(() => replaced === 2);
  const [, again] = server.requests.filter(({ verb }) => verb === 'list').map(({ query }) => query);
  expect(again?.get('limit')).toBeNull();
  expect(Number(again?.get('resourceVersion'))).toBeGreaterThan(0);
  expect(again?.get('resourceVersionMatch')).toBe('NotOlderThan');
});

test.each(['end', 'half', 'reset'] as const)('a watch that ends (%s) goes on where it was', async (how) => {
  follow();
  await until(() => server.watchers === 1);
  server.put('nodes', node('a'));
  await isHeld('a');
  server.breakWatches(how);
  // While nobody listens.
  server.put('nodes', node('b'));
  await isHeld('a', 'b');
  expect(verbs().filter((verb) => verb === 'list')).toHaveLength(1);
  expect(troubles.filter((one) => one !== undefined)).toEqual([]);
});

test('a bookmark moves the place on, so that what is forgotten before it does not matter', async () => {
  follow();
  await until(() => server.watchers === 1);
  server.put('services', { metadata: { namespace: 'x', name: 'other' } });
  server.bookmark();
  server.put('nodes', node('a'));
  await isHeld('a');
  server.compact();
  server.breakWatches('end');
  await until(() => server.requests.length === 3 && server.watchers === 1);
  expect(verbs()).toEqual(['list', 'watch', 'watch']);
});

test.each(['answer', 'event'])('410 (%s): a new list, and what is gone meanwhile is gone', async (kind) => {
  server.put('nodes', node('a'));
  server.put('nodes', node('b'));
  follow();
  await isHeld('a', 'b');
  await until(() => server.watchers === 1);
  if (kind === 'event') {
    server.fault = ({ verb }) => (verb === 'watch' && server.requests.length < 4 ? 'reset' : undefined);
    server.breakWatches(410);
  } else {
    server.breakWatches('end');
  }
  server.delete('nodes', 'a');
  server.put('nodes', node('c'));
  server.compact();
  await isHeld('b', 'c');
  expect(replaced).toBe(2);
  await until(() => troubles.at(-1) === undefined);
});

test('a server that dies and comes back is followed on, and its absence is told', async () => {
  server.put('nodes', node('a'));
  follow();
  await until(() => server.watchers === 1);
  await server.stop();
  await until(() => troubles.at(-1) !== undefined);
  expect(troubles.at(-1)).toMatch(/^Cannot watch nodes at http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/);
  expect([...held.keys()]).toEqual(['a']);
  server.put('nodes', node('b'));
  await server.listen();
  await isHeld('a', 'b');
  expect(troubles.at(-1)).toBeUndefined();
});

test.each([
  ['hang', /no word from it for 0\.5 s/],
  ['reset', /ECONNRESET|socket hang up/],
  ['garbage', /Unexpected token|not valid JSON/],
  ['half', /aborted|ECONNRESET/],
  [500, /500 told to answer 500/],
  [403, /403 told to answer 403/],
] as const)('a list that goes wrong (%s) is tried again', async (fault, message) => {
  server.put('nodes', node('a'));
  let faults = 0;
  server.fault = ({ verb }) => (verb === 'list' && ++faults <= 2 ? fault : undefined);
  follow();
  await isHeld('a');
  await until(() => troubles.at(-1) === undefined);
  expect(troubles[0]).toMatch(message);
  expect(faults).toBe(3);
});

test('a server that asks for patience gets it', async () => {
  let first = 0;
  server.fault = () => {
    if (first !== 0) return undefined;
    first = performance.now();
    return { status: 429, retryAfter: 1 };
  };
  follow();
  await until(() => replaced === 1);
  expect(performance.now() - first).toBeGreaterThan(900);
});

test('a server behind the one that was heard last is asked for whatever it has', async () => {
  server.put('nodes', node('a'));
  follow();
  await until(() => server.watchers === 1);
  server.bookmark();
  server.fault = ({ verb, query }) =>
    verb === 'list' && query.get('resourceVersion') !== null ? 504 : undefined;
  server.put('nodes', node('b'));
  await isHeld('a', 'b');
  server.compact();
  server.breakWatches(410);
  await until(() => replaced === 2);
  const lists = server.requests.filter(({ verb }) => verb === 'list');
  expect(lists.map(({ query }) => query.get('resourceVersion'))).toEqual([
    '0',
    expect.stringMatching(/^1\d\d$/),
    null,
  ]);
});

test('an object that stops being selected is gone', async () => {
  server.put('nodes', node('a', 'x'));
  server.put('nodes', node('b', 'y'));
  follow({ labelSelector: 'value=x' });
  await isHeld('a');
  await until(() => server.watchers === 1);
  server.put('nodes', node('a', 'y'));
  await isHeld();
  server.put('nodes', node('b', 'x'));
  await isHeld('b');
});

test('a thousand at once come one by one, and in order', async () => {
  follow();
  await until(() => server.watchers === 1);
  for (let i = 0; i < 1000; i++) server.put('nodes', node(`n${i % 10}`, String(i)));
  await until(() => held.get('n9') === '999');
  expect(held.get('n0')).toBe('990');
});
