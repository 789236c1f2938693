// States of the packet table about ways in from outside with the policy Cluster: node ports, external IPs, load balancer IPs and who
// may use these.
import { type PacketState, together } from '../packet-state.ts';
import { empty, localAndRemote, onlyLocal } from './sample-slices.ts';

/** `more`: further lines of the spec; `status`: of the load balancer. */
function svc1(type: string, more = '', status = ''): string {
  return `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc1 }
spec:
  type: ${type}
  clusterIP: 172.30.0.41
  ports: [{ name: http, port: 80, nodePort: 30080 }]
${more}
${status === '' ? '' : `status: { loadBalancer: { ingress: ${status} } }`}
`;
}

const balancer = '[{ ip: 198.51.100.80 }]';

export const externalStates: readonly PacketState[] = [
  {
    name: 'a node port',
    manifests: together(svc1('NodePort'), localAndRemote),
    rows: `
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      pod 10.180.0.5 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      pod 10.180.0.1 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      remote 10.180.2.5 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      node 192.168.0.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      outside 203.0.113.2 udp 192.168.0.2:30080 -> none
      outside 203.0.113.2 tcp 192.168.0.2:30081 -> none
      outside 203.0.113.2 tcp 192.168.0.2:80 -> none
      outside 203.0.113.2 tcp 192.168.1.2:30080 -> none [nftables]                 # the primary address only
      outside 203.0.113.2 tcp 192.168.1.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq [iptables ipvs]
      pod 10.180.0.5 tcp 10.180.0.254:30080 -> none [nftables]
      pod 10.180.0.5 tcp 10.180.0.254:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq [iptables ipvs]
      node 127.0.0.1 tcp 127.0.0.1:30080 -> none [nftables ipvs]
      node 127.0.0.1 tcp 127.0.0.1:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq [iptables]
      outside 203.0.113.2 tcp 127.0.0.1:9000 -> DROP [iptables]                    # route_localnet opens no other port (CVE-2020-8558)
      pod 10.180.0.5 tcp 203.0.113.2:30080 -> none                                 # another machine's port
      pod 10.180.0.5 tcp 10.180.1.1:30080 -> none
      pod 10.180.0.5 tcp 172.30.0.41:30080 -> REJECT [nftables ipvs]
      pod 10.180.0.5 tcp 172.30.0.41:30080 -> none [iptables]
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080
    `,
  },
  {
    name: 'a node port without endpoints',
    manifests: together(svc1('NodePort'), empty),
    rows: `
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> REJECT
      pod 10.180.0.5 tcp 192.168.0.2:30080 -> REJECT
      node 192.168.0.2 tcp 192.168.0.2:30080 -> REJECT
      pod 10.180.0.5 tcp 172.30.0.41:80 -> REJECT
      outside 203.0.113.2 udp 192.168.0.2:30080 -> none
    `,
  },
  {
    name: 'an external IP that no node has',
    manifests: together(svc1('ClusterIP', '  externalIPs: [198.51.100.41]'), localAndRemote),
    rows: `
      outside 203.0.113.2 tcp 198.51.100.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      pod 10.180.0.5 tcp 198.51.100.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      node 192.168.0.2 tcp 198.51.100.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      outside 203.0.113.2 tcp 198.51.100.41:81 -> none [nftables iptables]
      outside 203.0.113.2 tcp 198.51.100.41:81 -> REJECT [ipvs]      # the node has the address: what listens on it is none of its business
      outside 203.0.113.2 tcp 198.51.100.41:30080 -> none [nftables iptables]
      outside 203.0.113.2 tcp 198.51.100.41:30080 -> REJECT [ipvs]
      outside 203.0.113.2 udp 198.51.100.41:80 -> none [nftables iptables]
      outside 203.0.113.2 udp 198.51.100.41:80 -> REJECT [ipvs]
    `,
  },
  {
    name: 'an external IP that is the node’s own, and one of no family of ours',
    manifests: together(svc1('ClusterIP', '  externalIPs: [192.168.0.2, "2001:db8::41"]'), onlyLocal),
    rows: `
      outside 203.0.113.2 tcp 192.168.0.2:80 -> 10.180.0.1:8080 masq, 10.180.0.2:8080 masq
      pod 10.180.0.5 tcp 192.168.0.2:80 -> 10.180.0.1:8080 masq, 10.180.0.2:8080 masq
      node 192.168.0.2 tcp 192.168.0.2:80 -> 10.180.0.1:8080 masq, 10.180.0.2:8080 masq
      outside 203.0.113.2 tcp 192.168.0.2:81 -> none
    `,
  },
  {
    name: 'an external IP without endpoints',
    manifests: together(svc1('ClusterIP', '  externalIPs: [198.51.100.41]'), empty),
    rows: `
      outside 203.0.113.2 tcp 198.51.100.41:80 -> REJECT
      pod 10.180.0.5 tcp 198.51.100.41:80 -> REJECT
      node 192.168.0.2 tcp 198.51.100.41:80 -> REJECT [nftables ipvs]   # kube-proxy's iptables rules do not look there
      outside 203.0.113.2 tcp 198.51.100.41:81 -> none [nftables iptables]
      outside 203.0.113.2 tcp 198.51.100.41:81 -> REJECT [ipvs]
    `,
  },
  {
    name: 'a load balancer',
    manifests: together(svc1('LoadBalancer', '', balancer), localAndRemote),
    rows: `
      outside 203.0.113.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      pod 10.180.0.5 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      node 192.168.0.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      outside 203.0.113.2 tcp 198.51.100.80:443 -> none [nftables iptables]
      outside 203.0.113.2 tcp 198.51.100.80:443 -> REJECT [ipvs]
    `,
  },
  {
    name: 'load balancers that nodes have nothing to do with',
    manifests: together(
      svc1(
        'LoadBalancer',
        '',
        '[{ ip: 198.51.100.80, ipMode: Proxy }, { ip: 198.51.100.81, ipMode: VIP }, { hostname: lb.example.com }, { ip: "2001:db8::80" }]',
      ),
      localAndRemote,
    ),
    rows: `
      outside 203.0.113.2 tcp 198.51.100.80:80 -> none
      pod 10.180.0.5 tcp 198.51.100.80:80 -> none
      outside 203.0.113.2 tcp 198.51.100.81:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
    `,
  },
  {
    name: 'a load balancer without endpoints',
    manifests: together(
      svc1('LoadBalancer', '  loadBalancerSourceRanges: [203.0.113.0/24]', balancer),
      empty,
    ),
    rows: `
      outside 203.0.113.2 tcp 198.51.100.80:80 -> REJECT
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> REJECT
      outside 198.18.0.9 tcp 192.168.0.2:30080 -> REJECT
    `,
  },
  {
    name: 'a load balancer for some sources',
    manifests: together(
      svc1(
        'LoadBalancer',
        `
  externalIPs: [198.51.100.41]
  loadBalancerSourceRanges: [203.0.113.0/24, "2001:db8::/32"]`,
        balancer,
      ),
      localAndRemote,
    ),
    rows: `
      outside 203.0.113.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      outside 198.18.0.9 tcp 198.51.100.80:80 -> DROP
      pod 10.180.0.5 tcp 198.51.100.80:80 -> DROP
      node 192.168.0.2 tcp 198.51.100.80:80 -> DROP
      node 198.51.100.80 tcp 198.51.100.80:80 -> DROP                # the balancer itself: no range holds the node
      outside 198.18.0.9 tcp 198.51.100.80:81 -> none [nftables iptables]   # ranges are of the service's port
      outside 198.18.0.9 tcp 198.51.100.80:81 -> REJECT [ipvs]
      outside 198.18.0.9 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      outside 198.18.0.9 tcp 198.51.100.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      outside 198.18.0.9 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080
    `,
  },
  {
    name: 'a load balancer for sources of which one is the node',
    manifests: together(
      svc1('LoadBalancer', '  loadBalancerSourceRanges: [192.168.0.0/24, 10.180.0.5/32]', balancer),
      onlyLocal,
    ),
    rows: `
      node 192.168.0.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq, 10.180.0.2:8080 masq
      node 198.51.100.80 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq, 10.180.0.2:8080 masq   # the balancer itself
      pod 10.180.0.5 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq, 10.180.0.2:8080 masq
      pod 10.180.0.3 tcp 198.51.100.80:80 -> DROP
      outside 203.0.113.2 tcp 198.51.100.80:80 -> DROP
    `,
  },
  {
    name: 'a load balancer’s address that the node has, for some sources',
    manifests: together(
      svc1('LoadBalancer', '  loadBalancerSourceRanges: [203.0.113.0/24]', '[{ ip: 192.168.1.2 }]'),
      onlyLocal,
    ),
    rows: `
      outside 203.0.113.2 tcp 192.168.1.2:80 -> 10.180.0.1:8080 masq, 10.180.0.2:8080 masq
      outside 198.18.0.9 tcp 192.168.1.2:80 -> DROP
      pod 10.180.0.5 tcp 192.168.1.2:80 -> DROP
      node 192.168.0.2 tcp 192.168.1.2:80 -> DROP
      outside 198.18.0.9 tcp 192.168.1.2:81 -> none
    `,
  },
  {
    name: 'a load balancer for everybody, and for one of the other family only',
    manifests: together(
      svc1('LoadBalancer', '  loadBalancerSourceRanges: [0.0.0.0/0]', balancer),
      localAndRemote,
      `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc2 }
spec:
  type: LoadBalancer
  clusterIP: 172.30.0.42
  ports: [{ name: http, port: 80 }]
  loadBalancerSourceRanges: ["2001:db8::/32"]
status: { loadBalancer: { ingress: [{ ip: 198.51.100.82 }] } }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc2-b4m9q, labels: { kubernetes.io/service-name: svc2 } }
addressType: IPv4
ports: [{ name: http, port: 8080 }]
endpoints: [{ addresses: [10.180.0.2], nodeName: test-node }]
`,
    ),
    rows: `
      outside 203.0.113.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      outside 198.18.0.9 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      outside 198.18.0.9 tcp 198.51.100.82:80 -> DROP               # who opens it to some is not taken to open it to all of another family
    `,
  },
];
