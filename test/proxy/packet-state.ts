// A state of the cluster as the packet table has it: objects as an operator writes them, choices of the node's configuration, and the
// rows that must hold then. Not the states (states/), nor who brings a mode into them (mode-run.ts).

export interface PacketState {
  readonly name: string;
  /** Kubernetes objects, in YAML. */
  readonly manifests: string;
  readonly node?: NodeChoices;
  /** In the form of packet-row.ts, one a line. */
  readonly rows: string;
}

/** What is left out is as in `usualChoices`. */
export interface NodeChoices {
  /** "prefix" is 10.0.0.0/8 and fd00:10::/32, all pods of the cluster; "node-prefix" is this node's part of them. */
  readonly detector?: 'prefix' | 'node-prefix' | 'bridge cni0' | 'links cn' | 'none';
  readonly masqueradeAll?: boolean;
  readonly masqueradeMark?: number;
  /** "default" is what kube-proxy does in the mode: the primary address in nftables mode, all in the others. */
  readonly nodePortIps?: 'default' | 'all' | readonly string[];
  /** "default": in iptables mode only, as kube-proxy. */
  readonly localhostNodePorts?: 'default' | boolean;
  /** Label topology.kubernetes.io/zone. */
  readonly zone?: string | undefined;
  readonly dropInvalid?: boolean;
  readonly serviceNetworks?: readonly string[];
}

export const usualChoices = {
  detector: 'prefix',
  masqueradeAll: false,
  masqueradeMark: 0x4000,
  nodePortIps: 'default',
  localhostNodePorts: 'default',
  zone: 'zone-a',
  dropInvalid: true,
  serviceNetworks: ['172.30.0.0/16', 'fd00:172:30::/112'],
} as const satisfies Required<NodeChoices>;

/** Several objects in one text. */
export function together(...manifests: readonly string[]): string {
  return manifests.map((one) => one.trim()).join('\n---\n');
}
