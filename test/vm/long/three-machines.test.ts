// Three nodes with kernels of their own. One is rebooted, one loses its power under load: everything comes back, and nothing leaks.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import {
  addPod,
  askFrom,
  expectMesh,
  givenOut,
  makeStore,
  nodeReady,
  serviceDirectory,
  startNode,
  subnetOf,
  within,
} from '../guest-node.ts';
import { type Machine, machineNetwork, machineTest } from '../machine.ts';
import { serviceManifest } from '../service-manifest.ts';

const minutes = 60_000;
const clusterIp = '10.96.0.10';

interface Pod {
  readonly machine: Machine;
  readonly address: string;
}

/** Two pods on each machine, whose names carry which life of the node they belong to: a runtime gives new containers new ids. */
async function podsOn(machine: Machine, life: number): Promise<readonly (readonly [string, Pod])[]> {
  const pods: (readonly [string, Pod])[] = [];
  for (const letter of ['a', 'b']) {
    const name = `${machine.name.replace('node', 'pod')}${letter}-${life}`;
    pods.push([name, { machine, address: await addPod(machine, name) }]);
  }
  return pods;
}

const addressesOn = (pods: ReadonlyMap<string, Pod>, machine: Machine): readonly string[] =>
  [...pods.values()]
    .filter((pod) => pod.machine === machine)
    .map(({ address }) => address)
    .sort();

machineTest(
  'three machines: a reboot and a power cut under load',
  async () => {
    await using network = await machineNetwork();
    const share = network.directory;
    makeStore(share);
    const start = async (machine: Machine): Promise<void> => {
      await machine.up();
      await startNode(machine, { share });
    };
    const machines = ['node-1', 'node-2', 'node-3'].map((name, i) =>
      network.machine({ name, address: `192.0.2.${i + 1}/24`, share, memory: 768, disk: 1024 }),
    );
    const [first, second, third] = machines;
    if (first === undefined || second === undefined || third === undefined)
      throw new Error('Cannot find three nodes');
    await Promise.all(machines.map(start));
    await Promise.all(machines.map((machine) => nodeReady(machine, { peers: 2 })));
    const subnets = await Promise.all(machines.map(subnetOf));
    expect(new Set(subnets).size).toBe(3);

    const pods = new Map((await Promise.all(machines.map((machine) => podsOn(machine, 1)))).flat());
    await expectMesh(pods);
    const serve = (): void =>
      writeFileSync(
        join(serviceDirectory(share), 'web.json'),
        JSON.stringify(serviceManifest({ address: clusterIp, endpoints: addressesOn(pods, first) })),
      );
    serve();
    const service = (pod: string): string =>
      `ip netns exec ${pod} curl -sf --max-time 5 http://${clusterIp}/name >/dev/null`;
    await within(third, service('pod-3a-1'), 'nft list ruleset');

    /** The node is started again, by an init system in life: new pods, its old lease, the addresses of old pods given back. */
    const comesBack = async (machine: Machine, life: number): Promise<void> => {
      const index = machines.indexOf(machine);
      await start(machine);
      await nodeReady(machine, { peers: 2 });
      expect(await subnetOf(machine)).toBe(subnets[index]);
      for (const [name, pod] of pods) if (pod.machine === machine) pods.delete(name);
      for (const [name, pod] of await podsOn(machine, life)) pods.set(name, pod);
      await within(
        machine,
        `[ "$(ls /var/lib/cni/networks/cbr0 | grep -c '^[0-9.]*$')" = 2 ]`,
        'ls /var/lib/cni/networks/cbr0; tail -n 20 /var/log/netloom.log',
      );
      expect(await givenOut(machine)).toEqual(addressesOn(pods, machine));
      await expectMesh(pods);
      await within(machine, service(`pod-${index + 1}a-${life}`), 'nft list ruleset');
    };

    // In order: what runs is told to end, the disk is written.
    await second.down();
    expect(await askFrom(third, { pod: 'pod-3a-1', address: clusterIp, port: 80 })).toContain('1000000');
    await comesBack(second, 2);

    // Without warning, while it answers to the others, asks them, and pods come and go.
    const load = 'sh -c "while :; do curl -sf --max-time 5 http://';
    const traffic = (pod: string, address: string): string =>
      `setsid ip netns exec ${pod} ${load}${address}:8080/large >/dev/null; done" >/dev/null 2>&1 </dev/null &`;
    const [fromThird = '', fromFirst = ''] = [addressesOn(pods, first)[0], addressesOn(pods, third)[0]];
    await third.shell(traffic('pod-3a-1', fromThird));
    await first.shell(traffic('pod-1a-1', fromFirst));
    const churn = (async () => {
      for (let i = 0; ; i += 1) await addPod(third, `churn-${i}`);
    })().catch(() => undefined);
    await within(third, '[ "$(ls /run/netns | grep -c churn)" -ge 2 ]', 'ls /run/netns');
    await third.cut();
    await churn;
    // The others go on without it.
    expect(await askFrom(second, { pod: 'pod-2a-2', address: clusterIp, port: 80 })).toContain('1000000');
    await comesBack(third, 2);
    expect(new Set(await Promise.all(machines.map(subnetOf)))).toEqual(new Set(subnets));
  },
  { timeout: 60 * minutes },
);
