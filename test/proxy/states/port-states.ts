// States of the packet table about ports and protocols: several of them, changed ones, one number for two, and all three transports.
import { type PacketState, together } from '../packet-state.ts';

/** Lists of ports in YAML: of the service, of its slice. */
function svc1({
  type = 'ClusterIP',
  clusterIp = '172.30.0.41',
  ports,
  slicePorts,
}: {
  readonly type?: string;
  readonly clusterIp?: string;
  readonly ports: string;
  readonly slicePorts: string;
}): string {
  return `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc1 }
spec:
  type: ${type}
  clusterIP: ${clusterIp}
  ports: ${ports}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc1-x7k2p, labels: { kubernetes.io/service-name: svc1 } }
addressType: IPv4
ports: ${slicePorts}
endpoints:
- { addresses: [10.180.0.1], nodeName: test-node }
`;
}

export const portStates: readonly PacketState[] = [
  {
    name: 'a service of two ports',
    manifests: svc1({
      ports: '[{ name: http, port: 80, targetPort: 1 }, { name: https, port: 443, targetPort: web }]',
      slicePorts: '[{ name: http, port: 8080 }, { name: https, port: 8443 }]',
    }),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080
      pod 10.180.0.5 tcp 172.30.0.41:443 -> 10.180.0.1:8443
      pod 10.180.0.1 tcp 172.30.0.41:443 -> 10.180.0.1:8443 masq
      pod 10.180.0.5 tcp 172.30.0.41:8080 -> none [iptables]
      pod 10.180.0.5 tcp 172.30.0.41:8080 -> REJECT [nftables ipvs]
    `,
  },
  {
    name: 'one port fewer, one more, one moved',
    manifests: svc1({
      ports: '[{ name: http, port: 8000 }, { name: metrics, port: 9100 }]',
      slicePorts: '[{ name: http, port: 8081 }, { name: https, port: 8443 }, { name: metrics, port: 9090 }]',
    }),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:8000 -> 10.180.0.1:8081
      pod 10.180.0.5 tcp 172.30.0.41:9100 -> 10.180.0.1:9090
      pod 10.180.0.5 tcp 172.30.0.41:80 -> none [iptables]
      pod 10.180.0.5 tcp 172.30.0.41:443 -> REJECT [nftables ipvs]
    `,
  },
  {
    name: 'another cluster IP',
    manifests: svc1({
      clusterIp: '172.30.0.77',
      ports: '[{ name: http, port: 80 }]',
      slicePorts: '[{ name: http, port: 8080 }]',
    }),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.77:80 -> 10.180.0.1:8080
      pod 10.180.0.5 tcp 172.30.0.41:80 -> DROP [nftables]
      pod 10.180.0.5 tcp 172.30.0.41:80 -> none [iptables ipvs]
    `,
  },
  {
    name: 'another node port',
    manifests: svc1({
      type: 'NodePort',
      ports: '[{ name: http, port: 80, nodePort: 30099 }]',
      slicePorts: '[{ name: http, port: 8080 }]',
    }),
    rows: `
      outside 203.0.113.2 tcp 192.168.0.2:30099 -> 10.180.0.1:8080 masq
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> none
    `,
  },
  {
    name: 'the same node port for two protocols',
    manifests: svc1({
      type: 'NodePort',
      ports:
        '[{ name: dns, protocol: TCP, port: 53, nodePort: 30053 }, { name: dns-udp, protocol: UDP, port: 53, nodePort: 30053 }]',
      slicePorts: '[{ name: dns, port: 5300 }, { name: dns-udp, protocol: UDP, port: 5353 }]',
    }),
    rows: `
      outside 203.0.113.2 tcp 192.168.0.2:30053 -> 10.180.0.1:5300 masq
      outside 203.0.113.2 udp 192.168.0.2:30053 -> 10.180.0.1:5353 masq
      outside 203.0.113.2 sctp 192.168.0.2:30053 -> none
      pod 10.180.0.5 udp 172.30.0.41:53 -> 10.180.0.1:5353
      pod 10.180.0.5 tcp 172.30.0.41:53 -> 10.180.0.1:5300
    `,
  },
  {
    name: 'two services with one node port number, of different protocols',
    manifests: together(
      svc1({
        type: 'NodePort',
        ports: '[{ name: web, protocol: TCP, port: 80, nodePort: 30080 }]',
        slicePorts: '[{ name: web, port: 8080 }]',
      }),
      `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc2 }
spec:
  type: NodePort
  clusterIP: 172.30.0.42
  ports: [{ protocol: UDP, port: 80, nodePort: 30080 }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc2-b4m9q, labels: { kubernetes.io/service-name: svc2 } }
addressType: IPv4
ports: [{ name: "", protocol: UDP, port: 9090 }]
endpoints: [{ addresses: [10.180.0.2], nodeName: test-node }]
`,
    ),
    rows: `
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq
      outside 203.0.113.2 udp 192.168.0.2:30080 -> 10.180.0.2:9090 masq
      node 192.168.0.2 udp 192.168.0.2:30080 -> 10.180.0.2:9090 masq
    `,
  },
  {
    name: 'all three transports, from inside and outside',
    manifests: together(
      svc1({
        type: 'LoadBalancer',
        ports: `
  - { name: tcp, protocol: TCP, port: 53, nodePort: 30053 }
  - { name: udp, protocol: UDP, port: 53, nodePort: 30053 }
  - { name: sctp, protocol: SCTP, port: 53, nodePort: 30053 }
  - { name: unused, protocol: SCTP, port: 54, nodePort: 30054 }`,
        slicePorts:
          '[{ name: tcp, port: 8080 }, { name: udp, protocol: UDP, port: 8080 }, { name: sctp, protocol: SCTP, port: 8080 }]',
      }).replace(
        '---',
        '  externalIPs: [198.51.100.41]\nstatus: { loadBalancer: { ingress: [{ ip: 198.51.100.80 }] } }\n---',
      ),
    ),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:53 -> 10.180.0.1:8080
      pod 10.180.0.5 udp 172.30.0.41:53 -> 10.180.0.1:8080
      pod 10.180.0.5 sctp 172.30.0.41:53 -> 10.180.0.1:8080
      pod 10.180.0.1 sctp 172.30.0.41:53 -> 10.180.0.1:8080 masq
      pod 10.180.0.1 udp 172.30.0.41:53 -> 10.180.0.1:8080 masq
      node 192.168.0.2 udp 172.30.0.41:53 -> 10.180.0.1:8080 masq
      outside 203.0.113.2 sctp 192.168.0.2:30053 -> 10.180.0.1:8080 masq
      outside 203.0.113.2 udp 192.168.0.2:30053 -> 10.180.0.1:8080 masq
      outside 203.0.113.2 udp 198.51.100.80:53 -> 10.180.0.1:8080 masq
      outside 203.0.113.2 sctp 198.51.100.80:53 -> 10.180.0.1:8080 masq
      outside 203.0.113.2 udp 198.51.100.41:53 -> 10.180.0.1:8080 masq
      outside 203.0.113.2 sctp 198.51.100.41:53 -> 10.180.0.1:8080 masq
      node 192.168.0.2 sctp 172.30.0.41:53 -> 10.180.0.1:8080 masq
      pod 10.180.0.5 sctp 172.30.0.41:54 -> REJECT
      outside 203.0.113.2 sctp 198.51.100.80:54 -> REJECT
      outside 203.0.113.2 sctp 192.168.0.2:30054 -> REJECT
    `,
  },
  {
    name: 'UDP and SCTP with external policy Local',
    manifests: svc1({
      type: 'LoadBalancer',
      ports:
        '[{ name: udp, protocol: UDP, port: 53, nodePort: 30053 }, { name: sctp, protocol: SCTP, port: 53, nodePort: 30053 }]',
      slicePorts: '[{ name: udp, protocol: UDP, port: 5353 }, { name: sctp, protocol: SCTP, port: 5353 }]',
    }).replace(
      '---',
      '  externalTrafficPolicy: Local\n  externalIPs: [198.51.100.41]\nstatus: { loadBalancer: { ingress: [{ ip: 198.51.100.80 }] } }\n---',
    ),
    rows: `
      outside 203.0.113.2 udp 192.168.0.2:30053 -> 10.180.0.1:5353
      outside 203.0.113.2 udp 198.51.100.80:53 -> 10.180.0.1:5353
      outside 203.0.113.2 udp 198.51.100.41:53 -> 10.180.0.1:5353
      node 192.168.0.2 udp 192.168.0.2:30053 -> 10.180.0.1:5353 masq
      outside 203.0.113.2 udp 172.30.0.41:53 -> 10.180.0.1:5353 masq
      outside 203.0.113.2 sctp 192.168.0.2:30053 -> 10.180.0.1:5353
      outside 203.0.113.2 sctp 198.51.100.80:53 -> 10.180.0.1:5353
      node 192.168.0.2 sctp 192.168.0.2:30053 -> 10.180.0.1:5353 masq
      node 192.168.0.2 sctp 198.51.100.41:53 -> 10.180.0.1:5353 masq
    `,
  },
  {
    name: 'UDP without endpoints',
    manifests: svc1({
      type: 'NodePort',
      ports: '[{ protocol: UDP, port: 53, nodePort: 30053 }]',
      slicePorts: '[{ name: other, protocol: UDP, port: 53 }]',
    }),
    rows: `
      pod 10.180.0.5 udp 172.30.0.41:53 -> REJECT
      node 192.168.0.2 udp 172.30.0.41:53 -> REJECT
      outside 203.0.113.2 udp 192.168.0.2:30053 -> REJECT
      outside 203.0.113.2 tcp 192.168.0.2:30053 -> none
    `,
  },
];
