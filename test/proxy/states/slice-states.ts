// States of the packet table about EndpointSlices: several of a service, doubles, what does not fit, and endpoints of odd kinds.
import { type PacketState, together } from '../packet-state.ts';

const svc1 = `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc1 }
spec:
  type: NodePort
  clusterIP: 172.30.0.41
  ports: [{ name: http, port: 80, nodePort: 30080 }]
`;

function slice(
  name: string,
  {
    endpoints,
    ports = '[{ name: http, protocol: TCP, port: 8080 }]',
    family = 'IPv4',
    service = 'svc1',
  }: {
    readonly endpoints: string;
    readonly ports?: string;
    readonly family?: string;
    readonly service?: string;
  },
): string {
  return `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc1-${name}, labels: { kubernetes.io/service-name: ${service} } }
addressType: ${family}
ports: ${ports}
endpoints:
${endpoints.trim()}
`;
}

export const sliceStates: readonly PacketState[] = [
  {
    name: 'several slices',
    manifests: together(
      svc1,
      slice('x7k2p', { endpoints: '- { addresses: [10.180.0.1], nodeName: test-node }' }),
      slice('c8r5w', {
        endpoints: `
- { addresses: [10.180.1.1], nodeName: other-node }
- { addresses: [10.180.1.2], nodeName: other-node }`,
        ports: '[{ name: http, port: 8081 }]',
      }),
      slice('z0z0z', { endpoints: '- { addresses: [10.180.0.3], nodeName: test-node }', service: 'svc9' }),
    ),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8081, 10.180.1.2:8081
      pod 10.180.0.1 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8081, 10.180.1.2:8081
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8081 masq, 10.180.1.2:8081 masq
    `,
  },
  {
    name: 'doubles count once',
    manifests: together(
      svc1,
      slice('x7k2p', {
        endpoints: `
- { addresses: [10.180.0.1], nodeName: test-node }
- { addresses: [10.180.0.1], nodeName: test-node }
- { addresses: [10.180.0.2], nodeName: test-node, conditions: { ready: false, serving: true, terminating: true } }`,
      }),
      slice('c8r5w', {
        endpoints: `
- { addresses: [10.180.0.1], nodeName: test-node }
- { addresses: [10.180.0.2], nodeName: test-node }
- { addresses: [10.180.1.1], nodeName: other-node }`,
      }),
    ),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.0.2:8080, 10.180.1.1:8080
    `,
  },
  {
    name: 'a pod’s address that another one had: the one that goes does not hide it, in either order',
    manifests: together(
      svc1,
      slice('x7k2p', { endpoints: '- { addresses: [10.180.0.1], nodeName: test-node }' }),
      slice('z9z9z', {
        endpoints:
          '- { addresses: [10.180.0.1], nodeName: other-node, conditions: { ready: false, serving: false, terminating: true } }',
      }),
    ),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080
      node 192.168.0.2 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq
    `,
  },
  {
    name: 'one pod that answers at two ports',
    manifests: together(
      svc1,
      slice('x7k2p', { endpoints: '- { addresses: [10.180.0.1], nodeName: test-node }' }),
      slice('c8r5w', {
        endpoints: '- { addresses: [10.180.0.1], nodeName: test-node }',
        ports: '[{ name: http, port: 8081 }]',
      }),
    ),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.0.1:8081
      pod 10.180.0.1 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.0.1:8081 masq
    `,
  },
  {
    name: 'slices that do not fit',
    manifests: together(
      svc1,
      slice('name', {
        endpoints: '- { addresses: [10.180.0.1], nodeName: test-node }',
        ports: '[{ name: https, port: 8080 }]',
      }),
      slice('protocol', {
        endpoints: '- { addresses: [10.180.0.2], nodeName: test-node }',
        ports: '[{ name: http, protocol: UDP, port: 8080 }]',
      }),
      slice('number', {
        endpoints: '- { addresses: [10.180.0.3], nodeName: test-node }',
        ports: '[{ name: http }]',
      }),
      slice('fqdn', { endpoints: '- { addresses: [pod.example.com] }', family: 'FQDN' }),
      slice('six', { endpoints: '- { addresses: ["fd00:10:180::1"] }', family: 'IPv6' }),
    ),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> REJECT
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> REJECT
    `,
  },
  {
    name: 'endpoints of odd kinds',
    manifests: together(
      svc1,
      slice('x7k2p', {
        endpoints: `
- { addresses: [010.180.000.001], nodeName: test-node }
- { addresses: [10.180.1.1, 10.180.1.9], nodeName: other-node }
- { addresses: [127.0.0.1], nodeName: test-node }
- { addresses: [169.254.169.254], nodeName: test-node }
- { addresses: [224.0.0.5], nodeName: test-node }
- { addresses: [10.180.0.2], nodeName: test-node, conditions: {} }
- { addresses: [10.180.0.3], nodeName: test-node, conditions: { ready: null } }`,
      }),
    ),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.0.2:8080, 10.180.0.3:8080, 10.180.1.1:8080   # none that is unsafe
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.0.2:8080 masq, 10.180.0.3:8080 masq, 10.180.1.1:8080 masq
    `,
  },
  {
    name: 'endpoints in the node’s own network, with the policies Local',
    manifests: together(
      svc1.replace('spec:', 'spec:\n  externalTrafficPolicy: Local\n  internalTrafficPolicy: Local'),
      slice('x7k2p', {
        endpoints: `
- { addresses: [192.168.0.2], nodeName: test-node }
- { addresses: [192.168.0.3], nodeName: other-node }`,
      }),
    ),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 192.168.0.2:8080
      node 192.168.0.2 tcp 172.30.0.41:80 -> 192.168.0.2:8080 masq
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 192.168.0.2:8080
      outside 203.0.113.2 tcp 172.30.0.41:80 -> 192.168.0.2:8080          # delivered here: it passes no postrouting
    `,
  },
  {
    name: 'endpoints on no known node',
    manifests: together(
      svc1,
      slice('x7k2p', {
        endpoints: `
- { addresses: [10.180.0.1] }
- { addresses: [10.180.1.1] }`,
      }),
    ),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080
      pod 10.180.0.1 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080      # it may be here
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
    `,
  },
  {
    name: 'seven endpoints',
    manifests: together(
      svc1,
      slice('x7k2p', {
        endpoints: [1, 2, 3, 4, 6, 7, 8]
          .map((i) => `- { addresses: [10.180.0.${i}], nodeName: test-node }`)
          .join('\n'),
      }),
    ),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.0.2:8080, 10.180.0.3:8080, 10.180.0.4:8080, 10.180.0.6:8080, 10.180.0.7:8080, 10.180.0.8:8080
      pod 10.180.0.7 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.0.2:8080, 10.180.0.3:8080, 10.180.0.4:8080, 10.180.0.6:8080, 10.180.0.7:8080 masq, 10.180.0.8:8080
    `,
  },
];
