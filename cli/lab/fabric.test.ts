import { expect, test } from '@jest/globals';
import { Netns } from '../../kernel/netns.ts';
import { routeStepText } from '../../kernel/route/text.ts';
import { fabricSteps, nodeSteps, outsideSteps } from './fabric.ts';
import { planLab } from './lab-plan.ts';

const plan = planLab({ name: 'default', nodes: 2, podsPerNode: 0, backend: 'vxlan' });

test('the fabric has a bridge and a port for outside and for each node', () => {
  // Only named in the steps: any handle does.
  using netns = Netns.current();
  expect(fabricSteps(plan, () => netns).map(routeStepText)).toEqual([
    'ip link set lo up',
    'ip link add underlay up type bridge',
    ...['outside', 'n1', 'n2'].map(
      (port) => `ip link add ${port} master underlay up type veth peer name eth0 netns ${netns.path}`,
    ),
  ]);
});

test('a node has its address and the way out', () => {
  const [node] = plan.nodes;
  if (node === undefined) throw new Error('the plan has nodes');
  expect(nodeSteps(plan, node).map(routeStepText)).toEqual([
    'ip link set lo up',
    'ip link set eth0 up',
    'ip address add 192.0.2.11/24 dev eth0',
    'ip route replace default via 192.0.2.1 dev eth0 proto static',
  ]);
});

test('outside has the gateway’s and the internet’s address, and no route to the pods', () => {
  expect(outsideSteps(plan).map(routeStepText)).toEqual([
    'ip link set lo up',
    'ip link set eth0 up',
    'ip address add 192.0.2.1/24 dev eth0',
    'ip address add 198.51.100.10/32 dev lo',
    'ip route replace 203.0.113.0/24 via 192.0.2.11 dev eth0 proto static',
  ]);
});

test('with both families all have an address and a way of each, at once', () => {
  const dual = planLab({ name: 'default', nodes: 1, podsPerNode: 0, backend: 'vxlan', families: 'dual' });
  const [node] = dual.nodes;
  if (node === undefined) throw new Error('the plan has nodes');
  expect(nodeSteps(dual, node).slice(2).map(routeStepText)).toEqual([
    'ip address add 192.0.2.11/24 dev eth0',
    'ip -6 address add 2001:db8:192:2::11/64 dev eth0 nodad',
    'ip route replace default via 192.0.2.1 dev eth0 proto static',
    'ip -6 route replace default via 2001:db8:192:2::1 dev eth0 proto static',
  ]);
  expect(outsideSteps(dual).slice(2).map(routeStepText)).toEqual([
    'ip address add 192.0.2.1/24 dev eth0',
    'ip address add 198.51.100.10/32 dev lo',
    'ip -6 address add 2001:db8:192:2::1/64 dev eth0 nodad',
    'ip -6 address add 2001:db8:198:51::10/128 dev lo nodad',
    'ip route replace 203.0.113.0/24 via 192.0.2.11 dev eth0 proto static',
    'ip -6 route replace 2001:db8:203:113::/64 via 2001:db8:192:2::11 dev eth0 proto static',
  ]);
});
