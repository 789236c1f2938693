// What the proxy's settings amount to: the defaults that depend on the mode, and settings that need one another. Pure.
import { availableParallelism } from 'node:os';
import type { Family, IpAddress } from '../net/address.ts';
import type { Prefix } from '../net/prefix.ts';
import { flagName } from '../runtime/settings/setting-names.ts';
import { SettingsError, type SettingsProblem } from '../runtime/settings/settings-error.ts';
import { serviceSourceChoice } from '../store/store-settings.ts';
import type { IpvsChoices } from './ipvs/ipvs-choices.ts';
import type { NodePortAddress, ProxyOptions } from './proxy-options.ts';
import type { LocalDetector } from './rule-context.ts';
import type { ProxySettings } from './settings.ts';

const families: readonly Family[] = [4, 6];

/** Least and longest time between syncs where none is given, in milliseconds. A change costs little in nftables mode. */
const periods = {
  nftables: { min: 10, max: 600_000 },
  iptables: { min: 1000, max: 30_000 },
  ipvs: { min: 1000, max: 30_000 },
} as const;

/** Throws SettingsError with all that does not fit together. `configuration` is what /configz shows. */
export function proxyOptions(
  settings: ProxySettings,
  { configuration = {} }: { readonly configuration?: Readonly<Record<string, unknown>> } = {},
): ProxyOptions {
  const problems: SettingsProblem[] = [];
  const services = serviceSourceChoice(settings);
  // A store that knows nodes knows their networks too.
  const detectsByNode =
    services.kind === 'kubernetes' &&
    settings.detectLocalMode === 'NodeCIDR' &&
    settings.nodeCidr.length === 0;
  const local = new Map(
    detectsByNode
      ? []
      : families.map((family) => [family, localDetector(family, settings, problems)] as const),
  );
  const perFamily = (name: keyof ProxySettings & string, prefixes: readonly Prefix[]) => {
    for (const family of families)
      if (prefixes.filter((one) => one.family === family).length > 1)
        problems.push(problem(name, `${prefixes.join(',')}: expected at most one IPv${family} network`));
  };
  perFamily('clusterCidr', settings.clusterCidr);
  perFamily('nodeCidr', settings.nodeCidr);
  if (problems.length > 0) throw new SettingsError(problems);
  const { proxyMode: mode, bindAddress } = settings;
  return {
    nodeName: (settings.hostnameOverride ?? settings.nodeName).toLowerCase(),
    zone: settings.topologyZone,
    proxyName: settings.serviceProxyName,
    mode,
    families: bindAddress.family === 4 ? [4, 6] : [6, 4],
    nodeIps: isUnspecified(bindAddress) ? [] : [bindAddress],
    services,
    detectsByNode,
    localDetectors: { 4: local.get(4) ?? { kind: 'none' }, 6: local.get(6) ?? { kind: 'none' } },
    masqueradeAll: settings.masqueradeAll,
    masqueradeMark: (1 << settings.iptablesMasqueradeBit) >>> 0,
    nodePortAddresses: nodePortAddresses(settings),
    localhostNodePorts: mode === 'iptables' && settings.iptablesLocalhostNodeports,
    serviceNetworks: settings.serviceCidr,
    ipvs: ipvsChoices(settings),
    allowUnsafeEndpoints: settings.allowUnsafeEndpoints,
    minSyncPeriod: givenPeriods(settings).min ?? periods[mode].min,
    syncPeriod: givenPeriods(settings).max ?? periods[mode].max,
    healthz: settings.healthzBindAddress ?? undefined,
    metrics: settings.metricsBindAddress ?? undefined,
    bindHardFail: settings.bindAddressHardFail,
    serviceCounters: settings.serviceCounters,
    serviceCounterLimit: settings.serviceCounterLimit,
    conntrack: {
      maxPerCore: settings.conntrackMaxPerCore,
      min: settings.conntrackMin,
      tcpEstablishedTimeout: settings.conntrackTcpTimeoutEstablished || undefined,
      tcpCloseWaitTimeout: settings.conntrackTcpTimeoutCloseWait || undefined,
      udpTimeout: settings.conntrackUdpTimeout || undefined,
      udpStreamTimeout: settings.conntrackUdpTimeoutStream || undefined,
      tcpBeLiberal: settings.conntrackTcpBeLiberal,
    },
    oomScoreAdjust: settings.oomScoreAdj,
    runDirectory: settings.runDirectory,
    configuration,
  };
}

/** Least and longest time between syncs as they were given, in milliseconds: of the mode's own settings, or else of the common ones. */
export function givenPeriods(settings: ProxySettings): {
  readonly min: number | undefined;
  readonly max: number | undefined;
} {
  const { minSyncPeriod: min, syncPeriod: max } = settings;
  switch (settings.proxyMode) {
    case 'nftables':
      return { min, max };
    case 'iptables':
      return { min: settings.iptablesMinSyncPeriod ?? min, max: settings.iptablesSyncPeriod ?? max };
    case 'ipvs':
      return { min: settings.ipvsMinSyncPeriod ?? min, max: settings.ipvsSyncPeriod ?? max };
    default:
      return settings.proxyMode satisfies never;
  }
}

function ipvsChoices(settings: ProxySettings): IpvsChoices {
  // The kernel knows whole seconds; 0 would leave its own.
  const seconds = (milliseconds: number) =>
    milliseconds === 0 ? 0 : Math.max(1, Math.floor(milliseconds / 1000));
  return {
    scheduler: settings.ipvsScheduler,
    excludePrefixes: settings.ipvsExcludeCidrs,
    strictArp: settings.ipvsStrictArp,
    timeouts: {
      tcp: seconds(settings.ipvsTcpTimeout),
      tcpFin: seconds(settings.ipvsTcpfinTimeout),
      udp: seconds(settings.ipvsUdpTimeout),
    },
  };
}

/** The processors that nf_conntrack_max is counted by. */
export function processors(): number {
  return availableParallelism();
}

function nodePortAddresses({ nodeportAddresses, proxyMode }: ProxySettings): readonly NodePortAddress[] {
  if (nodeportAddresses.length > 0) return nodeportAddresses;
  return [{ kind: proxyMode === 'nftables' ? 'primary' : 'all' }];
}

function localDetector(family: Family, settings: ProxySettings, problems: SettingsProblem[]): LocalDetector {
  const { detectLocalMode, podBridgeInterface, podInterfaceNamePrefix } = settings;
  const of = (prefixes: readonly Prefix[]): LocalDetector => {
    const prefix = prefixes.find((one) => one.family === family);
    return prefix === undefined ? { kind: 'none' } : { kind: 'prefix', prefix };
  };
  const missing = (name: string): LocalDetector => {
    // Once is enough, though both families need it.
    if (family === 4)
      problems.push(problem(name, `needed by ${flagName('detectLocalMode')} ${detectLocalMode}`));
    return { kind: 'none' };
  };
  switch (detectLocalMode) {
    case 'ClusterCIDR':
      return of(settings.clusterCidr);
    case 'NodeCIDR':
      return settings.nodeCidr.length === 0 ? missing('nodeCidr') : of(settings.nodeCidr);
    case 'BridgeInterface':
      if (podBridgeInterface === undefined) return missing('podBridgeInterface');
      return { kind: 'bridge', link: podBridgeInterface };
    case 'InterfaceNamePrefix':
      if (podInterfaceNamePrefix === undefined) return missing('podInterfaceNamePrefix');
      return { kind: 'link-prefix', prefix: podInterfaceNamePrefix };
    default:
      return detectLocalMode satisfies never;
  }
}

function isUnspecified(address: IpAddress): boolean {
  return address.bytes.every((byte) => byte === 0);
}

function problem(setting: string, what: string): SettingsProblem {
  const source = flagName(setting);
  return { kind: 'bad', source, setting, message: `${source}: ${what}` };
}
