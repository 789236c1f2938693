import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { FakeApiServer } from '../../test/store/fake-api-server.ts';
import { bareNode } from '../../test/store/kubernetes-suite.ts';
import { agentRules, proxyRules, type RbacRule } from '../../test/store/rbac-rules.ts';
import { opensslFault, testPki } from '../../test/store/test-pki.ts';
import { probeKubernetes } from './probe-kubernetes.ts';

const { signal } = new AbortController();

let server: FakeApiServer;
let directory: string;
let configPath: string;

beforeEach(async () => {
  server = await FakeApiServer.start();
  server.put('nodes', bareNode('n1', '10.244.1.0/24'));
  directory = mkdtempSync(join(tmpdir(), 'netloom-probe-'));
  configPath = join(directory, 'net-conf.json');
  writeFileSync(configPath, '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}');
});

afterEach(async () => {
  await server.stop();
  rmSync(directory, { recursive: true });
});

function kubeconfig(user: object, cluster: object = {}): string {
  const path = join(directory, 'kubeconfig');
  const text = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'here',
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server: server.url, ...cluster } }],
    users: [{ name: 'u', user }],
  });
  writeFileSync(path, text);
  return path;
}

/** "KIND OBJECT", and "(bearable)", as an agent of node n1 sees it. */
async function faults({
  access = { kubeconfig: kubeconfig({ token: 't' }) },
  node = 'n1',
  isProxy = false,
}: {
  readonly access?: { readonly kubeconfig?: string; readonly server?: string };
  readonly node?: string;
  readonly isProxy?: boolean;
} = {}): Promise<readonly string[]> {
  const leases = { kind: 'kubernetes', access, configPath } as const;
  const { faults: found } = await probeKubernetes({ access, node, signal, ...(isProxy ? {} : { leases }) });
  for (const { evidence } of found) {
    expect(evidence).toMatch(/^\S.*\S$/);
    expect(evidence).not.toContain('s3cret');
  }
  return found.map(
    ({ kind, object, isBearable }) =>
      `${kind} ${object.replace(directory, 'DIR').replace(server.url, 'SERVER')}${isBearable ? ' (bearable)' : ''}`,
  );
}

const without = (rules: readonly RbacRule[], gone: string): readonly RbacRule[] =>
  rules.flatMap((rule) =>
    rule.resources.flatMap((resource) => {
      const verbs = rule.verbs.filter((verb) => `${verb} ${resource}` !== gone);
      return verbs.length === 0 ? [] : [{ ...rule, resources: [resource], verbs }];
    }),
  );

test('nothing is wrong where all is given, and nothing is written', async () => {
  server.tokens.set('t', agentRules);
  const version = server.get('nodes', 'n1')?.metadata.resourceVersion;
  expect(await faults()).toEqual([]);
  server.tokens.set('t', proxyRules);
  expect(await faults({ isProxy: true })).toEqual([]);
  server.hasReviews = false;
  expect(await faults({ isProxy: true })).toEqual([]);
  server.tokens.set('t', agentRules);
  expect(await faults()).toEqual([]);
  expect(server.get('nodes', 'n1')?.metadata.resourceVersion).toBe(version);
  expect(server.list('events')).toEqual([]);
});

test.each([true, false])(
  'each right that is missing is named (reviews may be asked for: %s)',
  async (has) => {
    server.hasReviews = has;
    for (const right of ['list nodes', 'watch nodes', 'patch nodes/status']) {
      server.tokens.set('t', without(agentRules, right));
      expect(await faults()).toEqual([`denied ${right}`]);
    }
    server.tokens.set('t', without(agentRules, 'create events'));
    expect(await faults()).toEqual(['denied create events (bearable)']);
    // What cannot be looked at is not said to be missing.
    server.tokens.set('t', without(agentRules, 'get nodes'));
    expect(await faults()).toEqual(['denied get nodes']);
    for (const right of ['list services', 'watch services', 'list endpointslices', 'watch endpointslices']) {
      server.tokens.set('t', without(proxyRules, right));
      expect(await faults({ isProxy: true })).toEqual([`denied ${right}`]);
    }
  },
);

test('a server that is away, one that does not know us, and a kubeconfig that is none', async () => {
  server.tokens.set('other', agentRules);
  expect(await faults({ access: { kubeconfig: kubeconfig({ token: 's3cret' }) } })).toEqual([
    'stranger SERVER',
  ]);
  expect(await faults({ access: { kubeconfig: kubeconfig({ tokenFile: '/nowhere/token' }) } })).toEqual([
    'stranger DIR/kubeconfig',
  ]);
  expect(await faults({ access: { kubeconfig: join(directory, 'none') } })).toEqual(['stranger DIR/none']);
  // Nobody at all may do nothing at all.
  expect(await faults({ access: { server: server.url } })).toEqual([
    'denied get nodes',
    'denied list nodes',
    'denied watch nodes',
    'denied patch nodes/status',
    'denied create events (bearable)',
  ]);
  await server.stop();
  expect(await faults()).toEqual(['unreachable SERVER']);
  await server.listen();
});

test('the configuration, the Node and its network', async () => {
  expect(await faults({ node: 'n9' })).toEqual(['no-node nodes/n9']);
  server.put('nodes', bareNode('bare'));
  expect(await faults({ node: 'bare' })).toEqual(['no-network nodes/bare']);
  server.put('nodes', bareNode('outside', '10.99.0.0/24'));
  expect(await faults({ node: 'outside' })).toEqual(['no-network nodes/outside']);
  writeFileSync(configPath, '{"Network":');
  expect(await faults()).toEqual(['bad-config DIR/net-conf.json']);
  rmSync(configPath);
  expect(await faults()).toEqual(['no-config DIR/net-conf.json']);
});

const noTls = opensslFault();
const testTls = noTls === undefined ? test : test.skip;

testTls('a server whose certificate is not believed', async () => {
  using pki = testPki();
  await server.stop();
  const { certificate, key } = pki.server;
  server = await FakeApiServer.start({ tls: { cert: readFileSync(certificate), key: readFileSync(key) } });
  server.put('nodes', bareNode('n1', '10.244.1.0/24'));
  const by = (ca: string) => ({ kubeconfig: kubeconfig({ token: 't' }, { 'certificate-authority': ca }) });
  expect(await faults({ access: by(pki.otherCa) })).toEqual(['distrusted SERVER']);
  expect(await faults({ access: by(pki.ca) })).toEqual([]);
});
