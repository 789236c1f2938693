// Serves what kube-proxy serves on port 10249: /healthz, /metrics, /metrics/slis, /proxyMode and /configz. What is counted is
// metrics.ts's.
import { createHttpServer, type HttpServer, type HttpServerOptions } from '../runtime/http.ts';
import { createMetrics, type Metrics } from '../runtime/metrics.ts';
import type { ProxyOptions } from './proxy-options.ts';

export interface MetricsServerOptions {
  readonly log: HttpServerOptions['log'];
  readonly metrics: Metrics;
  readonly options: Pick<ProxyOptions, 'mode' | 'configuration'>;
}

export function createMetricsServer({ log, metrics, options }: MetricsServerOptions): HttpServer {
  const slis = healthChecks();
  return createHttpServer({
    log,
    metrics,
    routes(app) {
      const plain = (path: string, text: () => string): void => {
        app.all(path, async (_, reply) =>
          reply.header('x-content-type-options', 'nosniff').type('text/plain; charset=utf-8').send(text()),
        );
      };
      plain('/healthz', () => {
        slis.counted();
        return 'ok';
      });
      plain('/proxyMode', () => options.mode);
      app.get('/metrics/slis', async (_, reply) =>
        reply.type(slis.metrics.contentType).send(await slis.metrics.text()),
      );
      app.get('/configz', async (_, reply) =>
        reply
          .header('content-type', 'application/json')
          .send(Buffer.from(JSON.stringify({ 'kubeproxy.config.k8s.io': options.configuration }))),
      );
    },
  });
}

/** The level indicators of Kubernetes' components (component-base/metrics/prometheus/slis): how its health checks went. */
function healthChecks(): { readonly metrics: Metrics; counted(): void } {
  const metrics = createMetrics();
  const check = { name: 'ping', type: 'healthz' };
  const current = metrics.gauge({
    prefix: 'kubernetes_',
    name: 'healthcheck',
    help: 'This metric records the result of a single healthcheck.',
    labels: ['name', 'type'],
  });
  const total = metrics.counter({
    prefix: 'kubernetes_',
    name: 'healthchecks_total',
    help: 'This metric records the results of all healthcheck.',
    labels: ['name', 'status', 'type'],
  });
  return {
    metrics,
    counted() {
      current.set(check, 1);
      total.inc({ ...check, status: 'success' });
    },
  };
}
