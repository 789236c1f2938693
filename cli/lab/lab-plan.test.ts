import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isLabName, type LabOptions, labName, labNetnsPrefix, planLab, podName } from './lab-plan.ts';

const usual: LabOptions = { name: 'default', nodes: 2, podsPerNode: 2, backend: 'vxlan' };

test('names, addresses and directories of a lab', () => {
  const plan = planLab(usual);
  expect(JSON.parse(JSON.stringify(plan))).toEqual({
    name: 'default',
    backend: 'vxlan',
    proxyMode: 'nftables',
    agentFlags: [],
    patience: 1,
    directory: '/run/netloom-lab/default',
    storeDirectory: '/run/netloom-lab/default/store',
    networks: [
      {
        family: 4,
        gateway: '192.0.2.1/24',
        internet: '198.51.100.10',
        pods: '10.244.0.0/16',
        services: '10.96.0.0/16',
        loadBalancers: '203.0.113.0/24',
      },
    ],
    fabric: { netns: 'netloom-default-fabric' },
    outside: { netns: 'netloom-default-outside' },
    nodes: [
      {
        name: 'n1',
        netns: 'netloom-default-n1',
        addresses: ['192.0.2.11/24'],
        directory: '/run/netloom-lab/default/nodes/n1',
      },
      {
        name: 'n2',
        netns: 'netloom-default-n2',
        addresses: ['192.0.2.12/24'],
        directory: '/run/netloom-lab/default/nodes/n2',
      },
    ],
    pods: [
      { name: 'pod-1a', node: 'n1', netns: 'netloom-default-pod-1a', labels: { app: 'echo', pod: 'pod-1a' } },
      { name: 'pod-1b', node: 'n1', netns: 'netloom-default-pod-1b', labels: { app: 'echo', pod: 'pod-1b' } },
      { name: 'pod-2a', node: 'n2', netns: 'netloom-default-pod-2a', labels: { app: 'echo', pod: 'pod-2a' } },
      { name: 'pod-2b', node: 'n2', netns: 'netloom-default-pod-2b', labels: { app: 'echo', pod: 'pod-2b' } },
    ],
  });
});

test.each([
  ['v4', ['10.244.0.0/16'], ['192.0.2.11/24']],
  ['v6', ['fd00:10:244::/56'], ['2001:db8:192:2::11/64']],
  ['dual', ['10.244.0.0/16', 'fd00:10:244::/56'], ['192.0.2.11/24', '2001:db8:192:2::11/64']],
] as const)('families %s', (families, pods, addresses) => {
  const plan = planLab({ ...usual, families });
  expect(plan.networks.map((network) => String(network.pods))).toEqual(pods);
  expect(plan.nodes[0]?.addresses.map(String)).toEqual(addresses);
});

test('no two things of a lab share a name or an address, whatever its size', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 20 }), (nodes, podsPerNode) => {
      const plan = planLab({ ...usual, nodes, podsPerNode, families: 'dual' });
      const names = [
        plan.fabric.netns,
        plan.outside.netns,
        ...plan.nodes.map((n) => n.netns),
        ...plan.pods.map((p) => p.netns),
      ];
      expect(new Set(names).size).toBe(2 + nodes + nodes * podsPerNode);
      const gateways = plan.networks.map(({ gateway }) => gateway);
      const addresses = [...gateways, ...plan.nodes.flatMap((n) => n.addresses)].map(String);
      expect(new Set(addresses).size).toBe(2 * (1 + nodes));
      for (const { addresses: own } of plan.nodes)
        expect(own.map(({ address }, i) => plan.networks[i]?.gateway.contains(address))).toEqual([
          true,
          true,
        ]);
      for (const pod of plan.pods) expect(podName(pod.name)).toBe(pod.name);
    }),
  );
});

test.each([
  [{ nodes: 0 }, 'Cannot make a lab of 0 nodes: want 1 to 50'],
  [{ nodes: 51 }, 'Cannot make a lab of 51 nodes: want 1 to 50'],
  [{ podsPerNode: 21 }, 'Cannot make a lab of 21 pods per node: want 0 to 20'],
  [{ name: 'a-b' }, 'Cannot name a lab "a-b"'],
  [
    { backend: 'ipip', families: 'dual' },
    'Cannot make a lab of families "dual": Cannot run backend "ipip" for "fd00:10:244::/56": it carries IPv4 only',
  ],
] as const)('a plan with %j is refused', (change, message) => {
  expect(() => planLab({ ...usual, ...change })).toThrow(message);
});

describe('names', () => {
  test.each(['default', 'a', 'lab2', 'abcdefghij123456'])('a lab may be called "%s"', (name) => {
    expect(labName(name)).toBe(name);
  });

  test.each(['', 'test', 'bench', 'A', '1a', 'a-b', 'a/b', '..', 'abcdefghij1234567', 'ä'])(
    'a lab may not be called "%s"',
    (name) => {
      expect(isLabName(name)).toBe(false);
      expect(() => labName(name)).toThrow(SyntaxError);
    },
  );

  test('the namespaces of one lab never look like those of another', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9]{0,15}$/).filter(isLabName);
    fc.assert(
      fc.property(name, name, fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), (one, other, member) => {
        const foreign = `${labNetnsPrefix(other)}${member}`;
        expect(foreign.startsWith(labNetnsPrefix(one))).toBe(one === other);
      }),
    );
  });

  test.each(['web', 'pod-1a', 'a'])('a pod may be called "%s"', (name) => {
    expect(podName(name)).toBe(name);
  });

  test.each(['', 'n1', 'n42', 'outside', 'fabric', '-a', 'a-', 'A', '../x', 'x'.repeat(33)])(
    'a pod may not be called "%s"',
    (name) => {
      expect(() => podName(name)).toThrow(SyntaxError);
    },
  );
});
