// Two nodes with kernels of their own: leases in a directory that both write, VXLAN between them, pods that reach each other, a service.
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
  removePod,
  serviceDirectory,
  startNode,
  subnetOf,
  within,
} from './guest-node.ts';
import { machineNetwork, machineTest } from './machine.ts';
import { serviceManifest } from './service-manifest.ts';

machineTest('two machines: pods across VXLAN between separate kernels, and a service', async () => {
  await using network = await machineNetwork();
  const share = network.directory;
  makeStore(share);
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
  const subnets = await Promise.all(machines.map(subnetOf));
  expect(new Set(subnets).size).toBe(2);

  const pods = new Map(
    await Promise.all(
      machines.map(async (machine, i) => {
        const pod = `pod-${i + 1}`;
        return [pod, { machine, address: await addPod(machine, pod) }] as const;
      }),
    ),
  );
  await expectMesh(pods);

  const [first, second] = machines;
  const backend = pods.get('pod-2');
  if (first === undefined || second === undefined || backend === undefined)
    throw new Error('Cannot find both nodes');
  const manifest = serviceManifest({ address: '10.96.0.10', endpoints: [backend.address] });
  writeFileSync(join(serviceDirectory(share), 'web.json'), JSON.stringify(manifest));
  await within(
    first,
    'ip netns exec pod-1 curl -sf --max-time 5 http://10.96.0.10/name',
    'nft list table ip netloom-proxy',
  );
  expect(await askFrom(first, { pod: 'pod-1', address: '10.96.0.10', port: 80 })).toBe('pod-2 1000000');

  await removePod(second, 'pod-2');
  expect(await givenOut(second)).toEqual([]);
  // In order, as every node ends some day: it also leaves what Node compiled to the next run.
  await second.down();
});
