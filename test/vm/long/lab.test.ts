// A whole lab inside a virtual machine, whose kernel has what this one lacks: wires that lose, delay and reorder packets (netem), and IPVS.
// The checks of the lab must hold all the same.
import { fileURLToPath } from 'node:url';
import { expect } from '@jest/globals';
import { z } from 'zod';
import { machineNetwork, machineTest } from '../machine.ts';

const netloom = fileURLToPath(new URL('../../../scripts/netloom', import.meta.url));
const minutes = 60_000;

const report = z.object({
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
});

const cases: readonly { readonly name: string; readonly flags: string; readonly netem?: string }[] = [
  { name: 'wires that delay by 20 ms', flags: '', netem: 'delay 20ms 5ms' },
  { name: 'wires that lose one packet in fifty', flags: '', netem: 'loss 2%' },
  { name: 'wires that let every fourth packet overtake', flags: '', netem: 'delay 10ms reorder 25% 50%' },
  {
    name: 'wires that do all of it and double some',
    flags: '--backend host-gw',
    netem: 'delay 10ms 5ms loss 1% reorder 25% duplicate 1%',
  },
  { name: 'nodes that talk by IP in IP', flags: '--backend ipip' },
  { name: 'nodes that talk by WireGuard', flags: '--backend wireguard' },
  { name: 'services by IPVS', flags: '--proxy-mode ipvs' },
];

for (const { name, flags, netem } of cases) {
  machineTest(
    `a lab in a machine: ${name}`,
    async () => {
      await using network = await machineNetwork();
      const machine = network.machine({ name: 'lab', memory: 2048, cpus: 2 });
      await machine.up();
      const seconds = 1800;
      // As on any node of Kubernetes: answers between two pods of one bridge then meet what translated the question.
      await machine.shell('modprobe br_netfilter');
      await machine.shell(`${netloom} lab up --nodes 2 --pods-per-node 2 --patience 20 ${flags}`, {
        seconds,
      });
      if (netem !== undefined) {
        const fabric = 'ip netns exec netloom-default-fabric';
        // On the fabric's side of each node's wire: what goes to a node passes it, both ways of a connection.
        await machine.shell(
          `for port in n1 n2; do ${fabric} tc qdisc add dev $port root netem ${netem}; done`,
        );
      }
      const { stdout, stderr } = await machine.exec([netloom, 'lab', 'check', '--json'], { seconds });
      const { checks } = report.parse(
        JSON.parse(stdout === '' ? `{"error": ${JSON.stringify(stderr)}}` : stdout),
      );
      expect(checks.filter(({ ok }) => !ok)).toEqual([]);
      expect(checks.length).toBeGreaterThan(20);
      if (netem !== undefined) {
        // They were there: packets went through them.
        const statistics = await machine.shell(
          'ip netns exec netloom-default-fabric tc -s qdisc show dev n1',
        );
        expect(statistics).toMatch(/netem.*\n *Sent [1-9]/);
      }
      await machine.shell(`${netloom} lab down`, { seconds });
      expect(await machine.shell('ls /run/netns')).toBe('');
    },
    { timeout: 60 * minutes },
  );
}
