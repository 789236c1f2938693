// States of the packet table about which objects are looked at at all: types that change, headless services, labels, two that claim
// one address.
import { type PacketState, together } from '../packet-state.ts';
import { localAndRemote, onlyLocal } from './sample-slices.ts';

/** Cluster IPs outside of the service networks: nothing else has an opinion about them. */
function svc1(metadata: string, spec: string): string {
  return `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc1${metadata} }
spec:
  ports: [{ name: http, port: 80, nodePort: 30080 }]
${spec}
`;
}

const nobody = `
  pod 10.180.0.5 tcp 172.31.0.41:80 -> none
  outside 203.0.113.2 tcp 192.168.0.2:30080 -> none
`;
const everybody = `
  pod 10.180.0.5 tcp 172.31.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080
  outside 203.0.113.2 tcp 192.168.0.2:30080 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
`;
const nodePort = '  type: NodePort\n  clusterIP: 172.31.0.41';

export const kindStates: readonly PacketState[] = [
  {
    name: 'type ExternalName, with a cluster IP left in it',
    manifests: together(
      svc1('', '  type: ExternalName\n  externalName: www.example.com\n  clusterIP: 172.31.0.41'),
      localAndRemote,
    ),
    rows: nobody,
  },
  {
    name: 'type NodePort after it',
    manifests: together(svc1('', nodePort), localAndRemote),
    rows: everybody,
  },
  {
    name: 'type ClusterIP after that: the node port goes',
    manifests: together(
      svc1('', '  type: ClusterIP\n  clusterIP: 172.31.0.41').replace(', nodePort: 30080', ''),
      localAndRemote,
    ),
    rows: `
      pod 10.180.0.5 tcp 172.31.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080
      outside 203.0.113.2 tcp 192.168.0.2:30080 -> none
    `,
  },
  {
    name: 'headless',
    manifests: together(svc1('', '  clusterIP: None\n  type: ClusterIP'), localAndRemote),
    rows: nobody,
  },
  {
    name: 'not yet given a cluster IP',
    manifests: together(svc1('', '  type: NodePort'), localAndRemote),
    rows: nobody,
  },
  {
    name: 'another proxy’s',
    manifests: together(
      svc1(', labels: { service.kubernetes.io/service-proxy-name: other }', nodePort),
      localAndRemote,
    ),
    rows: nobody,
  },
  {
    name: 'nobody’s, by a label',
    manifests: together(svc1(', labels: { service.kubernetes.io/headless: "" }', nodePort), localAndRemote),
    rows: nobody,
  },
  {
    name: 'ours again, with a label that means nothing',
    manifests: together(svc1(', labels: { app: web }', nodePort), localAndRemote),
    rows: everybody,
  },
  {
    name: 'two services that claim one external IP: who came first has it',
    manifests: together(
      `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc1, creationTimestamp: "2025-05-02T00:00:00Z" }
spec:
  clusterIP: 172.30.0.41
  externalIPs: [198.51.100.41]
  ports: [{ name: http, port: 80 }]
---
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc2, creationTimestamp: "2025-05-01T00:00:00Z" }
spec:
  clusterIP: 172.30.0.42
  externalIPs: [198.51.100.41]
  ports: [{ name: http, port: 80 }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc2-b4m9q, labels: { kubernetes.io/service-name: svc2 } }
addressType: IPv4
ports: [{ name: http, port: 9090 }]
endpoints: [{ addresses: [10.180.0.3], nodeName: test-node }]
`,
      onlyLocal,
    ),
    rows: `
      outside 203.0.113.2 tcp 198.51.100.41:80 -> 10.180.0.3:9090 masq
      pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.0.2:8080
      pod 10.180.0.5 tcp 172.30.0.42:80 -> 10.180.0.3:9090
    `,
  },
  {
    name: 'the first of them went: the other has it',
    manifests: together(
      `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc1, creationTimestamp: "2025-05-02T00:00:00Z" }
spec:
  clusterIP: 172.30.0.41
  externalIPs: [198.51.100.41]
  ports: [{ name: http, port: 80 }]
`,
      onlyLocal,
    ),
    rows: `
      outside 203.0.113.2 tcp 198.51.100.41:80 -> 10.180.0.1:8080 masq, 10.180.0.2:8080 masq
      pod 10.180.0.5 tcp 172.30.0.42:80 -> DROP [nftables]
    `,
  },
];
