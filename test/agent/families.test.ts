// The families of a running cluster are changed: all nodes follow the configuration, keep the subnets of the families that stay, and leave
// nothing of one that goes.
import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from '@jest/globals';
import { nodeState, run, TestCluster, type TestNode, until, untilStatus } from './cluster.ts';

let cluster: TestCluster;
afterEach(() => cluster.close());

const ip4 = { Network: '10.244.0.0/16' };
const ip6 = { EnableIPv6: true, IPv6Network: 'fd00:244::/48' };

/** The pods' gateways of a node, by family. */
function gatewaysOf({ subnetFile }: TestNode): Readonly<Record<'IPV6_' | '', string | undefined>> {
  const env = readFileSync(subnetFile, 'utf8');
  const of = (name: string) => new RegExp(`^FLANNEL_${name}SUBNET=(.*)/\\d+$`, 'm').exec(env)?.[1];
  return { '': of(''), IPV6_: of('IPV6_') };
}

function reaches(from: TestNode, to: TestNode): boolean {
  const [own, others] = [gatewaysOf(from), gatewaysOf(to)];
  return (['', 'IPV6_'] as const).every((name) => {
    const [source, target] = [own[name], others[name]];
    if (source === undefined || target === undefined) return source === target;
    return run(`ip netns exec ${from.place.name} ping -c 1 -W 1 -n -I ${source} ${target}`, {
      quiet: true,
    }).includes(' 0% packet loss');
  });
}

test.each(['vxlan', 'host-gw'])('IPv4, then both, then IPv6 alone, and back, over %s', async (Type) => {
  const Backend = { Type };
  const configs = [
    { has: { 4: true, 6: false }, config: { ...ip4, Backend } },
    { has: { 4: true, 6: true }, config: { ...ip4, ...ip6, Backend } },
    { has: { 4: false, 6: true }, config: { EnableIPv4: false, ...ip6, Backend } },
    { has: { 4: true, 6: true }, config: { ...ip4, ...ip6, Backend } },
    { has: { 4: true, 6: false }, config: { ...ip4, Backend } },
  ];
  cluster = new TestCluster({ nodes: 2, config: { ...ip4, Backend } });
  const [first, second] = cluster.nodes;
  if (first === undefined || second === undefined) throw new Error('two nodes are wanted');
  await cluster.up();
  let before = gatewaysOf(first);
  for (const { has, config } of configs) {
    cluster.writeConfig(config);
    for (const node of cluster.nodes)
      await untilStatus(node, ({ ready, lease, peers: [peer] }) => {
        const both = [lease?.subnet, lease?.subnet6, peer?.subnet, peer?.subnet6].map(
          (subnet) => subnet !== undefined,
        );
        return ready && peer?.programmed === true && both.join() === [has[4], has[6], has[4], has[6]].join();
      });
    await until(
      () => reaches(first, second) && reaches(second, first),
      () => `no answer with ${JSON.stringify(config)}\n${nodeState(first)}`,
    );
    const now = gatewaysOf(first);
    // What stays, stays as it is.
    for (const name of ['', 'IPV6_'] as const)
      if (now[name] !== undefined && before[name] !== undefined) expect(now[name]).toBe(before[name]);
    before = now;
    // A device stays for another minute (agent/retired-devices.ts), with what is on it.
    const state = nodeState(first)
      .split('\n')
      .filter((line) => !/\bflannel(-v6)?\.1\b/.test(line) || line.includes(' via '))
      .join('\n');
    if (!has[4]) expect(state).not.toContain('10.244.');
    if (!has[6]) expect(state).not.toContain('fd00:244:');
  }
});
