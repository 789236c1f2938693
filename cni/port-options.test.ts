import { describe, expect, test } from '@jest/globals';
import { readPortMappings, readPortOptions } from './port-options.ts';

const read = (value: unknown) => JSON.parse(JSON.stringify(readPortMappings(value, 'ports')));

test.each([
  [
    { hostPort: 8080, containerPort: 80 },
    { protocol: 'tcp', hostPort: 8080, containerPort: 80 },
  ],
  [
    { HostPort: 1, ContainerPort: 65535, Protocol: 'UDP', HostIP: '' },
    { protocol: 'udp', hostPort: 1, containerPort: 65535 },
  ],
  [
    { hostPort: 65535, containerPort: 1, protocol: 'Sctp', hostIP: '0.0.0.0' },
    { protocol: 'sctp', hostPort: 65535, containerPort: 1 },
  ],
  [
    { hostPort: 1, containerPort: 1, hostIP: '::' },
    { protocol: 'tcp', hostPort: 1, containerPort: 1 },
  ],
  [
    { hostPort: 1, containerPort: 1, hostIP: '127.0.0.1', protocol: '' },
    { protocol: 'tcp', hostPort: 1, containerPort: 1, hostIp: '127.0.0.1' },
  ],
  [
    { hostPort: 1, containerPort: 1, hostIP: 'FD00:0::1' },
    { protocol: 'tcp', hostPort: 1, containerPort: 1, hostIp: 'fd00::1' },
  ],
])('%j: %j', (value, expected) => {
  expect(read([value])).toEqual([expected]);
});

test('an entry without a port of the host asks for nothing', () => {
  expect(
    read([{ containerPort: 80 }, { hostPort: 0, containerPort: 80 }, { hostPort: 0, containerPort: 80 }]),
  ).toEqual([]);
});

test('one port of two protocols, or of two addresses, is two', () => {
  const port = { hostPort: 53, containerPort: 53 };
  expect(
    read([
      port,
      { ...port, protocol: 'udp' },
      { ...port, hostIP: '192.0.2.1' },
      { ...port, hostIP: '192.0.2.2' },
    ]),
  ).toHaveLength(4);
});

describe('mappings refused', () => {
  const good = { hostPort: 80, containerPort: 80 };
  test.each([
    [{}, '"ports" is {}: want a list'],
    [[1], '"ports.0" is 1: want an object'],
    [[{ hostPort: 80 }], '"ports.0.containerPort" is absent: want a number'],
    [[{ ...good, hostPort: -1 }], '"ports.0.hostPort" is -1: want at least 0'],
    [[{ ...good, hostPort: 65536 }], '"ports.0.hostPort" is 65536: want at most 65535'],
    [[{ ...good, hostPort: '80' }], '"ports.0.hostPort" is "80"'],
    [[{ ...good, containerPort: 0 }], '"ports.0.containerPort" is 0: want at least 1'],
    [[{ ...good, containerPort: 65536 }], '"ports.0.containerPort" is 65536'],
    [[good, { ...good, hostPort: 1.5 }], '"ports.1.hostPort" is 1.5: want a whole number'],
    [[{ ...good, protocol: 'icmp' }], '"ports.0.protocol" is "icmp": want one of tcp, udp, sctp'],
    [[{ ...good, protocol: 'tcp; flush ruleset' }], '"ports.0.protocol" is "tcp; flush ruleset"'],
    [[{ ...good, hostPort: 0, protocol: 'x' }], '"ports.0.protocol" is "x"'],
    [[{ ...good, hostIP: '1.2.3' }], '"ports.0.hostIP" is "1.2.3": want an IPv4 or IPv6 address'],
    [[{ ...good, hostIP: '1.2.3.4/32' }], '"ports.0.hostIP" is "1.2.3.4/32"'],
    [[{ ...good, hostIP: '::ffff:1.2.3.4' }], '"ports.0.hostIP" is "::ffff:1.2.3.4"'],
    [
      [good, { ...good, hostIP: '0.0.0.0', protocol: 'TCP' }],
      '"ports.1.hostPort" is 80: is in the list before',
    ],
  ])('%j: %s', (value, message) => {
    expect(() => read(value)).toThrow(
      expect.objectContaining({ code: 7, message: expect.stringContaining(message) }),
    );
  });
});

test.each([
  [{}, 'nftables', 'needed'],
  [{ snat: true, markMasqBit: 13, conditionsV4: [], externalSetMarkChain: '' }, 'nftables', 'needed'],
  [{ SNAT: false }, 'nftables', 'none'],
  [{ masqAll: true }, 'nftables', 'all'],
  [{ masqAll: true, snat: false }, 'nftables', 'none'],
  [{ backend: 'iptables' }, 'iptables', 'needed'],
  [{ ipMasqBackend: 'iptables' }, 'iptables', 'needed'],
  [{ backend: 'iptables', ipMasqBackend: 'iptables' }, 'iptables', 'needed'],
  [{ backend: '', ipMasqBackend: 'nftables' }, 'nftables', 'needed'],
])('%j: %s, %s', (value, backend, masquerade) => {
  expect(readPortOptions(value)).toEqual({ backend, masquerade });
});

test.each([
  [{ snat: 'yes' }, 7, '"snat" is "yes": want true or false'],
  [{ backend: 'firewalld' }, 7, '"backend" is "firewalld": want one of "", "nftables", "iptables"'],
  [
    { backend: 'iptables', ipMasqBackend: 'nftables' },
    7,
    '"ipMasqBackend" is "nftables": "backend" is "iptables"',
  ],
  [
    { conditionsV4: ['-d', '1.2.3.4'] },
    2,
    '"conditionsV4" is ["-d","1.2.3.4"]: rules come from parsed values',
  ],
  [{ conditionsV6: ['x'] }, 2, '"conditionsV6" is ["x"]'],
  [{ conditionsV6: 'x' }, 7, '"conditionsV6" is "x": want a list'],
  [
    { externalSetMarkChain: 'KUBE-MARK-MASQ' },
    2,
    '"externalSetMarkChain" is "KUBE-MARK-MASQ": what is to be',
  ],
])('%j is refused: code %d, %s', (value, code, message) => {
  expect(() => readPortOptions(value)).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(message) }),
  );
});
