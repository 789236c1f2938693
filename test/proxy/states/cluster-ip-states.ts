// States of the packet table about cluster IPs: who reaches which endpoints, who is masqueraded, what is refused.
import { type PacketState, together } from '../packet-state.ts';
import { empty, localAndRemote, notReady, onlyLocal, onlyRemote } from './sample-slices.ts';

const svc1 = `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc1 }
spec:
  clusterIP: 172.30.0.41
  ports: [{ name: http, port: 80 }]
`;

export const clusterIpStates: readonly PacketState[] = [
  {
    name: 'no services at all',
    manifests: '',
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> DROP [nftables]      # nobody's address of a service network
      pod 10.180.0.5 tcp 172.30.0.41:80 -> none [iptables ipvs]
      pod 10.180.0.5 tcp 192.168.0.2:30080 -> none
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> none
      pod 10.180.0.5 tcp 10.180.0.1:8080 -> none
    `,
  },
  {
    name: 'a cluster IP with endpoints here and elsewhere',
    manifests: together(svc1, localAndRemote),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080       # pods keep their address
      remote 10.180.2.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080
      node 192.168.0.2 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      outside 203.0.113.2 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      pod 10.180.0.1 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080  # hairpin: else the answer takes the short way
      remote 10.180.1.1 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080 masq [iptables]   # its own node's business in the others
      pod 10.180.0.5 tcp 172.30.0.41:81 -> REJECT [nftables ipvs]                 # a port that the service does not have
      pod 10.180.0.5 tcp 172.30.0.41:81 -> none [iptables]
      pod 10.180.0.5 udp 172.30.0.41:80 -> REJECT [nftables ipvs]
      pod 10.180.0.5 udp 172.30.0.41:80 -> none [iptables]
      node 192.168.0.2 tcp 172.30.0.41:81 -> REJECT [nftables ipvs]
      outside 203.0.113.2 tcp 172.30.0.41:81 -> REJECT [nftables ipvs]
      pod 10.180.0.5 tcp 172.30.0.99:80 -> DROP [nftables]                        # no service has it
      node 192.168.0.2 tcp 172.30.0.99:80 -> DROP [nftables]
      outside 203.0.113.2 udp 172.30.0.99:80 -> DROP [nftables]
      pod 10.180.0.5 tcp 172.30.0.99:80 -> none [iptables ipvs]
      pod 10.180.0.5 tcp 10.180.0.1:8080 -> none                                  # past the service
      pod 10.180.0.5 tcp 10.180.1.1:8080 -> none
      outside 203.0.113.2 tcp 10.180.0.1:8080 -> none
      pod 10.180.0.5 tcp 203.0.113.2:80 -> none
      pod 10.180.0.5 tcp 192.168.0.2:80 -> none
      pod 10.180.0.5 tcp 10.180.0.1:8080 invalid -> DROP [iptables]
      pod 10.180.0.5 tcp 10.180.0.1:8080 invalid -> none [nftables ipvs]
    `,
  },
  {
    name: 'a cluster IP with one endpoint',
    manifests: together(
      svc1,
      `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc1-x7k2p, labels: { kubernetes.io/service-name: svc1 } }
addressType: IPv4
ports: [{ name: http, protocol: TCP, port: 8080 }]
endpoints:
- { addresses: [10.180.0.2], nodeName: test-node }
`,
    ),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.2:8080
      pod 10.180.0.2 tcp 172.30.0.41:80 -> 10.180.0.2:8080 masq
      pod 10.180.0.1 tcp 172.30.0.41:80 -> 10.180.0.2:8080        # an endpoint no more
      node 192.168.0.2 tcp 172.30.0.41:80 -> 10.180.0.2:8080 masq
    `,
  },
  {
    name: 'a cluster IP with endpoints here only',
    manifests: together(svc1, onlyLocal),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.0.2:8080
      pod 10.180.0.2 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.0.2:8080 masq
      outside 203.0.113.2 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.0.2:8080 masq
    `,
  },
  {
    name: 'a cluster IP with endpoints elsewhere only',
    manifests: together(svc1, onlyRemote),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.1.1:8080, 10.180.1.2:8080
      pod 10.180.0.1 tcp 172.30.0.41:80 -> 10.180.1.1:8080, 10.180.1.2:8080
      node 192.168.0.2 tcp 172.30.0.41:80 -> 10.180.1.1:8080 masq, 10.180.1.2:8080 masq
    `,
  },
  {
    name: 'a cluster IP without endpoints, beside one that has some',
    manifests: together(
      svc1,
      empty,
      svc2('172.30.0.42'),
      `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc2-b4m9q, labels: { kubernetes.io/service-name: svc2 } }
addressType: IPv4
ports: [{ name: "", protocol: TCP, port: 9090 }]
endpoints:
- { addresses: [10.180.0.2], nodeName: test-node }
`,
    ),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> REJECT
      pod 10.180.0.1 tcp 172.30.0.41:80 -> REJECT
      remote 10.180.2.5 tcp 172.30.0.41:80 -> REJECT
      node 192.168.0.2 tcp 172.30.0.41:80 -> REJECT
      outside 203.0.113.2 tcp 172.30.0.41:80 -> REJECT
      pod 10.180.0.5 tcp 172.30.0.41:80 established -> none        # only what begins is refused
      pod 10.180.0.5 tcp 172.30.0.42:80 -> 10.180.0.2:9090
      pod 10.180.0.2 tcp 172.30.0.42:80 -> 10.180.0.2:9090 masq
    `,
  },
  {
    name: 'a cluster IP whose slices are not there yet',
    manifests: svc1,
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> REJECT
      node 192.168.0.2 tcp 172.30.0.41:80 -> REJECT
    `,
  },
  {
    name: 'a cluster IP whose endpoints are not ready',
    manifests: together(svc1, notReady),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> REJECT
      outside 203.0.113.2 tcp 172.30.0.41:80 -> REJECT
    `,
  },
  {
    name: 'a service that publishes addresses before they are ready',
    // What it means is decided by who writes the slices: they say ready. The proxy looks only at them.
    manifests: together(
      svc1.replace('spec:', 'spec:\n  publishNotReadyAddresses: true'),
      `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc1-x7k2p, labels: { kubernetes.io/service-name: svc1 } }
addressType: IPv4
ports: [{ name: http, protocol: TCP, port: 8080 }]
endpoints:
- { addresses: [10.180.0.1], nodeName: test-node, conditions: { ready: true, serving: false, terminating: true } }
- { addresses: [10.180.0.2], nodeName: test-node, conditions: { ready: true, serving: false } }
- { addresses: [10.180.0.3], nodeName: test-node, conditions: { ready: false, serving: false } }
`,
    ),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.0.2:8080
    `,
  },
];

function svc2(clusterIp: string): string {
  return `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc2 }
spec:
  clusterIP: ${clusterIp}
  ports: [{ port: 80 }]
`;
}
