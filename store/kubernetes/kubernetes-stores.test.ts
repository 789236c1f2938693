import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { kubernetesSuite } from '../../test/store/kubernetes-suite.ts';
import { type FakeCluster, fakeCluster } from '../../test/store/test-cluster.ts';
import { isApiError } from './api/api-error.ts';
import { KubeClient } from './api/kube-client.ts';

const clusters: FakeCluster[] = [];

describe('against a small API server', () => {
  kubernetesSuite(async () => {
    const cluster = await fakeCluster();
    clusters.push(cluster);
    return cluster;
  });
});

describe('what the stores may do', () => {
  let cluster: FakeCluster;
  const clients: KubeClient[] = [];
  const signal = new AbortController().signal;

  beforeAll(async () => {
    cluster = await fakeCluster();
    cluster.server.put('secrets', { metadata: { namespace: 'default', name: 's' } });
    cluster.server.put('nodes', { metadata: { name: 'n1' } });
    cluster.server.put('services', { metadata: { namespace: 'default', name: 'web' } });
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    await cluster[Symbol.asyncDispose]();
  });

  test.each([
    ['agent', 'GET', '/api/v1/secrets'],
    ['agent', 'GET', '/api/v1/namespaces/default/secrets/s'],
    ['agent', 'GET', '/api/v1/services'],
    ['agent', 'GET', '/apis/discovery.k8s.io/v1/endpointslices'],
    ['agent', 'PATCH', '/api/v1/nodes/n1'],
    ['agent', 'DELETE', '/api/v1/nodes/n1'],
    ['agent', 'POST', '/api/v1/nodes'],
    ['agent', 'GET', '/api/v1/namespaces/default/events'],
    ['proxy', 'GET', '/api/v1/nodes/n1'],
    ['proxy', 'PATCH', '/api/v1/nodes/n1/status'],
    ['proxy', 'PATCH', '/api/v1/namespaces/default/services/web/status'],
    ['proxy', 'POST', '/api/v1/namespaces/default/events'],
    ['proxy', 'GET', '/api/v1/secrets'],
  ] as const)('the %s may not %s %s', async (role, method, path) => {
    const client = new KubeClient({ access: cluster.access(role) });
    clients.push(client);
    const error: unknown = await client
      .text({ method, path, signal, ...(method === 'GET' ? {} : { body: {} }) })
      .catch((one: unknown) => one);
    expect(isApiError(error, 403)).toBe(true);
  });

  test('and the suite asked for nothing else', () => {
    const [first] = clusters;
    const asked = new Set(first?.server.requests.map(({ verb, resource }) => `${verb} ${resource}`));
    expect([...asked].sort()).toEqual([
      'create events',
      'get nodes',
      'list endpointslices',
      'list nodes',
      'list services',
      'patch nodes/status',
      'watch endpointslices',
      'watch nodes',
      'watch services',
    ]);
  });
});
