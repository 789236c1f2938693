// States of the packet table about hints: endpoints for this node, for this zone, and where hints do not count.
import { type NodeChoices, type PacketState, together } from '../packet-state.ts';

function state(
  name: string,
  of: {
    /** Of 10.180.0.1 (here), 10.180.1.1 and 10.180.1.2. */
    readonly hints: readonly [string, string, string];
    readonly spec?: string;
    readonly conditions?: string;
    readonly node?: NodeChoices;
    readonly rows: string;
  },
): PacketState {
  const [first, second, third] = of.hints.map((text) => (text === '' ? '' : `, hints: ${text}`));
  return {
    name,
    ...(of.node === undefined ? {} : { node: of.node }),
    rows: of.rows,
    manifests: together(
      `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc1, annotations: { service.kubernetes.io/topology-mode: Auto } }
spec:
  type: NodePort
  trafficDistribution: PreferSameZone
  clusterIP: 172.30.0.41
  ports: [{ name: http, port: 80, nodePort: 30080 }]
${of.spec ?? ''}`,
      `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc1-x7k2p, labels: { kubernetes.io/service-name: svc1 } }
addressType: IPv4
ports: [{ name: http, port: 8080 }]
endpoints:
- { addresses: [10.180.0.1], nodeName: test-node, zone: zone-a${of.conditions ?? ''}${first} }
- { addresses: [10.180.1.1], nodeName: other-node, zone: zone-a${second} }
- { addresses: [10.180.1.2], nodeName: third-node, zone: zone-b${third} }
`,
    ),
  };
}

const zone = (name: string): string => `{ forZones: [{ name: ${name} }] }`;
const node = (name: string): string => `{ forZones: [{ name: zone-a }], forNodes: [{ name: ${name} }] }`;

const all = `
  pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080, 10.180.1.2:8080
  outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq, 10.180.1.2:8080 masq
`;
const sameZone = `
  pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080
  outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
`;
const byZone = [zone('zone-a'), zone('zone-a'), zone('zone-b')] as const;

export const topologyStates: readonly PacketState[] = [
  state('hints for zones', { hints: byZone, rows: sameZone }),
  state('an endpoint without a hint turns hints off', { hints: [byZone[0], byZone[1], ''], rows: all }),
  state('hints for zones of which none is ours', {
    hints: [zone('zone-c'), zone('zone-c'), zone('zone-b')],
    rows: all,
  }),
  state('hints on a node without a zone', { hints: byZone, node: { zone: undefined }, rows: all }),
  state('hints on a node of another zone', {
    hints: byZone,
    node: { zone: 'zone-b' },
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.1.2:8080
      pod 10.180.0.1 tcp 172.30.0.41:80 -> 10.180.1.2:8080
    `,
  }),
  state('hints for nodes', {
    hints: [node('test-node'), node('other-node'), node('third-node')],
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080
      pod 10.180.0.1 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq
    `,
  }),
  state('hints for nodes of which none is ours: zones count', {
    hints: [
      node('third-node'),
      node('other-node'),
      '{ forZones: [{ name: zone-b }], forNodes: [{ name: third-node }] }',
    ],
    rows: sameZone,
  }),
  state('hints for several nodes and zones', {
    hints: [
      '{ forZones: [{ name: zone-b }, { name: zone-a }] }',
      '{ forZones: [{ name: zone-b }] }',
      '{ forZones: [{ name: zone-c }, { name: zone-a }] }',
    ],
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.2:8080
    `,
  }),
  state('hints that end where what they name is not ready', {
    hints: [node('test-node'), node('other-node'), node('third-node')],
    conditions: ', conditions: { ready: false, serving: true, terminating: true }',
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.1.1:8080, 10.180.1.2:8080      # zone-a is what both say
    `,
  }),
  state('hints do not count for the policies Local', {
    hints: [zone('zone-b'), zone('zone-b'), zone('zone-a')],
    spec: '  internalTrafficPolicy: Local\n  externalTrafficPolicy: Local',
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080
      pod 10.180.0.5 tcp 192.168.0.2:30080 -> 10.180.1.2:8080                     # but for what takes the short way
    `,
  }),
];
