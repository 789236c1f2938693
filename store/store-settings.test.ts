import { describe, expect, test } from '@jest/globals';
import { resolveSettings } from '../runtime/settings/resolve-settings.ts';
import { settingsTable } from '../runtime/settings/setting.ts';
import { SettingsError } from '../runtime/settings/settings-error.ts';
import {
  leaseStoreChoice,
  leaseStoreSettings,
  serviceSourceChoice,
  serviceSourceSettings,
} from './store-settings.ts';

const leases = settingsTable(leaseStoreSettings('Leases'));
const services = settingsTable(serviceSourceSettings('Services'));

type Given = Readonly<Record<string, string>>;

function leaseStore(flags: Given, environment: Given = {}) {
  return leaseStoreChoice(resolveSettings(leases, { flags, environment }).settings);
}

function serviceSource(flags: Given) {
  const names = { nodeName: 'N1', hostnameOverride: undefined, serviceProxyName: undefined };
  return serviceSourceChoice({ ...resolveSettings(services, { flags }).settings, ...names });
}

function problemsOf(work: () => unknown): readonly string[] {
  try {
    work();
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.problems.map(({ message }) => message);
    throw error;
  }
}

describe('where leases are', () => {
  test('a directory, unless something of etcd is said', () => {
    expect(leaseStore({})).toMatchObject({ kind: 'directory', directory: '/var/lib/netloom/leases' });
    expect(leaseStore({ store: 'directory', etcdEndpoints: 'http://a:2379' }).kind).toBe('directory');
    expect(leaseStore({ store: 'etcd' })).toMatchObject({
      kind: 'etcd',
      endpoints: ['http://127.0.0.1:2379'],
      prefix: '/coreos.com/network',
      ttlMs: 86_400_000,
    });
  });

  test('Kubernetes, which goes before etcd', () => {
    const asked = leaseStore({ kubeApiUrl: 'https://api:6443', etcdEndpoints: 'http://a:2379' });
    expect(asked).toMatchObject({
      kind: 'kubernetes',
      access: { server: 'https://api:6443' },
      annotationPrefix: 'flannel.alpha.coreos.com/',
    });
    expect(leaseStore({ kubeSubnetMgr: 'true' }).kind).toBe('kubernetes');
    expect(leaseStore({ kubeApiUrl: 'https://api:6443', store: 'etcd' }).kind).toBe('etcd');
  });

  test('etcd, by flannel’s variables', () => {
    const environment = {
      FLANNELD_ETCD_ENDPOINTS: 'https://a:2379,https://b:2379',
      FLANNELD_ETCD_PREFIX: '/net/',
      FLANNELD_ETCD_CAFILE: '/ca.pem',
      FLANNELD_ETCD_CERTFILE: '/cert.pem',
      FLANNELD_ETCD_KEYFILE: '/key.pem',
      FLANNELD_ETCD_USERNAME: 'node',
      FLANNELD_ETCD_PASSWORD: 'secret',
    };
    const choice = leaseStore({}, environment);
    expect(choice).toEqual({
      kind: 'etcd',
      prefix: '/net',
      ttlMs: 86_400_000,
      endpoints: ['https://a:2379', 'https://b:2379'],
      tls: { ca: '/ca.pem', certificate: '/cert.pem', key: '/key.pem' },
      user: { name: 'node', password: { text: 'secret' } },
    });
    const own = { ...environment, NETLOOM_ETCD_PREFIX: '/ours' };
    expect(leaseStore({}, own)).toMatchObject({ prefix: '/ours' });
    const { report } = resolveSettings(leases, { environment });
    expect(JSON.stringify(report)).not.toContain('secret');
    expect(report.find(({ name }) => name === 'etcdPassword')?.from).toBe(
      'environment FLANNELD_ETCD_PASSWORD',
    );
  });

  test.each<readonly [Given, readonly string[]]>([
    [{ etcdEndpoints: 'https://a', etcdCertfile: '/c' }, ['--etcd-certfile: needs --etcd-keyfile too']],
    [{ etcdEndpoints: 'https://a', etcdKeyfile: '/k' }, ['--etcd-keyfile: needs --etcd-certfile too']],
    [
      { etcdEndpoints: 'https://a,http://b', etcdCafile: '/ca' },
      ['--etcd-endpoints: "http://b:2379" is not https, but files for TLS are given'],
    ],
    [
      { etcdEndpoints: 'https://a', etcdPassword: 'p' },
      ['--etcd-username: a password is given, but no user'],
    ],
    [{ etcdEndpoints: 'https://a', etcdUsername: 'u' }, ['--etcd-username: needs --etcd-password-file too']],
    [
      { etcdEndpoints: 'https://a', etcdUsername: 'u', etcdPassword: 'p', etcdPasswordFile: '/p' },
      ['--etcd-password-file: the password is given by --etcd-password too'],
    ],
    [
      { etcdEndpoints: 'gopher://a' },
      ['--etcd-endpoints "gopher://a": [0]: expected a URL such as https://etcd-1:2379'],
    ],
    [
      { store: 'etcd', etcdPrefix: '/' },
      ['--etcd-prefix "/": expected a prefix of keys such as /coreos.com/network'],
    ],
  ])('%j', (flags, problems) => {
    expect(problemsOf(() => leaseStore(flags))).toEqual(problems);
  });
});

describe('where services are', () => {
  test('a directory, or etcd below a prefix', () => {
    // The endpoints are the agent's too, whose services may still be files.
    expect(serviceSource({ etcdEndpoints: 'http://a:2379' }).kind).toBe('directory');
    expect(serviceSource({ etcdEndpoints: 'http://a:2379', etcdServicePrefix: '/services/' })).toMatchObject({
      kind: 'etcd',
      endpoints: ['http://a:2379'],
      prefix: '/services',
    });
    expect(
      serviceSource({ kubeconfig: '/k', kubeconfigFile: '/other', etcdServicePrefix: '/s' }),
    ).toMatchObject({
      kind: 'kubernetes',
      access: { kubeconfig: '/k' },
      node: 'n1',
    });
    expect(problemsOf(() => serviceSource({ serviceStore: 'etcd' }))).toEqual([
      '--etcd-service-prefix: needed by --service-store etcd',
    ]);
  });
});
