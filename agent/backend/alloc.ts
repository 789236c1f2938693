// The alloc backend: leases and subnet.env, nothing else. Pods have their addresses, and how packets get from node to node is somebody
// else's business (a cloud's route table, a router).
import type { Lease } from '../../store/lease.ts';
import type { Underlay } from '../underlay.ts';
import type { Advertisement, BackendDevices, BackendInput, PeerParts } from './backend.ts';

export function advertiseAlloc({ ip4, ip6 }: Underlay): Advertisement {
  return { publicIp: ip4?.publicIp, publicIp6: ip6?.publicIp, backendType: 'alloc' };
}

export function allocDevices({ underlay }: BackendInput): BackendDevices {
  return { links: [], addresses: [], mtu: underlay.mtu };
}

export function planAllocPeer(lease: Lease): PeerParts {
  const keys = { neighbours: [], fdb: [], routes: [] };
  return { plan: { lease, path: 'external', keys }, neighbours: [], fdb: [], routes: [] };
}
