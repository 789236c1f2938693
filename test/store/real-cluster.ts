// A real API server as the suite of the Kubernetes stores wants one (test-cluster.ts), with users who may do what docs/kubernetes-store.md says.
import type { ApiObject } from './fake-api-server.ts';
import { agentRules, proxyRules } from './rbac-rules.ts';
import { objectKey, RealApiServer } from './real-api-server.ts';
import { suiteResources, type TestCluster } from './test-cluster.ts';

export async function realCluster(): Promise<TestCluster> {
  const server = await RealApiServer.start();
  try {
    for (const [name, rules] of [
      ['agent', agentRules],
      ['proxy', proxyRules],
    ] as const) {
      const head = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name } };
      await server.create({ ...head, kind: 'ClusterRole', rules });
      await server.create({
        ...head,
        kind: 'ClusterRoleBinding',
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name }],
      });
    }
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return {
    access: (role) => server.accessOf(role),
    get: (resource, key) => server.get(resource, key),
    list: (resource) => server.list(resource),
    remove: (resource, key) => server.remove(resource, key),
    async put(resource, object) {
      const before = await server.get(resource, objectKey(object));
      if (before === undefined) await server.create(object);
      else await server.merge(resource, objectKey(object), replacement(resource, { before, object }));
    },
    async clear() {
      for (const resource of suiteResources)
        for (const object of await server.list(resource))
          if (objectKey(object) !== 'default/kubernetes') await server.remove(resource, objectKey(object));
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Labels, annotations and taints that are not in it any more are gone; the rest is the server's. */
function replacement(
  resource: string,
  { before, object }: { readonly before: ApiObject; readonly object: ApiObject },
): object {
  type Texts = Readonly<Record<string, string>> | undefined;
  const gone = (had: Texts, has: Texts) => ({
    ...Object.fromEntries(Object.keys(had ?? {}).map((name) => [name, null])),
    ...has,
  });
  const { labels, annotations } = object.metadata;
  const metadata = {
    labels: gone(before.metadata.labels, labels),
    annotations: gone(before.metadata.annotations, annotations),
  };
  const taints = resource === 'nodes' ? { taints: null } : {};
  const spec = object['spec'] === undefined ? {} : { spec: { ...taints, ...Object(object['spec']) } };
  return { ...object, ...spec, metadata };
}
