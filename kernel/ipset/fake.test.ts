import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { failures, ipsetDriverSuite, reconcile } from '../../test/ipset/driver-suite.ts';
import { packet } from '../nft/packet.ts';
import { clusterIps, nodePorts, states } from './driver-cases.ts';
import { FakeIpsetKernel } from './fake.ts';
import { type Ipset, type IpsetEntry, ipsetEntries } from './objects.ts';

describe('the fake kernel', () => {
  ipsetDriverSuite(() => ({ access: new FakeIpsetKernel().access(), close: () => undefined }));

  test('keeps a set that a rule asks', () => {
    const kernel = new FakeIpsetKernel({ references: (name) => (name === 'KUBE-CLUSTER-IP' ? 2 : 0) });
    const access = kernel.access();
    access.apply([{ kind: 'set-create', set: clusterIps }]);
    expect(access.headers()).toMatchObject([{ name: 'KUBE-CLUSTER-IP', references: 2 }]);
    expect(failures(access.apply([{ kind: 'set-destroy', name: 'KUBE-CLUSTER-IP' }]))).toEqual([
      'Cannot destroy set "KUBE-CLUSTER-IP": it is in use by a rule or by another set (IPSET_ERR_BUSY)',
    ]);
    const fork = kernel.fork();
    expect(failures(fork.access().apply([{ kind: 'set-destroy', name: 'KUBE-CLUSTER-IP' }]))).toEqual([]);
    expect(fork.access().headers()).toEqual([]);
    expect(access.headers()).toHaveLength(1);
  });

  test('knows of sets whose type is none of ours', () => {
    const kernel = new FakeIpsetKernel();
    const header = { type: 'list:set', family: 0, maxElements: undefined, isPlain: true, references: 0 };
    kernel.put({ header: { ...header, name: 'KUBE-CLUSTER-IP' }, entries: new Map() });
    const access = kernel.access();
    expect(() => access.entries('KUBE-CLUSTER-IP')).toThrow(/its type is "list:set"/);
    expect(access.entries('KUBE-NONE')).toBeUndefined();
    expect([...access.entrySlices('KUBE-NONE')]).toEqual([]);
    reconcile(access, states[1]);
  });
});

describe('asking a set about a packet', () => {
  const kernel = new FakeIpsetKernel();
  const access = kernel.access();
  const ip = IpAddress.parse;
  const add = (set: Ipset, ...entries: readonly IpsetEntry[]) => {
    const steps = [...ipsetEntries(entries).values()].map((entry) => ({
      kind: 'entry-add' as const,
      set,
      entry,
    }));
    expect(failures(access.apply([{ kind: 'set-create', set }, ...steps]))).toEqual([]);
  };
  const hash = { family: 4 as const, maxElements: 10 };
  const service = { address: ip('10.96.0.1'), protocol: 'tcp' as const, port: 80 };
  add({ ...hash, name: 'ip', type: 'hash:ip' }, { address: service.address });
  add({ ...hash, name: 'ip-port', type: 'hash:ip,port' }, service, { ...service, protocol: 'sctp' });
  add(
    { ...hash, name: 'loop', type: 'hash:ip,port,ip' },
    { ...service, second: Prefix.parse('10.0.0.1/32') },
  );
  add(
    { ...hash, name: 'from', type: 'hash:ip,port,net' },
    { ...service, second: Prefix.parse('10.0.0.0/31') },
  );
  add({ ...nodePorts, name: 'ports' }, { port: 80 });
  const asked = (to: string, more: { readonly saddr?: string; readonly protocol?: number } = {}) =>
    packet({
      hook: 'input',
      saddr: ip(more.saddr ?? '10.0.0.1'),
      daddr: ip(to),
      protocol: more.protocol ?? 6,
      dport: 80,
    });

  test.each([
    ['ip', ['dst'], asked('10.96.0.1'), true],
    ['ip', ['dst', 'dst'], asked('10.96.0.1'), true],
    ['ip', ['src'], asked('10.96.0.1'), false],
    ['ip', ['dst'], asked('10.96.0.2'), false],
    ['ip', ['dst'], asked('10.96.0.1', { protocol: 1 }), true],
    ['ip', ['dst'], asked('fd00::1', { saddr: 'fd00::2' }), false],
    ['ip-port', ['dst', 'dst'], asked('10.96.0.1'), true],
    ['ip-port', ['dst', 'dst'], asked('10.96.0.1', { protocol: 132 }), true],
    ['ip-port', ['dst', 'dst'], asked('10.96.0.1', { protocol: 17 }), false],
    ['ip-port', ['dst', 'dst'], asked('10.96.0.1', { protocol: 1 }), false],
    ['ip-port', ['dst', 'src'], asked('10.96.0.1'), false],
    ['ip-port', ['dst'], asked('10.96.0.1'), false],
    ['loop', ['dst', 'dst', 'src'], asked('10.96.0.1'), true],
    ['loop', ['dst', 'dst', 'src'], asked('10.96.0.1', { saddr: '10.0.0.2' }), false],
    ['from', ['dst', 'dst', 'src'], asked('10.96.0.1', { saddr: '10.0.0.0' }), true],
    ['from', ['dst', 'dst', 'src'], asked('10.96.0.1', { saddr: '10.0.0.2' }), false],
    ['from', ['dst', 'dst', 'dst'], asked('10.96.0.1'), false],
    ['ports', ['dst'], asked('192.0.2.1'), true],
    ['ports', ['src'], asked('192.0.2.1'), false],
    ['ports', ['dst'], asked('fd00::1', { saddr: 'fd00::2', protocol: 17 }), true],
    ['ports', ['dst'], asked('192.0.2.1', { protocol: 132 }), false],
    ['none', ['dst'], asked('192.0.2.1'), false],
  ] as const)('%s %j', (name, directions, asking, is) => {
    expect(kernel.has(name, { packet: asking, directions })).toBe(is);
  });
});
