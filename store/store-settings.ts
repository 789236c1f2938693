// The settings that say where leases and services come from, for the tables of the agent and the proxy alike, and what they amount
// to. Opening it is open-lease-store.ts's and open-service-source.ts's.
import { isIdentifier } from '../net/names.ts';
import { podApiServer } from '../runtime/settings/pod-api-server.ts';
import { type SettingsOf, setting } from '../runtime/settings/setting.ts';
import { flagName } from '../runtime/settings/setting-names.ts';
import { choice, duration, flag, parsed, text } from '../runtime/settings/setting-types.ts';
import { SettingsError } from '../runtime/settings/settings-error.ts';
import { directoryWatchChoices } from './directory/following.ts';
import { etcdChoice, etcdSettings } from './etcd-settings.ts';
import type { OpenAccessOptions } from './kubernetes/api/open-access.ts';
import { isDnsSubdomain } from './kubernetes/dns-name.ts';
import type { LeaseStoreChoice } from './open-lease-store.ts';
import type { ServiceSourceChoice } from './open-service-source.ts';

export const storeKinds = ['directory', 'etcd', 'kubernetes'] as const;

/** What stores know a node by. */
export const nodeName = parsed({
  expected: 'a node name: letters, digits, "-", "." and "_"',
  placeholder: 'name',
  parse: (input) => (isIdentifier(input) ? input : undefined),
});

/** A DNS name, as the API server wants it before the slash. */
const annotationPrefix = parsed({
  expected: 'a DNS name such as flannel.alpha.coreos.com',
  placeholder: 'name',
  parse: (input) => (isDnsSubdomain(input) ? input : undefined),
});

const keyPrefix = parsed({
  expected: 'a prefix of keys such as /coreos.com/network',
  placeholder: 'prefix',
  parse: (input) => (/^[!-~]*[^/\s]\/*$/.test(input) ? input.replace(/\/+$/, '') : undefined),
});

/** Of both tables: how any store is reached. */
function commonSettings(group: string) {
  return {
    directoryWatch: setting(choice(directoryWatchChoices), {
      group,
      default: 'auto',
      help: 'How changes in the directory are seen: as the kernel tells (notify), or by looking again and again (poll); auto polls on file systems that machines share (nfs, 9p, vboxsf, cifs, fuse …)',
    }),
    directoryPollInterval: setting(duration({ min: '100ms', max: '1h' }), {
      group,
      default: '1s',
      help: 'Time from one look at the directory to the next, where it is polled',
    }),
    kubeSubnetMgr: setting(flag(), {
      group,
      default: false,
      help: 'Keep leases on Node objects and take services from the API server, by the name of flannel’s flag',
    }),
    kubeconfigFile: setting(text().optional(), {
      group,
      placeholder: 'path',
      help: 'kubeconfig that tells how to reach the API server; none given: as a pod does, by its service account',
    }),
    kubeApiUrl: setting(text().optional(), {
      group,
      placeholder: 'url',
      help: 'Address of the API server, in place of the one in the kubeconfig',
    }),
    ...etcdSettings(group),
  };
}

/** Of the agent's table. */
export function leaseStoreSettings(group: string) {
  return {
    store: setting(choice(['auto', ...storeKinds]), {
      group,
      default: 'auto',
      help: 'Where leases are kept; auto is Kubernetes when a kubeconfig or an API server is given, etcd when endpoints of it are, else the directory',
    }),
    storeDirectory: setting(text(), {
      group,
      placeholder: 'path',
      default: '/var/lib/netloom/leases',
      help: 'Directory that the nodes share: "config", in the format of flannel\'s net-conf.json, and a lease a node',
    }),
    ...commonSettings(group),
    etcdPrefix: setting(keyPrefix, {
      group,
      default: '/coreos.com/network',
      otherVariables: ['FLANNELD_ETCD_PREFIX'],
      help: 'Where the network is in etcd: the key "config" and leases below "subnets/", as flannel has them',
    }),
    leaseTtl: setting(duration({ min: '10s' }), {
      group,
      default: '24h',
      help: 'A lease that was not renewed for this long is over; the same on all nodes',
    }),
    netConfigPath: setting(text(), {
      group,
      placeholder: 'path',
      default: '/etc/kube-flannel/net-conf.json',
      help: 'The network’s configuration where leases are kept on Node objects, in the format of flannel’s net-conf.json',
    }),
    kubeAnnotationPrefix: setting(annotationPrefix, {
      group,
      default: 'flannel.alpha.coreos.com',
      help: 'How the names of annotations on Node objects begin; the same on all nodes',
    }),
    setNodeNetworkUnavailable: setting(flag(), {
      group,
      default: true,
      help: 'Set condition NetworkUnavailable of the Node object, by which the scheduler knows whether pods can run here',
    }),
  };
}

/** Of the proxy's table. */
export function serviceSourceSettings(group: string) {
  return {
    serviceStore: setting(choice(['auto', ...storeKinds]), {
      group,
      default: 'auto',
      help: 'Where services come from; auto is Kubernetes when a kubeconfig or an API server is given, etcd when a prefix of services in it is, else the directory',
    }),
    serviceDirectory: setting(text(), {
      group,
      placeholder: 'path',
      default: '/var/lib/netloom/services',
      help: 'Directory of Service, EndpointSlice and Endpoints manifests, YAML or JSON',
    }),
    ...commonSettings(group),
    kubeconfig: setting(text().optional(), {
      group,
      placeholder: 'path',
      help: 'The kubeconfig by the name of kube-proxy’s flag; it goes first',
    }),
    master: setting(text().optional(), {
      group,
      placeholder: 'url',
      help: 'Address of the API server by the name of kube-proxy’s flag; it goes first',
    }),
    etcdServicePrefix: setting(keyPrefix.optional(), {
      group,
      help: 'Where services are in etcd: each key below it holds Service, EndpointSlice and Endpoints objects as JSON',
    }),
  };
}

type CommonSettings = SettingsOf<ReturnType<typeof commonSettings>>;

/** By --store=kubernetes, or because a setting is there that only it has. */
function isKubernetes(kind: (typeof storeKinds)[number] | 'auto', settings: CommonSettings): boolean {
  const { kubeSubnetMgr, kubeconfigFile, kubeApiUrl } = settings;
  return (
    kind === 'kubernetes' ||
    (kind === 'auto' && (kubeSubnetMgr || kubeconfigFile !== undefined || kubeApiUrl !== undefined))
  );
}

function kubernetesAccess({ kubeconfigFile, kubeApiUrl }: CommonSettings): OpenAccessOptions {
  return { kubeconfig: kubeconfigFile, server: kubeApiUrl, pod: podApiServer() };
}

export type LeaseStoreSettings = SettingsOf<ReturnType<typeof leaseStoreSettings>>;
export type ServiceSourceSettings = SettingsOf<ReturnType<typeof serviceSourceSettings>>;

/** Throws SettingsError when they do not fit together. */
export function leaseStoreChoice(settings: LeaseStoreSettings): LeaseStoreChoice {
  const isEtcd = settings.etcdEndpoints.length > 0;
  const auto = isKubernetes(settings.store, settings) ? 'kubernetes' : isEtcd ? 'etcd' : 'directory';
  const store = settings.store === 'auto' ? auto : settings.store;
  switch (store) {
    case 'kubernetes':
      return {
        kind: 'kubernetes',
        access: kubernetesAccess(settings),
        configPath: settings.netConfigPath,
        annotationPrefix: `${settings.kubeAnnotationPrefix}/`,
        setsCondition: settings.setNodeNetworkUnavailable,
      };
    case 'etcd':
      return { kind: 'etcd', prefix: settings.etcdPrefix, ttlMs: settings.leaseTtl, ...etcdChoice(settings) };
    case 'directory':
      return {
        kind: 'directory',
        directory: settings.storeDirectory,
        ttlMs: settings.leaseTtl,
        watch: settings.directoryWatch,
        pollMs: settings.directoryPollInterval,
      };
    default:
      return store satisfies never;
  }
}

function kubeProxyNames({ kubeconfig, master, kubeconfigFile, kubeApiUrl }: ServiceSourceSettings) {
  return { kubeconfigFile: kubeconfig ?? kubeconfigFile, kubeApiUrl: master ?? kubeApiUrl };
}

/** Throws SettingsError when they do not fit together. */
export function serviceSourceChoice(
  settings: ServiceSourceSettings & {
    readonly nodeName: string;
    readonly hostnameOverride: string | undefined;
    readonly serviceProxyName: string | undefined;
  },
): ServiceSourceChoice {
  const named = { ...settings, ...kubeProxyNames(settings) };
  const { etcdServicePrefix: prefix } = settings;
  const isEtcd = prefix !== undefined;
  const auto = isKubernetes(settings.serviceStore, named) ? 'kubernetes' : isEtcd ? 'etcd' : 'directory';
  const serviceStore = settings.serviceStore === 'auto' ? auto : settings.serviceStore;
  switch (serviceStore) {
    case 'kubernetes':
      return {
        kind: 'kubernetes',
        access: kubernetesAccess(named),
        node: (settings.hostnameOverride ?? settings.nodeName).toLowerCase(),
        proxyName: settings.serviceProxyName,
      };
    case 'etcd':
      return { kind: 'etcd', prefix: prefix ?? missingPrefix(), ...etcdChoice(settings) };
    case 'directory':
      return {
        kind: 'directory',
        directory: settings.serviceDirectory,
        watch: settings.directoryWatch,
        pollMs: settings.directoryPollInterval,
      };
    default:
      return serviceStore satisfies never;
  }
}

function missingPrefix(): never {
  const name = 'etcdServicePrefix';
  const source = flagName(name);
  throw new SettingsError([
    {
      kind: 'missing',
      source,
      setting: name,
      message: `${source}: needed by ${flagName('serviceStore')} etcd`,
    },
  ]);
}
