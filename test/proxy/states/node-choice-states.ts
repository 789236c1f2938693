// States of the packet table about the node's configuration: how local traffic is told, whom to masquerade, and which addresses have
// node ports. Objects are the same throughout, so that what changes is the configuration alone.
import { type NodeChoices, type PacketState, together } from '../packet-state.ts';
import { localAndRemote } from './sample-slices.ts';

const objects = together(
  `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc1 }
spec:
  type: LoadBalancer
  clusterIP: 172.30.0.41
  externalTrafficPolicy: Local
  ports: [{ name: http, port: 80, nodePort: 30080 }]
status: { loadBalancer: { ingress: [{ ip: 198.51.100.80 }] } }
---
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc2 }
spec:
  type: NodePort
  clusterIP: 172.30.0.42
  ports: [{ name: http, port: 80, nodePort: 30082 }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc2-b4m9q, labels: { kubernetes.io/service-name: svc2 } }
addressType: IPv4
ports: [{ name: http, port: 9090 }]
endpoints:
- { addresses: [10.180.0.2], nodeName: test-node }
`,
  localAndRemote,
);

function choosing(name: string, node: NodeChoices, rows: string): PacketState {
  return { name, node, manifests: objects, rows };
}

/** A detector that knows this node's pods by the link they come from. */
const byLink = `
  pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080
  pod 10.180.0.1 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080
  remote 10.180.2.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
  outside 203.0.113.2 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
  node 192.168.0.2 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
  pod 10.180.0.5 tcp 198.51.100.80:80 -> 10.180.0.1:8080, 10.180.1.1:8080
  remote 10.180.2.5 tcp 198.51.100.80:80 -> 10.180.0.1:8080
  outside 203.0.113.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080
  node 192.168.0.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
`;

const nowhere = 'none';
const there = '10.180.0.2:9090 masq';

/** What comes of node port 30082 at these addresses; loopback always counts as another question. */
function nodePorts(at: Readonly<Record<'primary' | 'second' | 'bridge', string>>): string {
  return `
    outside 203.0.113.2 tcp 192.168.0.2:30082 -> ${at.primary}
    outside 203.0.113.2 tcp 192.168.1.2:30082 -> ${at.second}
    pod 10.180.0.5 tcp 10.180.0.254:30082 -> ${at.bridge}
    node 192.168.0.2 tcp 192.168.0.2:30082 -> ${at.primary}
    node 192.168.0.2 tcp 192.168.1.2:30082 -> ${at.second}
    pod 10.180.0.5 tcp 172.30.0.42:80 -> 10.180.0.2:9090
  `;
}

export const nodeChoiceStates: readonly PacketState[] = [
  choosing('local traffic told by the bridge', { detector: 'bridge cni0' }, byLink),
  choosing('local traffic told by the first letters of links', { detector: 'links cn' }, byLink),
  choosing('local traffic told by the node’s own pod network', { detector: 'node-prefix' }, byLink),
  choosing(
    'local traffic told by the bridge, and a pod’s address that comes in by another link',
    { detector: 'bridge cni0' },
    `
      outside 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      outside 10.180.0.5 tcp 198.51.100.80:80 -> 10.180.0.1:8080
      pod 203.0.113.99 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080
    `,
  ),
  choosing(
    'local traffic not told',
    { detector: 'none' },
    `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080
      pod 10.180.0.1 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080
      outside 203.0.113.2 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080
      node 192.168.0.2 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080
      node 172.30.0.41 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq [ipvs]   # who binds to no address has this one
      pod 10.180.0.5 tcp 198.51.100.80:80 -> 10.180.0.1:8080                       # no short way for pods
      node 192.168.0.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      outside 203.0.113.2 tcp 192.168.0.2:30082 -> 10.180.0.2:9090 masq
    `,
  ),
  choosing(
    'all is masqueraded',
    { masqueradeAll: true },
    `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      remote 10.180.2.5 tcp 172.30.0.42:80 -> 10.180.0.2:9090 masq
      node 192.168.0.2 tcp 172.30.0.42:80 -> 10.180.0.2:9090 masq
      outside 203.0.113.2 tcp 172.30.0.42:80 -> 10.180.0.2:9090 masq
      outside 203.0.113.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080                  # only what goes to cluster IPs
      pod 10.180.0.5 tcp 198.51.100.80:80 -> 10.180.0.1:8080, 10.180.1.1:8080
      pod 10.180.0.5 tcp 10.180.0.1:8080 -> none
    `,
  ),
  choosing(
    'another bit of the mark',
    { masqueradeMark: 0x8000 },
    `
      outside 203.0.113.2 tcp 192.168.0.2:30082 -> 10.180.0.2:9090 masq
      node 192.168.0.2 tcp 172.30.0.42:80 -> 10.180.0.2:9090 masq
      pod 10.180.0.5 tcp 172.30.0.42:80 -> 10.180.0.2:9090
      pod 10.180.0.2 tcp 172.30.0.42:80 -> 10.180.0.2:9090 masq
    `,
  ),
  choosing(
    'node ports at all addresses',
    { nodePortIps: 'all' },
    nodePorts({ primary: there, second: there, bridge: there }),
  ),
  choosing(
    'node ports at the second address',
    { nodePortIps: ['192.168.1.2'] },
    nodePorts({ primary: nowhere, second: there, bridge: nowhere }),
  ),
  choosing(
    'node ports at two addresses',
    { nodePortIps: ['192.168.0.2', '10.180.0.254'] },
    nodePorts({ primary: there, second: nowhere, bridge: there }),
  ),
  choosing(
    'node ports nowhere',
    { nodePortIps: [], localhostNodePorts: false },
    nodePorts({ primary: nowhere, second: nowhere, bridge: nowhere }),
  ),
  choosing(
    'node ports on localhost',
    { nodePortIps: 'all', localhostNodePorts: true },
    `
      node 127.0.0.1 tcp 127.0.0.1:30082 -> 10.180.0.2:9090 masq [nftables iptables]
      node 127.0.0.1 tcp 127.0.0.9:30082 -> 10.180.0.2:9090 masq [nftables iptables]
      node 127.0.0.1 tcp 127.0.0.1:30082 -> none [ipvs]                            # ip_vs does not send on what comes from loopback
      node 127.0.0.1 tcp 127.0.0.1:9000 -> none
      node 192.168.0.2 tcp 127.0.0.1:9000 -> DROP [iptables]                       # kubelet's rule
      outside 203.0.113.2 tcp 127.0.0.1:9000 -> DROP [nftables iptables]
    `,
  ),
  choosing(
    'node ports not on localhost',
    { nodePortIps: 'all', localhostNodePorts: false },
    `
      node 127.0.0.1 tcp 127.0.0.1:30082 -> none
      node 192.168.0.2 tcp 192.168.0.2:30082 -> 10.180.0.2:9090 masq
    `,
  ),
  choosing(
    'packets of no known connection pass',
    { dropInvalid: false },
    `
      pod 10.180.0.5 tcp 10.180.0.1:8080 invalid -> none
      outside 203.0.113.2 tcp 10.180.0.1:8080 invalid -> none
    `,
  ),
  choosing(
    'service networks not known',
    { serviceNetworks: [] },
    `
      pod 10.180.0.5 tcp 172.30.0.99:80 -> none
      pod 10.180.0.5 tcp 172.30.0.42:81 -> REJECT [nftables ipvs]
      pod 10.180.0.5 tcp 172.30.0.42:80 -> 10.180.0.2:9090
    `,
  ),
];
