// Real files in a directory of their own, watched: what changes, breaks, disappears and comes back. Longer than a file should be: all
// of it needs the one fixture below.
import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { ServiceBatch, ServiceSource } from '../service-source.ts';
import { checkServiceDirectory } from './check-service-directory.ts';
import { createServiceDirectory, type ServiceDirectoryOptions } from './service-directory.ts';

// Each look takes what the machine lets it take.
jest.setTimeout(60_000);

let directory: string;
let opened: ServiceSource[];
let abort: AbortController;
/** What all sources of a test are opened with. */
let common: Partial<ServiceDirectoryOptions> = {};

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'netloom-services-'));
  opened = [];
  abort = new AbortController();
});

afterEach(async () => {
  abort.abort();
  await Promise.all(opened.map((source) => source.close()));
  await rm(directory, { recursive: true, force: true });
});

function service(name: string, port = 80): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'ns' },
    spec: { clusterIP: '10.96.0.10', ports: [{ port }] },
  };
}

function slice(name: string, ...addresses: readonly string[]): object {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace: 'ns', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ port: 8080 }],
    endpoints: addresses.map((address) => ({ addresses: [address] })),
  };
}

const textOf = (objects: readonly object[]) =>
  objects.map((object) => `${JSON.stringify(object)}\n`).join('---\n');

/** Written in place, as an editor or a shell does. */
async function put(name: string, ...objects: readonly object[]): Promise<void> {
  await writeFile(join(directory, name), textOf(objects));
}

/** Written beside and renamed. */
async function replace(name: string, ...objects: readonly object[]): Promise<void> {
  await writeFile(join(directory, '.new'), textOf(objects));
  await rename(join(directory, '.new'), join(directory, name));
}

interface Reader {
  /** The next batch, as far as its keys go. */
  readonly next: () => Promise<{
    readonly services: object;
    readonly slices: object;
    readonly problems: readonly string[];
  }>;
  readonly batch: () => Promise<ServiceBatch>;
}

function watching(
  options: { readonly rescanMs?: number; readonly settleMs?: number; readonly directory?: string } = {},
): Reader {
  const source = createServiceDirectory({ directory, ...common, ...options });
  opened.push(source);
  const batches = source.watch(abort.signal)[Symbol.asyncIterator]();
  const batch = async () => {
    const { value, done } = await batches.next();
    if (done) throw new Error('The watch ended');
    return value;
  };
  return {
    batch,
    next: async () => {
      const { services, slices, problems } = await batch();
      return {
        services: Object.fromEntries(
          [...services].map(([key, found]) => [key, found?.ports.map(({ port }) => port).join() ?? 'gone']),
        ),
        slices: Object.fromEntries(
          [...slices].map(([key, found]) => [
            key,
            found?.endpoints.map(({ address }) => String(address)).join() ?? 'gone',
          ]),
        ),
        problems: problems.map(({ object, message }) =>
          `${object} | ${message}`.replaceAll(`${directory}/`, ''),
        ),
      };
    },
  };
}

/** The batch that says this of the service; another may come before it, when a read falls in the middle. */
async function until(next: Reader['next'], key: string, ports: string): ReturnType<Reader['next']> {
  for (;;) {
    const batch = await next();
    if (Object.entries(batch.services).some(([name, value]) => name === key && value === ports)) return batch;
  }
}

const nothing = { services: {}, slices: {}, problems: [] };

describe.each<readonly [string, typeof common]>([
  ['watched', { watch: 'notify' }],
  ['polled', { watch: 'poll', pollMs: 20 }],
])('a %s directory of manifests', (_, options) => {
  beforeEach(() => {
    common = options;
  });

  test('gives everything first, even when that is nothing', async () => {
    expect(await watching().next()).toEqual(nothing);
    await put('web.yaml', service('web'), slice('web', '10.1.0.1'));
    expect(await watching().next()).toEqual({
      services: { 'ns/web': '80' },
      slices: { 'ns/web-1': '10.1.0.1' },
      problems: [],
    });
  });

  test.each([
    ['written in place', put],
    ['renamed', replace],
  ])('gives what changed in a file that is %s, and only that', async (_, write) => {
    await write('web.json', service('a'), service('b'), slice('a', '10.1.0.1'));
    const { next, batch } = watching();
    await next();
    const before = performance.now();
    await write('web.json', service('b'), service('a'), slice('a', '10.1.0.1', '10.1.0.2'));
    const { services, slices, heardAt } = await batch();
    expect([...services.keys()]).toEqual([]);
    expect([...slices.keys()]).toEqual(['ns/a-1']);
    expect(heardAt).toBeGreaterThanOrEqual(before);
    await write('web.json', service('a', 81));
    expect(await next()).toEqual({
      services: { 'ns/a': '81', 'ns/b': 'gone' },
      slices: { 'ns/a-1': 'gone' },
      problems: [],
    });
    await write('other.yml', service('c'));
    expect(await next()).toEqual({ ...nothing, services: { 'ns/c': '80' } });
    await unlink(join(directory, 'web.json'));
    expect(await next()).toEqual({ ...nothing, services: { 'ns/a': 'gone' } });
  });

  test('keeps what a file last had while it cannot be read', async () => {
    await put('web.yaml', service('a'), service('b'));
    const { next } = watching();
    await next();
    await writeFile(join(directory, 'web.yaml'), 'a: "b\n');
    const broken = await next();
    expect(broken).toMatchObject({ services: {}, slices: {} });
    expect(broken.problems[0]).toMatch(/^web\.yaml, document 1 \| it is not YAML: line \d/);
    expect(broken.problems[1]).toBe('web.yaml | 2 of its objects are kept as they last were');
    await put('web.yaml', service('a', 81), service('b'));
    expect(await next()).toEqual({ ...nothing, services: { 'ns/a': '81' } });
  });

  test('keeps what an object last was while it is wrong, and goes on with its neighbours', async () => {
    await put('web.yaml', service('a'), service('b'));
    const { next } = watching();
    await next();
    await put('web.yaml', { ...service('a'), spec: { clusterIP: '127.0.0.1' } }, service('b', 81));
    expect(await next()).toEqual({
      services: { 'ns/b': '81' },
      slices: {},
      problems: [
        'web.yaml, document 1: Service "ns/a" | spec.clusterIP: "127.0.0.1" is a loopback address; the service is left out',
        'web.yaml, document 1: Service "ns/a" | is kept as it last was',
      ],
    });
    await put('web.yaml', service('b', 81));
    expect(await next()).toEqual({ ...nothing, services: { 'ns/a': 'gone' } });
  });

  test('does not take the first part of a file for the whole', async () => {
    const path = join(directory, 'web.yaml');
    const text =
      'apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  namespace: ns\nspec:\n  clusterIP: 10.96.0.10\n  ports:\n  - port: 80\n';
    await writeFile(path, `${text}---\n${text.replace('name: a', 'name: b')}`);
    // Long enough for a slow machine between two writes.
    const { next } = watching({ settleMs: 2000 });
    await next();
    // A port of 8, then of 8080; nothing at all in between; and the first object alone.
    for (const part of ['', text, `${text}---\n${text.slice(0, -2)}`]) await writeFile(path, part);
    await writeFile(path, `${text}---\n${text.replace('name: a', 'name: b').replace('80', '8080')}`);
    expect(await next()).toEqual({ ...nothing, services: { 'ns/b': '8080' } });
    await writeFile(path, '');
    expect(await next()).toEqual({ ...nothing, services: { 'ns/a': 'gone', 'ns/b': 'gone' } });
  });

  test('has one object of a name: the first file has it, then the next', async () => {
    await put('b.yaml', service('web', 2));
    const { next } = watching();
    expect(await next()).toMatchObject({ services: { 'ns/web': '2' } });
    await put('a.yaml', service('web', 1), service('web', 3));
    expect(await next()).toEqual({
      services: { 'ns/web': '1' },
      slices: {},
      problems: [
        'a.yaml, document 2: Service "ns/web" | is also in a.yaml, document 1; that one counts and this one is left out',
        'b.yaml, document 1: Service "ns/web" | is also in a.yaml, document 1; that one counts and this one is left out',
      ].map((line) => line.replace('in a.yaml', `in ${directory}/a.yaml`).replaceAll(`${directory}/`, '')),
    });
    await put('b.yaml', service('web', 4));
    await unlink(join(directory, 'a.yaml'));
    expect(await next()).toEqual({ ...nothing, services: { 'ns/web': '4' } });
  });

  test('finds folders below, also those that come and go, and follows links', async () => {
    await mkdir(join(directory, 'one/two'), { recursive: true });
    await put('one/two/a.yaml', service('a'));
    const { next } = watching();
    expect(await next()).toMatchObject({ services: { 'ns/a': '80' } });
    await mkdir(join(directory, 'new'));
    await put('new/b.yaml', service('b'));
    expect(await next()).toEqual({ ...nothing, services: { 'ns/b': '80' } });
    await put('new/b.yaml', service('b', 81));
    expect(await next()).toEqual({ ...nothing, services: { 'ns/b': '81' } });
    await rename(join(directory, 'new'), join(directory, 'one/three'));
    await put('one/three/b.yaml', service('b', 82));
    await until(next, 'ns/b', '82');
    await symlink('..', join(directory, 'one/loop'));
    expect((await next()).problems).toEqual([
      `one/loop | Cannot read "one/loop": it is a link to a folder that it is in`,
    ]);
    await rm(join(directory, 'one'), { recursive: true });
    const gone = {};
    while (Object.keys(gone).length < 2) Object.assign(gone, (await next()).services);
    expect(gone).toEqual({ 'ns/a': 'gone', 'ns/b': 'gone' });
  });

  test('follows a ConfigMap, whose files are links to a folder that is exchanged', async () => {
    await mkdir(join(directory, '..1'));
    await put('..1/web.yaml', service('a'));
    await symlink('..1', join(directory, '..data'));
    await symlink('..data/web.yaml', join(directory, 'web.yaml'));
    const { next } = watching();
    expect(await next()).toEqual({ ...nothing, services: { 'ns/a': '80' } });
    await mkdir(join(directory, '..2'));
    await put('..2/web.yaml', service('a', 81));
    await symlink('..2', join(directory, '..data_tmp'));
    await rename(join(directory, '..data_tmp'), join(directory, '..data'));
    await rm(join(directory, '..1'), { recursive: true });
    expect(await next()).toEqual({ ...nothing, services: { 'ns/a': '81' } });
  });

  test('follows the directory itself when it is a link', async () => {
    await mkdir(join(directory, 'v1'));
    await mkdir(join(directory, 'v2'));
    await put('v1/web.yaml', service('a'));
    await put('v2/web.yaml', service('a', 81));
    await symlink('v1', join(directory, 'now'));
    const { next } = watching({ directory: join(directory, 'now') });
    expect(await next()).toEqual({ ...nothing, services: { 'ns/a': '80' } });
    await symlink('v2', join(directory, 'then'));
    await rename(join(directory, 'then'), join(directory, 'now'));
    expect(await next()).toEqual({ ...nothing, services: { 'ns/a': '81' } });
    await put('v2/web.yaml', service('a', 82));
    expect(await next()).toEqual({ ...nothing, services: { 'ns/a': '82' } });
  });

  test('waits for a directory that is not there yet, and forgets one that is gone', async () => {
    const later = join(directory, 'x/later');
    const { next } = watching({ directory: later });
    const missing = ['x/later | Cannot read "x/later": there is no such directory'];
    expect(await next()).toEqual({ ...nothing, problems: missing });
    await mkdir(later, { recursive: true });
    await put('x/later/web.yaml', service('a'));
    expect((await until(next, 'ns/a', '80')).problems).toEqual([]);
    await rm(later, { recursive: true });
    expect((await until(next, 'ns/a', 'gone')).problems).toEqual(missing);
    await mkdir(later);
    await put('x/later/web.yaml', service('a', 81));
    expect((await until(next, 'ns/a', '81')).problems).toEqual([]);
  });

  test('passes over other files, and tells of those that it cannot read', async () => {
    for (const name of ['.web.yaml', 'web.yaml~', '4913', 'web.yaml.swp', 'README.md', '#web.yaml#']) {
      await put(name, service('no'));
    }
    await writeFile(join(directory, 'bytes.yaml'), Buffer.from([0xff, 0xfe, 0x00]));
    await symlink('nowhere', join(directory, 'link.yaml'));
    await put('web.yaml', service('a'));
    expect(await watching().next()).toEqual({
      services: { 'ns/a': '80' },
      slices: {},
      problems: [
        'bytes.yaml | Cannot read "bytes.yaml": it is not UTF-8 text',
        'link.yaml | Cannot read "link.yaml": it links to nothing',
      ],
    });
  });

  test('gives a slow reader all that it missed as one batch, without what was undone', async () => {
    await put('web.yaml', service('a'), service('b'));
    const { next } = watching({ rescanMs: 20 });
    await next();
    for (const [name, port] of [
      ['a', 1],
      ['a', 2],
      ['a', 80],
    ] as const) {
      await put('web.yaml', service(name, port), service('b', port));
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    await put('web.yaml', service('a'), service('b', 5));
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(await next()).toEqual({ ...nothing, services: { 'ns/b': '5' } });
  });

  test('is watched by one reader at a time, each of whom gets everything', async () => {
    await put('web.yaml', service('a'));
    const source = createServiceDirectory({ directory });
    opened.push(source);
    const first = source.watch(abort.signal)[Symbol.asyncIterator]();
    await first.next();
    await expect(source.watch(abort.signal)[Symbol.asyncIterator]().next()).rejects.toThrow(
      /twice at a time/,
    );
    await first.return?.();
    const { value } = await source.watch(abort.signal)[Symbol.asyncIterator]().next();
    expect([...value.services.keys()]).toEqual(['ns/a']);
  });

  test('ends when it is told to, also in the middle of the first read', async () => {
    await put('web.yaml', ...Array.from({ length: 3000 }, (_, i) => service(`web-${i}`)));
    const source = createServiceDirectory({ directory });
    const batches = source.watch(abort.signal)[Symbol.asyncIterator]();
    // Until then the file may still be written.
    await new Promise((resolve) => setTimeout(resolve, 60));
    const first = batches.next();
    await new Promise((resolve) => setTimeout(resolve, 10));
    await source.close();
    expect(await first).toEqual({ value: undefined, done: true });
  });

  test('takes 5,000 objects, of which one changes at a time', async () => {
    for (let file = 0; file < 50; file++) {
      const objects = Array.from({ length: 100 }, (_, i) => service(`web-${file}-${i}`));
      await put(`${file}.json`, ...objects);
    }
    const { batch, next } = watching();
    expect((await batch()).services.size).toBe(5000);
    for (let round = 1; round <= 10; round++) {
      await replace(
        '7.json',
        ...Array.from({ length: 100 }, (_, i) => service(`web-7-${i}`, i === 3 ? round : 80)),
      );
      expect(await next()).toEqual({ ...nothing, services: { 'ns/web-7-3': String(round) } });
    }
  });
});

describe('a check of a directory of manifests', () => {
  test('gives objects, problems and what was passed over, in one look', async () => {
    await put('a.yaml', service('a'), slice('a', '10.1.0.1'), { apiVersion: 'v1', kind: 'ConfigMap' });
    await writeFile(join(directory, 'b.yaml'), 'a: "b');
    const { files, services, slices, problems, skipped } = await checkServiceDirectory(directory);
    expect([files, [...services.keys()], [...slices.keys()], [...skipped]]).toEqual([
      2,
      ['ns/a'],
      ['ns/a-1'],
      [['ConfigMap', 1]],
    ]);
    expect(problems.map(({ object }) => object)).toEqual([`${directory}/b.yaml, document 1`]);
  });

  test('of what is not there is a problem', async () => {
    const { files, problems } = await checkServiceDirectory(join(directory, 'none'));
    expect(files).toBe(0);
    expect(problems[0]?.message).toMatch(/there is no such directory/);
  });
});
