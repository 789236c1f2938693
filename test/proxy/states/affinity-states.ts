// States of the packet table about session affinity, seen by clients that come for the first time. What happens to those that come
// again is affinity-sequences.ts.
import { type PacketState, together } from '../packet-state.ts';
import { empty, localAndRemote, onlyLocal } from './sample-slices.ts';

export const affineService = `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc1 }
spec:
  type: LoadBalancer
  clusterIP: 172.30.0.41
  externalIPs: [198.51.100.41]
  sessionAffinity: ClientIP
  sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } }
  ports: [{ name: http, port: 80, nodePort: 30080 }, { name: dns, protocol: UDP, port: 53, nodePort: 30080 }]
status: { loadBalancer: { ingress: [{ ip: 198.51.100.80 }] } }
`;

export const affinityStates: readonly PacketState[] = [
  {
    name: 'affinity, endpoints here and elsewhere',
    manifests: together(affineService, localAndRemote),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080
      pod 10.180.0.1 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080
      node 192.168.0.2 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      outside 203.0.113.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      pod 10.180.0.5 udp 172.30.0.41:53 -> REJECT
      outside 203.0.113.2 udp 198.51.100.80:53 -> REJECT
      outside 203.0.113.2 udp 192.168.0.2:30080 -> REJECT
    `,
  },
  {
    name: 'affinity, policies Local',
    manifests: together(
      affineService.replace('spec:', 'spec:\n  externalTrafficPolicy: Local\n  internalTrafficPolicy: Local'),
      localAndRemote,
    ),
    rows: `
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080
      node 192.168.0.2 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq
      pod 10.180.0.5 tcp 198.51.100.80:80 -> 10.180.0.1:8080, 10.180.1.1:8080
      node 192.168.0.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
    `,
  },
  {
    name: 'affinity, policies Local, endpoints here only',
    manifests: together(
      affineService.replace('spec:', 'spec:\n  externalTrafficPolicy: Local\n  internalTrafficPolicy: Local'),
      onlyLocal,
    ),
    rows: `
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080, 10.180.0.2:8080
      outside 203.0.113.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080, 10.180.0.2:8080
      outside 203.0.113.3 tcp 198.51.100.80:80 -> 10.180.0.1:8080, 10.180.0.2:8080
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.0.2:8080
      pod 10.180.0.5 tcp 198.51.100.80:80 -> 10.180.0.1:8080, 10.180.0.2:8080
    `,
  },
  {
    name: 'affinity, endpoints here only',
    manifests: together(affineService, onlyLocal),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.0.2:8080
      outside 203.0.113.2 tcp 198.51.100.41:80 -> 10.180.0.1:8080 masq, 10.180.0.2:8080 masq
    `,
  },
  {
    name: 'affinity without endpoints',
    manifests: together(affineService, empty),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> REJECT
      outside 203.0.113.2 tcp 198.51.100.41:80 -> REJECT
    `,
  },
  {
    name: 'affinity of IPv6',
    manifests: `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc1 }
spec:
  clusterIP: "fd00:172:30::41"
  sessionAffinity: ClientIP
  ports: [{ name: http, port: 80 }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc1-v6v6v, labels: { kubernetes.io/service-name: svc1 } }
addressType: IPv6
ports: [{ name: http, port: 8080 }]
endpoints:
- { addresses: ["fd00:10:180::1"], nodeName: test-node }
- { addresses: ["fd00:10:180:1::1"], nodeName: other-node }
`,
    rows: `
      pod fd00:10:180::5 tcp [fd00:172:30::41]:80 -> [fd00:10:180::1]:8080, [fd00:10:180:1::1]:8080
      pod fd00:10:180::1 tcp [fd00:172:30::41]:80 -> [fd00:10:180::1]:8080 masq, [fd00:10:180:1::1]:8080
    `,
  },
];
