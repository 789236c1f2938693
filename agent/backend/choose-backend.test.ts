import { expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import { sampleConfig, sampleUnderlay } from '../sample-cluster.ts';
import { whyNotBackend } from './choose-backend.ts';

const translated = {
  ...sampleUnderlay(),
  ip4: { address: IpAddress.parse('192.0.2.1'), publicIp: IpAddress.parse('203.0.113.1') },
};

test.each([
  [{ Type: 'vxlan' }, translated, undefined],
  [{ Type: 'host-gw' }, sampleUnderlay(), undefined],
  [{ Type: 'vxlan', VNI: 4_194_304 }, sampleUnderlay(), undefined],
  [
    { Type: 'vxlan', VNI: 16_777_215 },
    sampleUnderlay(),
    'Cannot run backend "vxlan" with "VNI" 16777215: the device\'s name "flannel.16777215" would be longer than 15 bytes',
  ],
  [
    { Type: 'vxlan', GBP: true },
    sampleUnderlay(),
    'Cannot run backend "vxlan" with "GBP": group policy marks are not carried over the pods\' bridge; remove it from the configuration',
  ],
  [
    { Type: 'host-gw' },
    translated,
    'Cannot run backend "host-gw": the public address "203.0.113.1" is not "192.0.2.1" of interface "eth0", and peers must be able to route through it',
  ],
  [
    { Type: 'tencent-vpc' },
    sampleUnderlay(),
    'Cannot run backend "tencent-vpc": "vxlan", "host-gw", "wireguard", "ipip", "udp", "extension" and "alloc" are supported',
  ],
  [{ Type: 'wireguard' }, translated, undefined],
  [
    { Type: 'wireguard', Mode: 'ipv6' },
    sampleUnderlay(),
    'Cannot run backend "wireguard" with "Mode" "ipv6": the network has no IPv6',
  ],
  [{ Type: 'ipip' }, translated, undefined],
  [{ Type: 'udp' }, translated, undefined],
  [{ Type: 'alloc' }, translated, undefined],
])('%j', (backend, underlay, reason) => {
  expect(whyNotBackend(sampleConfig({ backend }), underlay)).toBe(reason);
});

test('two devices of wireguard do not listen on one port', () => {
  const families = [4, 6] as const;
  const reason = (backend: object) =>
    whyNotBackend(
      sampleConfig({ backend: { Type: 'wireguard', ...backend }, families }),
      sampleUnderlay(families),
    );
  expect(reason({ ListenPort: 51821 })).toBe(
    'Cannot run backend "wireguard": "ListenPort" and "ListenPortV6" are both 51821, and there are two devices',
  );
  expect(reason({ ListenPort: 51821, Mode: 'auto' })).toBeUndefined();
});

test.each(['ipip', 'udp'])('%s has no IPv6', (type) => {
  const families = [4, 6] as const;
  const why = whyNotBackend(sampleConfig({ backend: { Type: type }, families }), sampleUnderlay(families));
  expect(why?.startsWith(`Cannot run backend "${type}" for "fd00:244::/48": it carries IPv4 only`)).toBe(
    true,
  );
});
