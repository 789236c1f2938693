// A lab's state and report for tests: two nodes, three pods. Nothing of it exists.
import { choiceOfFamilies } from './lab-networks.ts';
import type { LabReport } from './lab-report.ts';
import type { LabState } from './lab-state.ts';

const network4 = {
  family: 4,
  gateway: '192.0.2.1',
  internet: '198.51.100.10',
  pods: '10.244.0.0/16',
  services: '10.96.0.0/16',
  loadBalancers: '203.0.113.0/24',
} as const;

const network6 = {
  family: 6,
  gateway: '2001:db8:192:2::1',
  internet: '2001:db8:198:51::10',
  pods: 'fd00:10:244::/56',
  services: 'fd00:10:96::/112',
  loadBalancers: '2001:db8:203:113::/64',
} as const;

export function sampleState(): LabState {
  return {
    version: 2,
    name: 'default',
    backend: 'vxlan',
    proxyMode: 'nftables',
    created: '2026-01-02T03:04:05.000Z',
    phase: 'running',
    agentFlags: [],
    patience: 1,
    networks: [network4],
    outside: { netns: 'netloom-default-outside' },
    fabric: { netns: 'netloom-default-fabric' },
    nodes: [1, 2].map((i) => ({
      name: `n${i}`,
      netns: `netloom-default-n${i}`,
      addresses: [`192.0.2.1${i}`],
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
  return {
    name,
    node,
    netns: `netloom-default-${name}`,
    addresses: [address],
    labels: { app: 'echo', pod: name },
  };
}

/** The same with both families. */
export function dualState(): LabState {
  const state = sampleState();
  return {
    ...state,
    networks: [network4, network6],
    nodes: state.nodes.map((node, i) => ({
      ...node,
      addresses: [...node.addresses, `2001:db8:192:2::1${i + 1}`],
    })),
    pods: state.pods.map((pod) => ({
      ...pod,
      addresses: pod.addresses.flatMap((address) => {
        const [, , node, last] = address.split('.');
        return [address, `fd00:10:244:${node}::${last}`];
      }),
    })),
  };
}

export function sampleReport(state: LabState = sampleState()): LabReport {
  const { name, backend, proxyMode, phase, created, networks, outside, nodes, pods } = state;
  return {
    name,
    backend,
    families: choiceOfFamilies(networks.map(({ family }) => family)),
    proxyMode,
    phase,
    created,
    networks,
    outside,
    nodes: nodes.map((node, i) => ({
      name: node.name,
      netns: node.netns,
      address: node.addresses[0] ?? '',
      addresses: node.addresses,
      lease: `10.244.${i + 1}.0/24`,
      leases: networks.map(({ family }) =>
        family === 4 ? `10.244.${i + 1}.0/24` : `fd00:10:244:${i + 1}::/64`,
      ),
      agent: { state: 'ready', pid: 11 + i, peers: 1, memory: 80 << 20 },
      proxy: { state: 'ready', services: networks.map(() => 2) },
      pods: pods
        .filter((pod) => pod.node === node.name)
        .map((pod) => ({
          name: pod.name,
          netns: pod.netns,
          address: pod.addresses[0] ?? null,
          addresses: pod.addresses,
        })),
    })),
  };
}
