// Two kernels of their own that talk by the backends which the kernel at hand lacks: IP in IP, and WireGuard with its keys, which no restart
// and no lost device may change.
import { expect } from '@jest/globals';
import { addPod, expectMesh, makeStore, nodeReady, startNode } from '../guest-node.ts';
import { type Machine, machineNetwork, machineTest } from '../machine.ts';

const key = '/var/lib/netloom/wireguard.key';

async function cluster(
  network: Awaited<ReturnType<typeof machineNetwork>>,
  backend: Readonly<Record<string, unknown>>,
) {
  const share = network.directory;
  makeStore(share, backend);
  const machines = ['node-1', 'node-2'].map((name, i) =>
    network.machine({ name, address: `192.0.2.${i + 1}/24`, share, memory: 768 }),
  );
  await Promise.all(
    machines.map(async (machine) => {
      await machine.up();
      await startNode(machine, { share });
    }),
  );
  await Promise.all(machines.map((machine) => nodeReady(machine, { peers: 1 })));
  const pods = new Map(
    await Promise.all(
      machines.map(async (machine, i) => {
        const pod = `pod-${i + 1}`;
        return [pod, { machine, address: await addPod(machine, pod) }] as const;
      }),
    ),
  );
  return { share, machines, pods };
}

machineTest('two machines: pods across IP in IP', async () => {
  await using network = await machineNetwork();
  const { pods } = await cluster(network, { Type: 'ipip' });
  await expectMesh(pods, 1480);
});

/** Counts what leaves by the wire: pods' packets as they are, and WireGuard's. */
const counters = `nft -f - <<'END'
table inet watch {
  counter clear {}
  counter sealed {}
  chain out {
    type filter hook postrouting priority 300
    oifname "eth0" ip daddr 10.244.0.0/16 counter name clear
    oifname "eth0" udp dport 51820 counter name sealed
  }
}
END`;

async function counted(machine: Machine, name: string): Promise<number> {
  const text = await machine.shell(`nft list counter inet watch ${name}`);
  return Number(/packets (\d+)/.exec(text)?.[1]);
}

machineTest(
  'two machines: pods across WireGuard; a kill, a start and a lost device; nothing leaves in the clear',
  async () => {
    await using network = await machineNetwork();
    const psk = Buffer.alloc(32, 7).toString('base64');
    const { share, machines, pods } = await cluster(network, { Type: 'wireguard', PSK: psk });
    const [first] = machines;
    const target = pods.get('pod-2')?.address;
    if (first === undefined || target === undefined) throw new Error('Cannot find both nodes');
    await first.shell(counters);
    await expectMesh(pods, 1420);
    const made = await first.shell(`stat -c %a ${key}; cat ${key}`);
    expect(made).toMatch(/^600\n[A-Za-z0-9+/]{43}=\n$/);

    // The agent dies and comes back while pods talk: the device and its sessions live on.
    const ping = `ip netns exec pod-1 ping -i 0.2 -w 60 -n -q ${target}`;
    const printed = await first.shell(
      `${ping} >/tmp/ping.txt & PING=$!
sleep 2
pkill -KILL -f '[n]ode --iface=eth0'
sleep 1
echo killed
wait $PING; cat /tmp/ping.txt`,
      { seconds: 120 },
    );
    expect(printed).toMatch(/killed/);
    expect(printed).toMatch(/ 0% packet loss/);
    await startNode(first, { share });
    await nodeReady(first, { peers: 1 });
    expect(await first.shell(`stat -c %a ${key}; cat ${key}`)).toBe(made);
    await expectMesh(pods, 1420);

    // Somebody deletes the device: it comes back with its key and its peers.
    await first.shell('ip link delete flannel-wg');
    await nodeReady(first, { peers: 1 });
    await expectMesh(pods, 1420);

    expect(await counted(first, 'clear')).toBe(0);
    expect(await counted(first, 'sealed')).toBeGreaterThan(100);
  },
);
