import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IpAddress } from '../net/address.ts';
import { parseLeaseKey } from './lease-key.ts';
import { isUsable, type LeaseRecord } from './lease-record.ts';
import { LeaseSelection } from './lease-selection.ts';
import { decodeNetworkConfig } from './network-config.ts';
import { holderOf, selectLeases } from './select-leases.ts';

const ttlMs = 100;
const keys = ['10.0.0.0-23', '10.0.0.0-24', '10.0.1.0-24', '10.0.2.0-24', '10.0.3.0-24', '10.9.0.0-24'];
const configs = [{ Network: '10.0.0.0/16' }, { Network: '10.0.0.0/8' }].map((config) =>
  decodeNetworkConfig(JSON.stringify(config)),
);

type FileState = { readonly node: number; readonly host: number; readonly age: number };

function fileOf(key: string, { node, host, age }: FileState, now: number): LeaseRecord {
  const subnets = parseLeaseKey(key);
  const publicIp = IpAddress.parse('192.0.2.1').plus(host);
  const lease = { ...subnets, node: `n${node}`, publicIp, backendType: 'host-gw' };
  const renewedAt = now - age;
  const dated = { ...lease, expiresAt: renewedAt + ttlMs };
  return { key, path: `${key}.json`, subnets, renewedAt, lease, dated, problem: undefined };
}

/** What a renewal leaves of a file: its lease is the same object. */
function renewed(file: LeaseRecord, renewedAt: number): LeaseRecord {
  if (file.lease === undefined) return { ...file, renewedAt };
  return { ...file, renewedAt, dated: { ...file.lease, expiresAt: renewedAt + ttlMs } };
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      key: fc.constantFrom(...keys),
      file: fc.record({ node: fc.nat(3), host: fc.nat(5), age: fc.nat(120) }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('renew' as const), key: fc.constantFrom(...keys) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('remove' as const), key: fc.constantFrom(...keys) }),
  },
  fc.record({ kind: fc.constant('break' as const), key: fc.constantFrom(...keys) }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(60) }),
  fc.record({
    kind: fc.constant('own' as const),
    key: fc.option(fc.constantFrom(...keys), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('configure' as const), config: fc.constantFrom(...configs) }),
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('look' as const), everywhere: fc.boolean() }) },
);

test('says after any changes what selecting from all files says', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const selection = new LeaseSelection();
      const files = new Map<string, LeaseRecord>();
      let changed = new Set<string>();
      let [now, own, config] = [1_000, undefined as string | undefined, configs[0]];
      let incumbents: ReadonlySet<string> = new Set();
      let before: unknown;
      for (const next of [...steps, { kind: 'look', everywhere: false } as const]) {
        if ('key' in next && next.key !== undefined && next.kind !== 'own') changed.add(next.key);
        const file = 'key' in next && next.key !== undefined ? files.get(next.key) : undefined;
        switch (next.kind) {
          case 'write':
            files.set(next.key, fileOf(next.key, next.file, now));
            break;
          case 'renew':
            if (file !== undefined) files.set(file.key, renewed(file, now));
            break;
          case 'break':
            if (file !== undefined) files.set(file.key, { ...file, lease: undefined, dated: undefined });
            break;
          case 'remove':
            files.delete(next.key);
            break;
          case 'wait':
            now += next.ms;
            break;
          case 'own':
            own = next.key;
            break;
          case 'configure':
            config = next.config;
            break;
          case 'look': {
            if (config === undefined) throw new Error('no configuration');
            const renewedSince = now - ttlMs;
            const live = [...files.values()].filter(isUsable).filter((it) => it.renewedAt >= renewedSince);
            const wanted = selectLeases({ files: live, config, own, incumbents });
            const got = selection.update({
              ...{ files, config, own, renewedSince },
              changed: next.everywhere ? undefined : changed,
            });
            changed = new Set();
            incumbents = new Set(wanted.selected.map(holderOf));
            const sorted = wanted.selected.toSorted((a, b) => (a.key < b.key ? -1 : 1));
            expect([...got.leases]).toEqual(sorted.map(({ key, dated }) => [key, dated]));
            for (const { key, dated } of sorted) expect(got.leases.get(key)).toBe(dated);
            // Which of several reasons is told first depends on who came first.
            const objects = wanted.problems.map(({ object }) => object).sort();
            expect(got.problems.map(({ object }) => object)).toEqual(objects);
            expect(got.oldest).toBeLessThanOrEqual(Math.min(...live.map(({ renewedAt }) => renewedAt)));
            expect(got.oldest).toBeGreaterThanOrEqual(renewedSince);
            const content = sorted.map(({ key, lease }) => [key, String(lease.node), String(lease.publicIp)]);
            if (!got.changed) expect(content).toEqual(before ?? []);
            before = content;
            break;
          }
          default:
            next satisfies never;
        }
      }
    }),
    { numRuns: 500 },
  );
});

describe('a later update', () => {
  const config = configs[0] ?? decodeNetworkConfig('{"Network":"10.0.0.0/16"}');
  const first = fileOf('10.0.0.0-24', { node: 1, host: 1, age: 0 }, 0);
  const second = fileOf('10.0.2.0-24', { node: 2, host: 2, age: 0 }, 0);
  const input = { config, own: undefined, renewedSince: -ttlMs };

  test('reports no change for a renewal, and one for what is written, added or removed', () => {
    const selection = new LeaseSelection();
    const update = (...files: readonly LeaseRecord[]) =>
      selection.update({
        ...input,
        files: new Map(files.map((file) => [file.key, file])),
        changed: new Set(keys),
      });
    expect(update(first).changed).toBe(true);
    expect(update(first).changed).toBe(false);
    expect(update(renewed(first, 10)).changed).toBe(false);
    expect(update(first, second).changed).toBe(true);
    expect(update(fileOf(first.key, { node: 1, host: 4, age: 0 }, 0), second).changed).toBe(true);
    expect(update(second).changed).toBe(true);
  });

  test('leaves the leases that it gave out before as they were', () => {
    const selection = new LeaseSelection();
    const files = new Map([[first.key, first]]);
    const { leases } = selection.update({ ...input, files, changed: undefined });
    files.set(second.key, second);
    selection.update({ ...input, files, changed: new Set([second.key]) });
    expect([...leases.keys()]).toEqual([first.key]);
  });
});
