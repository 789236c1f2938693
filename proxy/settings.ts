// The proxy's settings, declared once, by the names that kube-proxy's flags have: flags, environment, file, help and documentation
// come from this table. What they amount to is options-from-settings.ts; kube-proxy's own file is kube-proxy-configuration.ts. Past 300
// lines: one table.
import { hostname } from 'node:os';
import { schedulerChoices, schedulerFault } from '../kernel/ipvs/schedulers.ts';
import { IpAddress } from '../net/address.ts';
import { isInterfaceName } from '../net/names.ts';
import { Prefix } from '../net/prefix.ts';
import { logFormats, logLevels } from '../runtime/log.ts';
import { type SettingsOf, setting, settingsTable } from '../runtime/settings/setting.ts';
import {
  choice,
  duration,
  flag,
  hostPort,
  integer,
  list,
  parsed,
  text,
} from '../runtime/settings/setting-types.ts';
import { nodeName, serviceSourceSettings } from '../store/store-settings.ts';
import { proxyModes } from './proxy-mode.ts';
import type { HostPort, NodePortAddress } from './proxy-options.ts';

const node = 'Node';
const services = 'Services';
const rules = 'Rules';
const serving = 'Serving';
const tracking = 'Connection tracking';
const daemon = 'Daemon';

const address = parsed({
  expected: 'an IP address',
  placeholder: 'address',
  parse: IpAddress.tryParse,
});

const prefix = parsed({
  expected: 'a network such as 10.244.0.0/16',
  placeholder: 'network',
  parse: Prefix.tryParse,
});

const label = parsed({
  expected: 'the value of a label: at most 63 letters, digits, "-", "_" and "."',
  placeholder: 'label',
  parse: (input) => (/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(input) ? input : undefined),
});

const linkName = parsed({
  expected: 'an interface name of 1 to 15 bytes',
  placeholder: 'name',
  parse: (input) => (isInterfaceName(input) ? input : undefined),
});

const nodePortAddress = parsed({
  expected: 'a network, "primary", "localhost" or "all"',
  placeholder: 'network',
  parse(input): NodePortAddress | undefined {
    if (input === 'primary' || input === 'localhost' || input === 'all') return { kind: input };
    const found = Prefix.tryParse(input);
    return found === undefined ? undefined : { kind: 'prefix', prefix: found };
  },
});

const scheduler = parsed({
  expected: `a scheduler of IPVS: one of ${schedulerChoices.join(', ')}`,
  placeholder: 'name',
  parse: (input) => (schedulerFault(input) === undefined ? input : undefined),
});

/** As kube-proxy: an address alone gets the usual port; the empty text means not at all. */
function bindAddress(port: number) {
  return parsed({
    expected: `an address with or without a port (${port}), or the empty text`,
    placeholder: 'host:port',
    parse(input): HostPort | null | undefined {
      if (input === '') return null;
      const alone = IpAddress.tryParse(input);
      if (alone !== undefined) return { host: alone.toString(), port };
      const result = hostPort().safeParse(input);
      return result.success ? result.data : undefined;
    },
  });
}

export const proxySettings = settingsTable({
  nodeName: setting(nodeName, {
    group: node,
    default: hostname().toLowerCase(),
    defaultWords: 'the host’s name',
    help: 'Name of this node, as EndpointSlices have it',
  }),
  hostnameOverride: setting(nodeName.optional(), {
    group: node,
    help: 'The same by the name of kube-proxy’s flag; it goes first',
  }),
  topologyZone: setting(label.optional(), {
    group: node,
    help: 'Zone of this node (label topology.kubernetes.io/zone), for endpoints with zone hints',
  }),
  bindAddress: setting(address, {
    group: node,
    default: '0.0.0.0',
    help: 'Address of this node; an unspecified one says only which family goes first',
  }),
  ...serviceSourceSettings(services),
  serviceProxyName: setting(label.optional(), {
    group: services,
    help: 'Take the services with this value of label service.kubernetes.io/service-proxy-name, in place of those without the label',
  }),
  allowUnsafeEndpoints: setting(flag(), {
    group: services,
    default: false,
    help: 'Also take endpoints in loopback, link-local and multicast networks',
  }),
  proxyMode: setting(choice(proxyModes), {
    group: rules,
    default: 'nftables',
    help: 'What carries the rules',
  }),
  clusterCidr: setting(list(prefix), {
    group: rules,
    default: '',
    help: 'Networks of the pods, at most one a family: what comes from elsewhere is masqueraded',
  }),
  nodeCidr: setting(list(prefix), {
    group: rules,
    default: '',
    help: 'Networks of this node’s pods, for detection by NodeCIDR',
  }),
  serviceCidr: setting(list(prefix), {
    group: rules,
    default: '',
    help: 'Networks of cluster IPs: what goes to one that no service has is dropped (nftables only)',
  }),
  detectLocalMode: setting(choice(['ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix']), {
    group: rules,
    default: 'ClusterCIDR',
    help: 'How packets of pods are told from others',
  }),
  podBridgeInterface: setting(linkName.optional(), {
    group: rules,
    help: 'Bridge of the pods, for detection by BridgeInterface',
  }),
  podInterfaceNamePrefix: setting(linkName.optional(), {
    group: rules,
    help: 'How the names of pods’ interfaces begin, for detection by InterfaceNamePrefix',
  }),
  masqueradeAll: setting(flag(), {
    group: rules,
    default: false,
    help: 'Masquerade everything that goes to a cluster IP',
  }),
  iptablesMasqueradeBit: setting(integer({ min: 0, max: 31 }), {
    group: rules,
    default: 14,
    help: 'Bit of the packet mark that asks for masquerading',
  }),
  nodeportAddresses: setting(list(nodePortAddress), {
    group: rules,
    default: '',
    help: 'Networks whose addresses on this node accept node ports, or "primary", "localhost", "all"; none given: primary with nftables, else all',
  }),
  iptablesLocalhostNodeports: setting(flag(), {
    group: rules,
    default: true,
    help: 'Node ports on 127.0.0.1 in iptables mode',
  }),
  minSyncPeriod: setting(duration({ max: '1h' }).optional(), {
    group: rules,
    help: 'Least time between two changes of the rules; none given: 10ms with nftables, else 1s',
  }),
  syncPeriod: setting(duration({ min: '1s', max: '24h' }).optional(), {
    group: rules,
    help: 'Longest time between two thorough looks at the rules; none given: 10m with nftables, else 30s. What others change is otherwise seen at once',
  }),
  iptablesMinSyncPeriod: setting(duration({ max: '1h' }).optional(), {
    group: rules,
    help: 'The least time in iptables mode, by the name of kube-proxy’s flag',
  }),
  iptablesSyncPeriod: setting(duration({ min: '1s', max: '24h' }).optional(), {
    group: rules,
    help: 'The longest time in iptables mode, by the name of kube-proxy’s flag',
  }),
  ipvsScheduler: setting(scheduler, {
    group: rules,
    default: 'rr',
    help: `How IPVS chooses an endpoint: ${schedulerChoices.join(', ')}`,
  }),
  ipvsMinSyncPeriod: setting(duration({ max: '1h' }).optional(), {
    group: rules,
    help: 'The least time in IPVS mode, by the name of kube-proxy’s flag',
  }),
  ipvsSyncPeriod: setting(duration({ min: '1s', max: '24h' }).optional(), {
    group: rules,
    help: 'The longest time in IPVS mode, by the name of kube-proxy’s flag',
  }),
  ipvsExcludeCidrs: setting(list(prefix), {
    group: rules,
    default: '',
    help: 'Networks whose virtual servers are somebody else’s: the proxy deletes all others that it did not make',
  }),
  ipvsStrictArp: setting(flag(), {
    group: rules,
    default: false,
    help: 'Answer ARP only for addresses of the link that is asked (arp_ignore 1, arp_announce 2), in IPVS mode',
  }),
  ipvsTcpTimeout: setting(duration(), {
    group: rules,
    default: '0s',
    help: 'How long IPVS knows an idle TCP connection; 0 leaves the kernel’s time, as for the following two',
  }),
  ipvsTcpfinTimeout: setting(duration(), {
    group: rules,
    default: '0s',
    help: 'How long IPVS knows a TCP connection after a FIN',
  }),
  ipvsUdpTimeout: setting(duration(), {
    group: rules,
    default: '0s',
    help: 'How long IPVS knows an idle UDP flow',
  }),
  serviceCounters: setting(flag(), {
    group: rules,
    default: true,
    help: 'Count packets and bytes by service (nftables only)',
  }),
  serviceCounterLimit: setting(integer({ min: 0, max: 10_000 }), {
    group: rules,
    default: 200,
    help: 'How many services have metrics of their own; the others are counted together',
  }),
  healthzBindAddress: setting(bindAddress(10_256), {
    group: serving,
    default: '0.0.0.0:10256',
    help: 'Where /healthz and /livez are served; the empty text for not at all',
  }),
  metricsBindAddress: setting(bindAddress(10_249), {
    group: serving,
    default: '127.0.0.1:10249',
    help: 'Where /metrics, /proxyMode and /configz are served; the empty text for not at all',
  }),
  bindAddressHardFail: setting(flag(), {
    group: serving,
    default: false,
    help: 'End when one of these cannot be had, in place of trying again every 5 s',
  }),
  conntrackMaxPerCore: setting(integer({ min: 0, max: 2 ** 30 }), {
    group: tracking,
    default: 32_768,
    help: 'Tracked connections a processor; 0 leaves the kernel’s limit',
  }),
  conntrackMin: setting(integer({ min: 0, max: 2 ** 30 }), {
    group: tracking,
    default: 131_072,
    help: 'Tracked connections at least, however few processors there are',
  }),
  conntrackTcpTimeoutEstablished: setting(duration(), {
    group: tracking,
    default: '24h',
    help: 'How long an idle TCP connection is known; 0 leaves the kernel’s time, as for the following ones',
  }),
  conntrackTcpTimeoutCloseWait: setting(duration(), {
    group: tracking,
    default: '1h',
    help: 'How long a TCP connection in CLOSE_WAIT is known',
  }),
  conntrackTcpBeLiberal: setting(flag(), {
    group: tracking,
    default: false,
    help: 'Take TCP packets outside of the window as part of their connection',
  }),
  conntrackUdpTimeout: setting(duration(), {
    group: tracking,
    default: '0s',
    help: 'How long an idle UDP flow is known',
  }),
  conntrackUdpTimeoutStream: setting(duration(), {
    group: tracking,
    default: '0s',
    help: 'How long a UDP flow is known that was answered',
  }),
  oomScoreAdj: setting(integer({ min: -1000, max: 1000 }), {
    group: daemon,
    default: -999,
    help: 'How readily the kernel ends the process when memory runs out',
  }),
  runDirectory: setting(text(), {
    group: daemon,
    placeholder: 'path',
    default: '/run/netloom',
    help: "Directory of the proxy's socket, mode 0700",
  }),
  logLevel: setting(choice(logLevels), {
    group: daemon,
    default: 'info',
    help: 'Least level that is logged',
  }),
  logFormat: setting(choice(logFormats), {
    group: daemon,
    default: 'auto',
    help: 'JSON lines, or readable ones; auto is readable on a terminal',
  }),
});

export type ProxySettings = SettingsOf<typeof proxySettings>;
