import { expect, test } from '@jest/globals';
import { WireguardKey } from '../../net/wireguard-key.ts';
import type { CarrierPlan } from './carrier.ts';
import { withRetired } from './retired-carriers.ts';

const publicKey = WireguardKey.parse('yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=');

function planOf(link: string): CarrierPlan {
  const peer = {
    publicKey,
    presharedKey: undefined,
    endpoint: undefined,
    keepaliveSeconds: 0,
    allowedIps: [],
  };
  return {
    devices: [{ kind: 'wireguard', link, listenPort: 51820, publicKey }],
    peers: new Map([[`${link} peer`, { kind: 'wireguard', link, peer }]]),
  };
}

const nothing: CarrierPlan = { devices: [], peers: new Map() };
const before = planOf('flannel-wg');

test('what is of a link that stays goes on beside what is new', () => {
  const now = planOf('flannel-wg-v6');
  const { devices, peers } = withRetired(now, { before, links: new Set(['flannel-wg']) });
  expect(devices).toEqual([...now.devices, ...before.devices]);
  expect([...peers.keys()]).toEqual(['flannel-wg-v6 peer', 'flannel-wg peer']);
});

test.each([
  ['no link stays', before, []],
  ['another one stays', before, ['flannel.1']],
  ['there was none before', undefined, ['flannel-wg']],
] as const)('the plan itself when %s', (_, was, links) => {
  expect(withRetired(nothing, { before: was, links: new Set<string>(links) })).toBe(nothing);
});
