// Serves /healthz and /livez as kube-proxy does on port 10256, to any method. What they say is healthz.ts's.
import { createHttpServer, type HttpServer, type HttpServerOptions } from '../runtime/http.ts';
import type { HealthzAnswer, ProxyHealth } from './healthz.ts';

export interface HealthzServerOptions {
  readonly log: HttpServerOptions['log'];
  readonly health: ProxyHealth;
  /** Counts the answers. */
  readonly onAnswer?: (path: '/healthz' | '/livez', code: 200 | 503) => void;
}

export function createHealthzServer({ log, health, onAnswer }: HealthzServerOptions): HttpServer {
  return createHttpServer({
    log,
    routes(app) {
      const serve = (path: '/healthz' | '/livez', answer: () => HealthzAnswer): void => {
        app.all(path, async (_, reply) => {
          const { code, body } = answer();
          onAnswer?.(path, code);
          // Bytes: to a text the framework would add a charset, which kube-proxy's header has not.
          return reply
            .code(code)
            .header('content-type', 'application/json')
            .header('x-content-type-options', 'nosniff')
            .send(Buffer.from(JSON.stringify(body)));
        });
      };
      serve('/healthz', () => health.healthz());
      serve('/livez', () => health.livez());
    },
  });
}
