// Kubernetes as a store of the stores' benchmark: Nodes, Services and EndpointSlices as a cluster of that size has them, on an API server
// of our own that answers as a real one does in what costs (kube-server.ts), read through a relay that counts.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as breath } from 'node:timers/promises';
import { serviceObjects } from '../proxy-services.ts';
import { type KubeObject, KubeServer } from './kube-server.ts';
import { Relay } from './relay.ts';
import {
  type NodeStage,
  type NodeState,
  networkText,
  nodeName,
  nodeObject,
  readerName,
  readerNodeObject,
} from './scale-nodes.ts';
import type { ScaleStore } from './scale-store.ts';

const nodesPath = '/api/v1/nodes';
const servicesPath = '/api/v1/services';
const slicesPath = '/apis/discovery.k8s.io/v1/endpointslices';
/** kubelet writes an unchanged status so often (nodeStatusReportFrequency). */
export const heartbeatSeconds = 300;
/** How a node comes to have its lease: three writes, each of which every watcher hears. */
const stages: readonly NodeStage[] = ['made', 'networked', 'leased'];
const nodesInRow = 20;

export async function openKubernetesScaleStore(): Promise<ScaleStore> {
  const directory = mkdtempSync(join(tmpdir(), 'netloom-bench-'));
  const configPath = join(directory, 'net-conf.json');
  writeFileSync(configPath, networkText);
  const server = await KubeServer.start();
  const relay = await Relay.start({ port: server.port, protocol: 'http1' });
  const access = { server: `http://127.0.0.1:${relay.port}` };
  server.put(nodesPath, readerNodeObject());
  const known = new Set<number>();
  const putNode = (state: NodeState): void => {
    // Who is there already only tells that its device is another.
    const of = known.has(state.number) ? stages.slice(-1) : stages;
    known.add(state.number);
    for (const stage of of) server.put(nodesPath, nodeObject(state, { stage }));
  };
  return {
    name: 'kubernetes',
    relay,
    leases: { kind: 'kubernetes', access, configPath },
    services: { kind: 'kubernetes', access, node: readerName },
    async put(nodes) {
      for (const [i, state] of nodes.entries()) {
        putNode(state);
        if (i % nodesInRow === nodesInRow - 1) await breath();
      }
    },
    async remove(numbers) {
      for (const [i, number] of numbers.entries()) {
        known.delete(number);
        server.delete(nodesPath, nodeName(number));
        if (i % nodesInRow === nodesInRow - 1) await breath();
      }
    },
    beginHeartbeats(nodes) {
      let beat = 0;
      const timer = setInterval(
        () => {
          const number = beat % nodes;
          beat++;
          server.put(nodesPath, nodeObject({ number, generation: 0 }, { stage: 'leased', heartbeat: beat }));
        },
        (heartbeatSeconds * 1000) / nodes,
      );
      return () => clearInterval(timer);
    },
    async putServices(amount) {
      const services: KubeObject[] = [];
      const slices: KubeObject[] = [];
      for (let service = 0; service < amount.services; service++) {
        const [object, ...of] = serviceObjects(service, { amount }).map(asServed);
        if (object !== undefined) services.push(object);
        slices.push(...of);
        if (service % 1000 === 0) await breath();
      }
      server.fill(servicesPath, services);
      server.fill(slicesPath, slices);
    },
    async moveEndpoint(service, to) {
      const [, ...slices] = serviceObjects(service, to).map(asServed);
      for (const slice of slices.slice(-1)) server.put(slicesPath, slice);
    },
    async [Symbol.asyncDispose]() {
      await relay[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** With what a server adds to an object, and its controllers to a slice. */
function asServed({ metadata, ...rest }: ReturnType<typeof serviceObjects>[number]): KubeObject {
  return {
    metadata: {
      ...metadata,
      uid: '00000000-0000-4000-8000-000000000000',
      creationTimestamp: '2026-09-21T09:00:00Z',
      generation: 1,
      managedFields: [
        {
          manager: 'kube-controller-manager',
          operation: 'Update',
          apiVersion: 'v1',
          time: '2026-09-21T09:00:00Z',
          fieldsType: 'FieldsV1',
          fieldsV1: {
            'f:addressType': {},
            'f:endpoints': {},
            'f:metadata': { 'f:labels': { '.': {}, 'f:kubernetes.io/service-name': {} } },
            'f:ports': {},
          },
        },
      ],
    },
    ...rest,
  };
}
