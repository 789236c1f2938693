// What the suite of the Kubernetes stores needs of an API server, a fake one or a real one.
import type { KubeAccess } from '../../store/kubernetes/api/kube-access.ts';
import { type ApiObject, FakeApiServer } from './fake-api-server.ts';
import { agentRules, proxyRules } from './rbac-rules.ts';

export interface TestCluster extends AsyncDisposable {
  /** With what an agent, or a proxy, may do, and nothing else. */
  access(role: 'agent' | 'proxy'): KubeAccess;
  /** Creates or replaces, as whoever may do everything. */
  put(resource: string, object: ApiObject): Promise<void>;
  remove(resource: string, key: string): Promise<void>;
  get(resource: string, key: string): Promise<ApiObject | undefined>;
  list(resource: string): Promise<readonly ApiObject[]>;
  /** All objects that the suite makes. */
  clear(): Promise<void>;
}

/** Kinds that the suite makes. */
export const suiteResources = ['nodes', 'services', 'endpointslices', 'events'] as const;

export interface FakeCluster extends TestCluster {
  readonly server: FakeApiServer;
}

export async function fakeCluster(): Promise<FakeCluster> {
  const server = await FakeApiServer.start();
  const tokens = { agent: 'the agent’s', proxy: 'the proxy’s' } as const;
  const encoded = (role: 'agent' | 'proxy') => Buffer.from(tokens[role]).toString('base64url');
  server.tokens.set(encoded('agent'), agentRules);
  server.tokens.set(encoded('proxy'), proxyRules);
  return {
    server,
    access: (role) => ({
      server: server.url,
      credentials: async () => ({ headers: { authorization: `Bearer ${encoded(role)}` }, tls: {} }),
      refused() {},
    }),
    async put(resource, object) {
      server.put(resource, object);
    },
    async remove(resource, key) {
      server.delete(resource, key);
    },
    get: async (resource, key) => server.get(resource, key),
    list: async (resource) => server.list(resource),
    async clear() {
      for (const resource of suiteResources)
        for (const { metadata } of server.list(resource))
          server.delete(
            resource,
            metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`,
          );
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}
