// What a health check node port answers about its service, byte for byte as kube-proxy does (pkg/proxy/healthcheck/service_health.go):
// load balancers read the status, people the body.

export interface HealthCheckInput {
  readonly namespace: string;
  readonly name: string;
  /** Addresses of this node that are ready. */
  readonly localEndpoints: number;
  readonly proxyHealthy: boolean;
}

export interface HealthCheckAnswer {
  readonly code: 200 | 503;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export function healthCheckAnswer(input: HealthCheckInput): HealthCheckAnswer {
  const { namespace, name, localEndpoints, proxyHealthy } = input;
  return {
    code: localEndpoints > 0 && proxyHealthy ? 200 : 503,
    headers: {
      'Content-Type': 'application/json',
      'X-Content-Type-Options': 'nosniff',
      'X-Load-Balancing-Endpoint-Weight': String(localEndpoints),
    },
    body: JSON.stringify(
      { service: { namespace, name }, localEndpoints, serviceProxyHealthy: proxyHealthy },
      undefined,
      '\t',
    ),
  };
}
