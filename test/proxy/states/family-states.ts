// States of the packet table about IPv6 and about services of both families.
import { type PacketState, together } from '../packet-state.ts';

function service(spec: string, status = ''): string {
  return `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc1 }
spec:
  ports: [{ name: http, port: 80, nodePort: 30080 }]
${spec}
${status}
`;
}

const six = `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc1-v6v6v, labels: { kubernetes.io/service-name: svc1 } }
addressType: IPv6
ports: [{ name: http, port: 8080 }]
endpoints:
- { addresses: ["fd00:10:180::1"], nodeName: test-node }
- { addresses: ["fd00:10:180:1::1"], nodeName: other-node }
`;
const sixElsewhere = six.replace('- { addresses: ["fd00:10:180::1"], nodeName: test-node }\n', '');
const sixNone = `${six.slice(0, six.indexOf('endpoints:'))}endpoints: []\n`;
const four = `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc1-x7k2p, labels: { kubernetes.io/service-name: svc1 } }
addressType: IPv4
ports: [{ name: http, port: 8080 }]
endpoints:
- { addresses: [10.180.0.1], nodeName: test-node }
`;

const both = `
  type: LoadBalancer
  clusterIP: 172.30.0.41
  clusterIPs: [172.30.0.41, "fd00:172:30::41"]
  ipFamilies: [IPv4, IPv6]
  ipFamilyPolicy: RequireDualStack
  externalIPs: [198.51.100.41, "2001:db8:51::41"]`;
const balancers = 'status: { loadBalancer: { ingress: [{ ip: 198.51.100.80 }, { ip: "2001:db8:51::80" }] } }';

export const familyStates: readonly PacketState[] = [
  {
    name: 'IPv6 alone, said by its cluster IP',
    manifests: together(service('  type: NodePort\n  clusterIP: "fd00:172:30::41"'), six),
    rows: `
      pod fd00:10:180::5 tcp [fd00:172:30::41]:80 -> [fd00:10:180::1]:8080, [fd00:10:180:1::1]:8080
      pod fd00:10:180::1 tcp [fd00:172:30::41]:80 -> [fd00:10:180::1]:8080 masq, [fd00:10:180:1::1]:8080
      remote fd00:10:180:2::5 tcp [fd00:172:30::41]:80 -> [fd00:10:180::1]:8080, [fd00:10:180:1::1]:8080
      node 2001:db8:168::2 tcp [fd00:172:30::41]:80 -> [fd00:10:180::1]:8080 masq, [fd00:10:180:1::1]:8080 masq
      outside 2001:db8:113::2 tcp [fd00:172:30::41]:80 -> [fd00:10:180::1]:8080 masq, [fd00:10:180:1::1]:8080 masq
      outside 2001:db8:113::2 tcp [2001:db8:168::2]:30080 -> [fd00:10:180::1]:8080 masq, [fd00:10:180:1::1]:8080 masq
      node 2001:db8:168::2 tcp [2001:db8:168::2]:30080 -> [fd00:10:180::1]:8080 masq, [fd00:10:180:1::1]:8080 masq
      node ::1 tcp [::1]:30080 -> none
      outside 2001:db8:113::2 udp [2001:db8:168::2]:30080 -> none
      pod fd00:10:180::5 tcp [fd00:172:30::41]:81 -> REJECT [nftables ipvs]
      pod fd00:10:180::5 tcp [fd00:172:30::41]:81 -> none [iptables]
      pod fd00:10:180::5 tcp [fd00:172:30::99]:80 -> DROP [nftables]
      pod 10.180.0.5 tcp 192.168.0.2:30080 -> none
      pod 10.180.0.5 tcp 172.30.0.41:80 -> none [iptables ipvs]
    `,
  },
  {
    name: 'IPv6 node ports at all addresses but loopback',
    node: { nodePortIps: 'all', localhostNodePorts: true },
    manifests: together(service('  type: NodePort\n  clusterIP: "fd00:172:30::41"'), six),
    rows: `
      outside 2001:db8:113::2 tcp [2001:db8:168::2]:30080 -> [fd00:10:180::1]:8080 masq, [fd00:10:180:1::1]:8080 masq
      pod fd00:10:180::5 tcp [fd00:10:180::fe]:30080 -> [fd00:10:180::1]:8080 masq, [fd00:10:180:1::1]:8080 masq
      node ::1 tcp [::1]:30080 -> none
    `,
  },
  {
    name: 'both families, by every way in',
    manifests: together(service(both, balancers), four, six),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080
      pod fd00:10:180::5 tcp [fd00:172:30::41]:80 -> [fd00:10:180::1]:8080, [fd00:10:180:1::1]:8080
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq
      outside 2001:db8:113::2 tcp [2001:db8:168::2]:30080 -> [fd00:10:180::1]:8080 masq, [fd00:10:180:1::1]:8080 masq
      outside 203.0.113.2 tcp 198.51.100.41:80 -> 10.180.0.1:8080 masq
      outside 2001:db8:113::2 tcp [2001:db8:51::41]:80 -> [fd00:10:180::1]:8080 masq, [fd00:10:180:1::1]:8080 masq
      outside 203.0.113.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq
      outside 2001:db8:113::2 tcp [2001:db8:51::80]:80 -> [fd00:10:180::1]:8080 masq, [fd00:10:180:1::1]:8080 masq
    `,
  },
  {
    name: 'both families, policies Local, endpoints here in one of them only',
    manifests: together(
      service(`${both}\n  externalTrafficPolicy: Local\n  internalTrafficPolicy: Local`, balancers),
      four,
      sixElsewhere,
    ),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080
      outside 203.0.113.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080
      pod fd00:10:180::5 tcp [fd00:172:30::41]:80 -> DROP
      outside 2001:db8:113::2 tcp [2001:db8:51::80]:80 -> DROP
      outside 2001:db8:113::2 tcp [2001:db8:168::2]:30080 -> DROP
      pod fd00:10:180::5 tcp [2001:db8:51::80]:80 -> [fd00:10:180:1::1]:8080
      node 2001:db8:168::2 tcp [2001:db8:51::80]:80 -> [fd00:10:180:1::1]:8080 masq
    `,
  },
  {
    name: 'IPv6, external policy Local, endpoints here',
    manifests: together(service(`${both}\n  externalTrafficPolicy: Local`, balancers), six),
    rows: `
      outside 2001:db8:113::2 tcp [2001:db8:168::2]:30080 -> [fd00:10:180::1]:8080
      outside 2001:db8:113::2 tcp [2001:db8:51::80]:80 -> [fd00:10:180::1]:8080
      pod fd00:10:180::5 tcp [2001:db8:51::80]:80 -> [fd00:10:180::1]:8080, [fd00:10:180:1::1]:8080
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> REJECT
    `,
  },
  {
    name: 'IPv6 without endpoints, IPv4 with',
    manifests: together(service(both, balancers), four, sixNone),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080
      pod fd00:10:180::5 tcp [fd00:172:30::41]:80 -> REJECT
      outside 2001:db8:113::2 tcp [2001:db8:168::2]:30080 -> REJECT
      outside 2001:db8:113::2 tcp [2001:db8:51::80]:80 -> REJECT
    `,
  },
  {
    name: 'IPv6 for some sources',
    manifests: together(
      service(
        `${both}\n  loadBalancerSourceRanges: ["2001:db8:113::/64", "2001:db8:168::/64", 203.0.113.0/24]`,
        balancers,
      ),
      four,
      six,
    ),
    rows: `
      outside 2001:db8:113::2 tcp [2001:db8:51::80]:80 -> [fd00:10:180::1]:8080 masq, [fd00:10:180:1::1]:8080 masq
      outside 2001:db8:18::9 tcp [2001:db8:51::80]:80 -> DROP
      pod fd00:10:180::5 tcp [2001:db8:51::80]:80 -> DROP
      node 2001:db8:51::80 tcp [2001:db8:51::80]:80 -> [fd00:10:180::1]:8080 masq, [fd00:10:180:1::1]:8080 masq
      outside 2001:db8:18::9 tcp [2001:db8:168::2]:30080 -> [fd00:10:180::1]:8080 masq, [fd00:10:180:1::1]:8080 masq
      outside 203.0.113.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq
      outside 198.18.0.9 tcp 198.51.100.80:80 -> DROP
    `,
  },
  {
    name: 'IPv6 first, and the second family gone',
    manifests: together(
      service(
        '  type: NodePort\n  clusterIP: "fd00:172:30::41"\n  clusterIPs: ["fd00:172:30::41"]\n  ipFamilies: [IPv6]\n  ipFamilyPolicy: SingleStack',
      ),
      four,
      six,
    ),
    rows: `
      pod fd00:10:180::5 tcp [fd00:172:30::41]:80 -> [fd00:10:180::1]:8080, [fd00:10:180:1::1]:8080
      pod 10.180.0.5 tcp 172.30.0.41:80 -> DROP [nftables]
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> none
    `,
  },
  {
    name: 'IPv6 told by the bridge, all three transports',
    node: { detector: 'bridge cni0' },
    manifests: `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc1 }
spec:
  type: NodePort
  clusterIP: "fd00:172:30::41"
  ports:
  - { name: tcp, port: 53, nodePort: 30053 }
  - { name: udp, protocol: UDP, port: 53, nodePort: 30053 }
  - { name: sctp, protocol: SCTP, port: 53, nodePort: 30053 }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc1-v6v6v, labels: { kubernetes.io/service-name: svc1 } }
addressType: IPv6
ports: [{ name: tcp, port: 8080 }, { name: udp, protocol: UDP, port: 8080 }, { name: sctp, protocol: SCTP, port: 8080 }]
endpoints:
- { addresses: ["fd00:10:180::2"], nodeName: test-node }
`,
    rows: `
      pod fd00:10:180::5 udp [fd00:172:30::41]:53 -> [fd00:10:180::2]:8080
      pod fd00:10:180::2 udp [fd00:172:30::41]:53 -> [fd00:10:180::2]:8080 masq
      pod fd00:10:180::5 sctp [fd00:172:30::41]:53 -> [fd00:10:180::2]:8080
      remote fd00:10:180:2::5 tcp [fd00:172:30::41]:53 -> [fd00:10:180::2]:8080 masq
      remote fd00:10:180:2::5 udp [fd00:172:30::41]:53 -> [fd00:10:180::2]:8080 masq
      remote fd00:10:180:2::5 sctp [fd00:172:30::41]:53 -> [fd00:10:180::2]:8080 masq
      outside 2001:db8:113::2 udp [2001:db8:168::2]:30053 -> [fd00:10:180::2]:8080 masq
      outside 2001:db8:113::2 sctp [2001:db8:168::2]:30053 -> [fd00:10:180::2]:8080 masq
    `,
  },
];
