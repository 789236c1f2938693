// States of the packet table about the policies Local, for traffic within the cluster and from outside, with endpoints here, elsewhere,
// on their way out, and none.
import { type PacketState, together } from '../packet-state.ts';
import {
  allTerminating,
  empty,
  localAndRemote,
  localTerminating,
  notReady,
  onlyLocal,
  onlyRemote,
  remoteTerminating,
} from './sample-slices.ts';

/** Reachable in every way there is; `policies` are lines of the spec. */
function svc1(...policies: readonly string[]): string {
  return `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc1 }
spec:
  type: LoadBalancer
  clusterIP: 172.30.0.41
  externalIPs: [198.51.100.41]
  ports: [{ name: http, port: 80, nodePort: 30080 }]
${policies.map((line) => `  ${line}`).join('\n')}
status: { loadBalancer: { ingress: [{ ip: 198.51.100.80 }] } }
`;
}

const externalLocal = svc1('externalTrafficPolicy: Local', 'healthCheckNodePort: 32000');
const internalLocal = svc1('internalTrafficPolicy: Local');
const bothLocal = svc1('externalTrafficPolicy: Local', 'internalTrafficPolicy: Local');

export const localPolicyStates: readonly PacketState[] = [
  {
    name: 'external policy Local, endpoints here and elsewhere',
    manifests: together(externalLocal, localAndRemote),
    rows: `
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080                 # here, and it sees who asks
      outside 203.0.113.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080
      outside 203.0.113.2 tcp 198.51.100.41:80 -> 10.180.0.1:8080
      pod 10.180.0.5 tcp 192.168.0.2:30080 -> 10.180.0.1:8080, 10.180.1.1:8080     # own traffic takes the short way
      pod 10.180.0.5 tcp 198.51.100.80:80 -> 10.180.0.1:8080, 10.180.1.1:8080
      pod 10.180.0.5 tcp 198.51.100.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080
      pod 10.180.0.1 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080
      node 192.168.0.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      node 192.168.0.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      node 192.168.0.2 tcp 198.51.100.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080        # the cluster IP is not concerned
      outside 203.0.113.2 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      outside 203.0.113.2 tcp 192.168.0.2:32000 -> none                            # the health check is the program's
      outside 203.0.113.2 tcp 198.51.100.80:32000 -> none
      pod 10.180.0.5 tcp 172.30.0.41:30080 -> none [iptables]                      # a node port is none of its addresses'
      pod 10.180.0.5 tcp 172.30.0.41:30080 -> REJECT [nftables ipvs]
      pod 10.180.0.5 tcp 198.51.100.80:30080 -> none [nftables iptables]
      pod 10.180.0.5 tcp 198.51.100.80:30080 -> REJECT [ipvs]
      node 192.168.0.2 tcp 198.51.100.80:30080 -> none [nftables iptables]
      node 192.168.0.2 tcp 198.51.100.80:30080 -> REJECT [ipvs]
    `,
  },
  {
    name: 'external policy Local, endpoints elsewhere only',
    manifests: together(externalLocal, onlyRemote),
    rows: `
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> DROP
      outside 203.0.113.2 tcp 198.51.100.80:80 -> DROP
      outside 203.0.113.2 tcp 198.51.100.41:80 -> DROP
      pod 10.180.0.5 tcp 192.168.0.2:30080 -> 10.180.1.1:8080, 10.180.1.2:8080
      pod 10.180.0.5 tcp 198.51.100.80:80 -> 10.180.1.1:8080, 10.180.1.2:8080
      pod 10.180.0.5 tcp 198.51.100.41:80 -> 10.180.1.1:8080, 10.180.1.2:8080
      node 192.168.0.2 tcp 198.51.100.80:80 -> 10.180.1.1:8080 masq, 10.180.1.2:8080 masq
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.1.1:8080, 10.180.1.2:8080
    `,
  },
  {
    name: 'external policy Local, endpoints here only',
    manifests: together(externalLocal, onlyLocal),
    rows: `
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080, 10.180.0.2:8080
      outside 203.0.113.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080, 10.180.0.2:8080
      pod 10.180.0.1 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.0.2:8080
      node 192.168.0.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.0.2:8080 masq
      node 192.168.0.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq, 10.180.0.2:8080 masq
      node 192.168.0.2 tcp 198.51.100.41:80 -> 10.180.0.1:8080 masq, 10.180.0.2:8080 masq
    `,
  },
  {
    name: 'external policy Local, no endpoints',
    manifests: together(externalLocal, empty),
    rows: `
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> REJECT
      outside 203.0.113.2 tcp 198.51.100.80:80 -> REJECT
      outside 203.0.113.2 tcp 198.51.100.41:80 -> REJECT
      pod 10.180.0.5 tcp 198.51.100.80:80 -> REJECT
      pod 10.180.0.5 tcp 172.30.0.41:80 -> REJECT
    `,
  },
  {
    name: 'external policy Local, endpoints that are not ready',
    manifests: together(externalLocal, notReady),
    rows: `
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> REJECT
      pod 10.180.0.5 tcp 192.168.0.2:30080 -> REJECT
    `,
  },
  {
    name: 'external policy Local for some sources',
    manifests: together(
      svc1('externalTrafficPolicy: Local', 'loadBalancerSourceRanges: [203.0.113.0/24, 10.180.0.5/32]'),
      localAndRemote,
    ),
    rows: `
      outside 203.0.113.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080
      outside 198.18.0.9 tcp 198.51.100.80:80 -> DROP
      outside 198.18.0.9 tcp 198.51.100.41:80 -> 10.180.0.1:8080
      pod 10.180.0.5 tcp 198.51.100.80:80 -> 10.180.0.1:8080, 10.180.1.1:8080
      pod 10.180.0.3 tcp 198.51.100.80:80 -> DROP
      node 192.168.0.2 tcp 198.51.100.80:80 -> DROP
    `,
  },
  {
    name: 'external policy Local where nothing is external',
    manifests: together(
      `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc1 }
spec:
  clusterIP: 172.30.0.41
  externalTrafficPolicy: Local
  ports: [{ name: http, port: 80 }]
`,
      onlyRemote,
    ),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.1.1:8080, 10.180.1.2:8080
      outside 203.0.113.2 tcp 172.30.0.41:80 -> 10.180.1.1:8080 masq, 10.180.1.2:8080 masq
    `,
  },
  {
    name: 'internal policy Local, endpoints here and elsewhere',
    manifests: together(internalLocal, localAndRemote),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080
      pod 10.180.0.1 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq
      node 192.168.0.2 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq
      outside 203.0.113.2 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      outside 203.0.113.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
      pod 10.180.0.5 tcp 198.51.100.80:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
    `,
  },
  {
    name: 'internal policy Local, endpoints elsewhere only',
    manifests: together(internalLocal, onlyRemote),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> DROP
      node 192.168.0.2 tcp 172.30.0.41:80 -> DROP
      outside 203.0.113.2 tcp 172.30.0.41:80 -> DROP
      pod 10.180.0.5 tcp 172.30.0.41:80 established -> none
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.1.1:8080 masq, 10.180.1.2:8080 masq
      pod 10.180.0.5 tcp 198.51.100.41:80 -> 10.180.1.1:8080 masq, 10.180.1.2:8080 masq
    `,
  },
  {
    name: 'internal policy Local, endpoints here only',
    manifests: together(internalLocal, onlyLocal),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.0.2:8080
      node 192.168.0.2 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.0.2:8080 masq
    `,
  },
  {
    name: 'internal policy Local, no endpoints',
    manifests: together(internalLocal, empty),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> REJECT
      node 192.168.0.2 tcp 172.30.0.41:80 -> REJECT
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> REJECT
    `,
  },
  {
    name: 'both policies Local, endpoints here and elsewhere',
    manifests: together(bothLocal, localAndRemote),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080
      outside 203.0.113.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080
      pod 10.180.0.5 tcp 198.51.100.80:80 -> 10.180.0.1:8080, 10.180.1.1:8080
      node 192.168.0.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
    `,
  },
  {
    name: 'both policies Local, endpoints elsewhere only',
    manifests: together(bothLocal, onlyRemote),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> DROP
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> DROP
      pod 10.180.0.5 tcp 192.168.0.2:30080 -> 10.180.1.1:8080, 10.180.1.2:8080
    `,
  },
  {
    name: 'policy Cluster while an endpoint terminates',
    manifests: together(svc1(), localTerminating),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.1.1:8080
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.1.1:8080 masq
    `,
  },
  {
    name: 'policy Cluster while all endpoints terminate',
    manifests: together(svc1(), allTerminating),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080        # those that still serve
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
    `,
  },
  {
    name: 'external policy Local while the endpoints here terminate',
    manifests: together(externalLocal, localTerminating),
    rows: `
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080
      outside 203.0.113.2 tcp 198.51.100.80:80 -> 10.180.0.1:8080
      pod 10.180.0.5 tcp 198.51.100.80:80 -> 10.180.1.1:8080
      node 192.168.0.2 tcp 198.51.100.80:80 -> 10.180.1.1:8080 masq
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.1.1:8080
      pod 10.180.0.1 tcp 172.30.0.41:80 -> 10.180.1.1:8080
    `,
  },
  {
    name: 'external policy Local while all endpoints terminate',
    manifests: together(externalLocal, allTerminating),
    rows: `
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080
      pod 10.180.0.5 tcp 198.51.100.80:80 -> 10.180.0.1:8080, 10.180.1.1:8080
    `,
  },
  {
    name: 'external policy Local while all endpoints terminate elsewhere',
    manifests: together(externalLocal, remoteTerminating),
    rows: `
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> DROP
      pod 10.180.0.5 tcp 198.51.100.80:80 -> 10.180.1.1:8080
    `,
  },
  {
    name: 'internal policy Local while the endpoints here terminate',
    manifests: together(internalLocal, localTerminating),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.1.1:8080 masq
    `,
  },
  {
    name: 'internal policy Local while all endpoints terminate elsewhere',
    manifests: together(internalLocal, remoteTerminating),
    rows: `
      pod 10.180.0.5 tcp 172.30.0.41:80 -> DROP
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.1.1:8080 masq
    `,
  },
];
