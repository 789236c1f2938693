// EndpointSlices that many states of the packet table share: of service ns1/svc1, port "http", 8080. The node of the tests is
// "test-node" and has 10.180.0.0/24; 10.180.1.0/24 is on "other-node".

function slice(endpoints: string): string {
  return `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc1-x7k2p, labels: { kubernetes.io/service-name: svc1 } }
addressType: IPv4
ports: [{ name: http, protocol: TCP, port: 8080 }]
endpoints:
${endpoints.replace(/^\n/, '').trimEnd()}
`;
}

export const localAndRemote = slice(`
- { addresses: [10.180.0.1], nodeName: test-node }
- { addresses: [10.180.1.1], nodeName: other-node }
`);

export const onlyLocal = slice(`
- { addresses: [10.180.0.1], nodeName: test-node }
- { addresses: [10.180.0.2], nodeName: test-node }
`);

export const onlyRemote = slice(`
- { addresses: [10.180.1.1], nodeName: other-node }
- { addresses: [10.180.1.2], nodeName: other-node }
`);

export const notReady = slice(`
- { addresses: [10.180.0.1], nodeName: test-node, conditions: { ready: false } }
- { addresses: [10.180.1.1], nodeName: other-node, conditions: { ready: false, serving: false, terminating: true } }
`);

export const empty = slice('  []');

/** One ready endpoint elsewhere; here one that goes but serves, and one that goes and does not. */
export const localTerminating = slice(`
- { addresses: [10.180.0.1], nodeName: test-node, conditions: { ready: false, serving: true, terminating: true } }
- { addresses: [10.180.0.2], nodeName: test-node, conditions: { ready: false, serving: false, terminating: true } }
- { addresses: [10.180.1.1], nodeName: other-node }
`);

export const allTerminating = slice(`
- { addresses: [10.180.0.1], nodeName: test-node, conditions: { ready: false, serving: true, terminating: true } }
- { addresses: [10.180.0.2], nodeName: test-node, conditions: { ready: false, serving: false, terminating: true } }
- { addresses: [10.180.1.1], nodeName: other-node, conditions: { ready: false, serving: true, terminating: true } }
`);

export const remoteTerminating = slice(`
- { addresses: [10.180.1.1], nodeName: other-node, conditions: { ready: false, serving: true, terminating: true } }
- { addresses: [10.180.1.2], nodeName: other-node, conditions: { ready: false, serving: false, terminating: true } }
`);
