// A lab's state and report for tests: two nodes, three pods. Nothing of it exists.
import type { LabReport } from './lab-report.ts';
import type { LabState } from './lab-state.ts';

export function sampleState(): LabState {
  return {
    version: 1,
    name: 'default',
    backend: 'vxlan',
    proxyMode: 'nftables',
    created: '2026-01-02T03:04:05.000Z',
    phase: 'running',
    agentFlags: [],
    patience: 1,
    podNetwork: '10.244.0.0/16',
    serviceNetwork: '10.96.0.0/16',
    loadBalancerNetwork: '203.0.113.0/24',
    outside: { netns: 'netloom-default-outside', gateway: '192.0.2.1', internet: '198.51.100.10' },
    fabric: { netns: 'netloom-default-fabric' },
    nodes: [1, 2].map((i) => ({
      name: `n${i}`,
      netns: `netloom-default-n${i}`,
      address: `192.0.2.1${i}`,
      directory: `/run/netloom-lab/default/nodes/n${i}`,
    })),
    pods: [
      samplePod('pod-1a', { node: 'n1', address: '10.244.1.2' }),
      samplePod('pod-1b', { node: 'n1', address: '10.244.1.3' }),
      samplePod('pod-2a', { node: 'n2', address: '10.244.2.2' }),
    ],
    processes: [
      { name: 'agent n1', pid: 11, startTime: 1000 },
      { name: 'agent n2', pid: 12, startTime: 1001 },
    ],
  };
}

function samplePod(
  name: string,
  { node, address }: { readonly node: string; readonly address: string },
): LabState['pods'][number] {
  return { name, node, netns: `netloom-default-${name}`, address, labels: { app: 'echo', pod: name } };
}

export function sampleReport(): LabReport {
  const { name, backend, proxyMode, phase, created, podNetwork, outside, nodes, pods } = sampleState();
  return {
    name,
    backend,
    proxyMode,
    phase,
    created,
    podNetwork,
    outside,
    nodes: nodes.map((node, i) => ({
      name: node.name,
      netns: node.netns,
      address: node.address,
      lease: `10.244.${i + 1}.0/24`,
      agent: { state: 'ready', pid: 11 + i, peers: 1, memory: 80 << 20 },
      proxy: { state: 'ready', services: 2 },
      pods: pods
        .filter((pod) => pod.node === node.name)
        .map((pod) => ({ name: pod.name, netns: pod.netns, address: pod.address ?? null })),
    })),
  };
}
