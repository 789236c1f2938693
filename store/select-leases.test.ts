import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../net/address.ts';
import { parseLeaseKey } from './lease-key.ts';
import type { UsableRecord } from './lease-record.ts';
import { decodeNetworkConfig } from './network-config.ts';
import { holderOf, type SelectInput, selectLeases } from './select-leases.ts';

const config = decodeNetworkConfig('{"Network":"10.0.0.0/16"}');

function file(
  key: string,
  renewedAt: number,
  { node = key, publicIp = `192.0.2.${renewedAt}` } = {},
): UsableRecord {
  const subnets = parseLeaseKey(key);
  const lease = { ...subnets, node, publicIp: IpAddress.parse(publicIp), backendType: 'host-gw' };
  return {
    key,
    path: `${key}.json`,
    subnets,
    renewedAt,
    lease,
    dated: { ...lease, expiresAt: renewedAt },
    problem: undefined,
  };
}

function select(files: readonly UsableRecord[], input: Partial<SelectInput> = {}) {
  const options = { config, own: undefined, incumbents: new Set<string>(), ...input };
  const results = [files, files.toReversed()].map((order) => {
    const { selected, problems } = selectLeases({ ...options, files: order });
    return { keys: selected.map(({ key }) => key).sort(), problems: problems.map(({ message }) => message) };
  });
  expect(results[1]).toEqual(results[0]);
  return results[0];
}

describe('selecting leases', () => {
  test('takes all that are inside of the network and apart', () => {
    expect(select([file('10.0.1.0-24', 1), file('10.0.2.0-24', 2)])).toEqual({
      keys: ['10.0.1.0-24', '10.0.2.0-24'],
      problems: [],
    });
  });

  test('leaves out what is outside of the network or of a family that is off', () => {
    expect(select([file('10.1.1.0-24', 1), file('10.0.0.0-15', 2), file('fd00::-64', 3)])).toEqual({
      keys: [],
      problems: [
        'Cannot use lease "10.1.1.0-24.json": "10.1.1.0/24" is outside of the network "10.0.0.0/16"',
        'Cannot use lease "10.0.0.0-15.json": "10.0.0.0/15" is outside of the network "10.0.0.0/16"',
        'Cannot use lease "fd00::-64.json": the network has no IPv6, but it holds "fd00::/64"',
      ],
    });
  });

  test('of two that overlap the older stays, then the smaller key', () => {
    expect(select([file('10.0.1.0-24', 2), file('10.0.0.0-22', 1, { node: 'n1' })])).toEqual({
      keys: ['10.0.0.0-22'],
      problems: [
        'Cannot use lease "10.0.1.0-24.json": "10.0.1.0/24" overlaps "10.0.0.0/22" of node "n1" in "10.0.0.0-22.json"',
      ],
    });
    const equal = [file('10.0.0.0-22', 1), file('10.0.0.0-23', 1, { publicIp: '192.0.2.9' })];
    expect(select(equal)?.keys).toEqual(['10.0.0.0-22']);
  });

  test('one that counted before stays when a renewal makes it the younger, or another dates itself back', () => {
    const [first, late] = [file('10.0.1.0-24', 9, { node: 'n1' }), file('10.0.0.0-22', 1)];
    expect(select([first, late])?.keys).toEqual(['10.0.0.0-22']);
    expect(select([first, late], { incumbents: new Set(['10.0.1.0-24 n1']) })?.keys).toEqual(['10.0.1.0-24']);
    // The name alone is not enough: another holder under the same name is a latecomer too.
    expect(select([first, late], { incumbents: new Set(['10.0.1.0-24 n7']) })?.keys).toEqual(['10.0.0.0-22']);
  });

  test('our own stays against anyone', () => {
    const [own, other] = [file('10.0.1.0-24', 9), file('10.0.0.0-22', 1, { node: 'n1' })];
    const incumbents = new Set(['10.0.0.0-22 n1']);
    expect(select([own, other], { own: '10.0.1.0-24', incumbents })?.keys).toEqual(['10.0.1.0-24']);
  });

  test('of two with one public address the older stays', () => {
    const files = [file('10.0.1.0-24', 1, { node: 'n1' }), file('10.0.2.0-24', 2, { publicIp: '192.0.2.1' })];
    expect(select(files)).toEqual({
      keys: ['10.0.1.0-24'],
      problems: [
        'Cannot use lease "10.0.2.0-24.json": the public address "192.0.2.1" is also that of node "n1" in "10.0.1.0-24.json"',
      ],
    });
  });

  test('knows a holder by node name, else by address', () => {
    const { selected } = selectLeases({
      files: [file('10.0.1.0-24', 1, { node: 'n1' })],
      ...{ config, own: undefined, incumbents: new Set<string>() },
    });
    expect(selected.map(holderOf)).toEqual(['10.0.1.0-24 n1']);
    expect(
      selected.map((found) => holderOf({ ...found, lease: { ...found.lease, node: undefined } })),
    ).toEqual(['10.0.1.0-24 192.0.2.1']);
  });
});
