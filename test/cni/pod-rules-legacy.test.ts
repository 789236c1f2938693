// The iptables backend with iptables-legacy, whose lines must read the same.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createIptablesPodFirewall } from '../../agent/wiring/rules/iptables-pod-firewall.ts';
import { samplePod, samplePort } from '../../agent/wiring/rules/sample-pods.ts';
import { execute } from '../../kernel/exec.ts';
import { openIptables } from '../../kernel/iptables/driver.ts';
import { hasLegacyTables } from '../../kernel/iptables/legacy-tables.ts';
import { Prefix } from '../../net/prefix.ts';
import { refuseRoot } from '../sandbox.ts';
import { addresses, makePodRulesNode, type PodRulesNode } from './pod-rules-node.ts';

refuseRoot();

const program = (family: 4 | 6, verb: string) => `${family === 4 ? 'iptables' : 'ip6tables'}-legacy-${verb}`;

let lab: PodRulesNode;

beforeAll(async () => {
  lab = await makePodRulesNode();
  lab.serve('web', { port: 80, name: 'web' });
});

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

test('published ports, masquerading, and nothing left to do a second time', async () => {
  const netns = lab.netns.node;
  expect(hasLegacyTables({ netns })).toBe(false);
  const firewall = createIptablesPodFirewall({
    netns,
    access: (family) => openIptables({ family, netns, variant: 'legacy' }),
  });
  const pod = samplePod('web', {
    backend: 'iptables',
    addresses: [`${addresses.web}/24`, `${addresses.web6}/64`].map((text) => Prefix.parse(text)),
    ports: ['8080:80/tcp', `${addresses.alias}=53:53/udp`, '5000:5000/sctp'].map(samplePort),
    masquerade: true,
  });
  await firewall.add(pod);
  expect(hasLegacyTables({ netns })).toBe(true);
  expect(await firewall.check(pod)).toEqual([]);
  expect(await firewall.ensure([pod])).toEqual([]);
  const reach = (place: 'outside' | 'peer', to: string) => lab.connect(place, { to, port: 8080 });
  expect(await reach('outside', addresses.node)).toBe(`web ${addresses.outside}`);
  expect(await reach('outside', addresses.node6)).toBe(`web ${addresses.outside6}`);
  expect(await reach('peer', addresses.node)).toBe(`web ${addresses.gateway}`);
  await lab.run('node', 'iptables-legacy', '-t', 'nat', '-F', 'NETLOOM-HOSTPORT');
  expect(await firewall.check(pod)).toHaveLength(3);
  expect(await firewall.ensure([pod])).toEqual(['restore IPv4 nat']);
  await firewall.remove(pod);
  await firewall.remove(pod);
  expect(await reach('outside', addresses.node)).toBe('');
  expect(await firewall.ensure([])).not.toEqual([]);
  expect(await firewall.ensure([])).toEqual([]);
  for (const family of [4, 6] as const)
    expect((await execute([program(family, 'save')], { netns })).stdout).not.toContain('NETLOOM');
});
