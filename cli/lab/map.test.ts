import { expect, test } from '@jest/globals';
import { drawLab } from './map.ts';
import { dualState, sampleReport } from './sample-lab.ts';

test('a lab of two nodes', () => {
  expect(`\n${drawLab(sampleReport()).join('\n')}\n`).toBe(`
lab default · vxlan · nftables · pods 10.244.0.0/16

  outside 198.51.100.10
     │ 192.0.2.1
═════╧═══════════╤═══════════════════════════════╤════════════════ underlay
  ┌──────────────┴─────────────┐  ┌──────────────┴─────────────┐
  │ n1       192.0.2.11        │  │ n2       192.0.2.12        │
  │ lease    10.244.1.0/24     │  │ lease    10.244.2.0/24     │
  │ agent    ready, 1 peer     │  │ agent    ready, 1 peer     │
  │ proxy    ready, 2 services │  │ proxy    ready, 2 services │
  ├────────────────────────────┤  ├────────────────────────────┤
  │ pod-1a   10.244.1.2        │  │ pod-2a   10.244.2.2        │
  │ pod-1b   10.244.1.3        │  └────────────────────────────┘
  └────────────────────────────┘
`);
});

test('what is wrong is said, and nodes that do not fit go below', () => {
  const report = sampleReport();
  const [n1, n2] = report.nodes;
  if (n1 === undefined || n2 === undefined) throw new Error('the sample has two nodes');
  const nodes = [
    {
      ...n1,
      lease: null,
      leases: [],
      pods: [],
      agent: { state: 'stopped', pid: null, peers: 0, memory: null },
      proxy: { state: 'stopped', services: [] },
    },
    {
      ...n2,
      agent: { ...n2.agent, state: 'silent' },
      proxy: { state: 'silent', services: [] },
      pods: [{ name: 'web', netns: 'x', address: null, addresses: [] }],
    },
    {
      ...n1,
      name: 'n3',
      agent: { ...n1.agent, state: 'not-ready', peers: 0 },
      proxy: { state: 'not-ready', services: [0] },
    },
  ] as const;
  expect(`\n${drawLab({ ...report, nodes }, 70).join('\n')}\n`).toBe(`
lab default · vxlan · nftables · pods 10.244.0.0/16

  outside 198.51.100.10
     │ 192.0.2.1
═════╧════════╤═══════════════════════════╤═══════════════ underlay
  ┌───────────┴──────────┐  ┌─────────────┴────────────┐
  │ n1       192.0.2.11  │  │ n2       192.0.2.12      │
  │ lease    none        │  │ lease    10.244.2.0/24   │
  │ agent    not running │  │ agent    does not answer │
  │ proxy    not running │  │ proxy    does not answer │
  ├──────────────────────┤  ├──────────────────────────┤
  │ no pods              │  │ web      not wired       │
  └──────────────────────┘  └──────────────────────────┘

═════════════════╤════════════════════════════════════════
  ┌──────────────┴──────────────┐
  │ n3       192.0.2.11         │
  │ lease    10.244.1.0/24      │
  │ agent    not ready, 0 peers │
  │ proxy    not ready          │
  ├─────────────────────────────┤
  │ pod-1a   10.244.1.2         │
  │ pod-1b   10.244.1.3         │
  └─────────────────────────────┘
`);
});

test('a lab of two families has a line for each address', () => {
  expect(`\n${drawLab(sampleReport(dualState())).join('\n')}\n`).toBe(`
lab default · vxlan · nftables · pods 10.244.0.0/16, fd00:10:244::/56

  outside 198.51.100.10, 2001:db8:198:51::10
     │ 192.0.2.1, 2001:db8:192:2::1
═════╧═══════════╤════════════════════════════════╤═════════════════ underlay
  ┌──────────────┴──────────────┐  ┌──────────────┴──────────────┐
  │ n1       192.0.2.11         │  │ n2       192.0.2.12         │
  │          2001:db8:192:2::11 │  │          2001:db8:192:2::12 │
  │ lease    10.244.1.0/24      │  │ lease    10.244.2.0/24      │
  │          fd00:10:244:1::/64 │  │          fd00:10:244:2::/64 │
  │ agent    ready, 1 peer      │  │ agent    ready, 1 peer      │
  │ proxy    ready, 2 services  │  │ proxy    ready, 2 services  │
  ├─────────────────────────────┤  ├─────────────────────────────┤
  │ pod-1a   10.244.1.2         │  │ pod-2a   10.244.2.2         │
  │          fd00:10:244:1::2   │  │          fd00:10:244:2::2   │
  │ pod-1b   10.244.1.3         │  └─────────────────────────────┘
  │          fd00:10:244:1::3   │
  └─────────────────────────────┘
`);
});

test('families that differ in their services are counted one by one', () => {
  const report = sampleReport(dualState());
  const nodes = report.nodes.map((node) => ({
    ...node,
    proxy: { state: 'ready', services: [1, 3] } as const,
  }));
  expect(drawLab({ ...report, nodes }).join('\n')).toContain('proxy    ready, 1 + 3 services');
});
