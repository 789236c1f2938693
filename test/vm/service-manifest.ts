// A Service with its EndpointSlice, in the shape that the service directory takes. TCP, port 80 to 8080.
export function serviceManifest(options: {
  readonly address: string;
  readonly endpoints: readonly string[];
}): object {
  const metadata = { name: 'web', namespace: 'default' };
  return {
    apiVersion: 'v1',
    kind: 'List',
    items: [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata,
        spec: {
          type: 'ClusterIP',
          clusterIP: options.address,
          clusterIPs: [options.address],
          ipFamilies: ['IPv4'],
          ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }],
        },
      },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'web-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
        addressType: 'IPv4',
        endpoints: options.endpoints.map((address) => ({
          addresses: [address],
          conditions: { ready: true },
        })),
        ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      },
    ],
  };
}
