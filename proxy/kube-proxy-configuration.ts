// kube-proxy's own configuration file (KubeProxyConfiguration, kubeproxy.config.k8s.io/v1alpha1), as kubeadm's ConfigMap has it: each
// field becomes a setting of ours, or is passed over with a word on why, or is refused. The other way round: what /configz shows.
import { SettingsError, type SettingsProblem } from '../runtime/settings/settings-error.ts';
import type { SettingsFile } from '../runtime/settings/settings-file.ts';
import { givenPeriods } from './options-from-settings.ts';
import type { ProxyModeName } from './proxy-mode.ts';
import type { ProxySettings } from './settings.ts';

const apiVersion = 'kubeproxy.config.k8s.io/v1alpha1';
const kind = 'KubeProxyConfiguration';

type SettingName = keyof ProxySettings & string;

/** What becomes of a field whose value says something. */
type Use =
  | { readonly kind: 'setting'; readonly name: SettingName; readonly convert?: (value: unknown) => unknown }
  | { readonly kind: 'ignored'; readonly why: string };

const to = (name: SettingName, convert?: (value: unknown) => unknown): Use =>
  convert === undefined ? { kind: 'setting', name } : { kind: 'setting', name, convert };
const ignored = (why: string): Use => ({ kind: 'ignored', why });

const fewRequests = 'the proxy asks for a list and a watch of each kind, and no more';
const onlyJson = 'JSON is spoken';
const windows = 'it only concerns Windows';

/** Fields of each mode that only count in it. */
function modeFields(mode: ProxyModeName): Readonly<Record<string, Use>> {
  const here = (section: string, use: Use): Use =>
    section === mode ? use : ignored(`it only concerns the mode ${section}`);
  return {
    'iptables.localhostNodePorts': here('iptables', to('iptablesLocalhostNodeports')),
    // kube-proxy's IPVS mode reads these two here.
    'iptables.masqueradeAll': mode === 'ipvs' ? to('masqueradeAll') : here('iptables', to('masqueradeAll')),
    'iptables.masqueradeBit':
      mode === 'ipvs' ? to('iptablesMasqueradeBit') : here('iptables', to('iptablesMasqueradeBit')),
    'iptables.minSyncPeriod': here('iptables', to('minSyncPeriod')),
    'iptables.syncPeriod': here('iptables', to('syncPeriod')),
    'ipvs.excludeCIDRs': here('ipvs', to('ipvsExcludeCidrs')),
    'ipvs.minSyncPeriod': here('ipvs', to('minSyncPeriod')),
    'ipvs.scheduler': here('ipvs', to('ipvsScheduler')),
    'ipvs.strictARP': here('ipvs', to('ipvsStrictArp')),
    'ipvs.syncPeriod': here('ipvs', to('syncPeriod')),
    'ipvs.tcpFinTimeout': here('ipvs', to('ipvsTcpfinTimeout')),
    'ipvs.tcpTimeout': here('ipvs', to('ipvsTcpTimeout')),
    'ipvs.udpTimeout': here('ipvs', to('ipvsUdpTimeout')),
    'nftables.masqueradeAll': here('nftables', to('masqueradeAll')),
    'nftables.masqueradeBit': here('nftables', to('iptablesMasqueradeBit')),
    'nftables.minSyncPeriod': here('nftables', to('minSyncPeriod')),
    'nftables.syncPeriod': here('nftables', to('syncPeriod')),
  };
}

const fields: Readonly<Record<string, Use>> = {
  bindAddress: to('bindAddress'),
  bindAddressHardFail: to('bindAddressHardFail'),
  'clientConnection.acceptContentTypes': ignored(onlyJson),
  'clientConnection.burst': ignored(fewRequests),
  'clientConnection.contentType': ignored(onlyJson),
  'clientConnection.kubeconfig': to('kubeconfig'),
  'clientConnection.qps': ignored(fewRequests),
  clusterCIDR: to('clusterCidr'),
  configSyncPeriod: ignored('what changes is seen at once'),
  'conntrack.maxPerCore': to('conntrackMaxPerCore'),
  'conntrack.min': to('conntrackMin'),
  'conntrack.tcpBeLiberal': to('conntrackTcpBeLiberal'),
  'conntrack.tcpCloseWaitTimeout': to('conntrackTcpTimeoutCloseWait'),
  'conntrack.tcpEstablishedTimeout': to('conntrackTcpTimeoutEstablished'),
  'conntrack.udpStreamTimeout': to('conntrackUdpTimeoutStream'),
  'conntrack.udpTimeout': to('conntrackUdpTimeout'),
  'detectLocal.bridgeInterface': to('podBridgeInterface'),
  'detectLocal.interfaceNamePrefix': to('podInterfaceNamePrefix'),
  detectLocalMode: to('detectLocalMode'),
  enableProfiling: ignored('there are no profiles to serve'),
  healthzBindAddress: to('healthzBindAddress'),
  hostnameOverride: to('hostnameOverride'),
  'logging.format': to('logFormat', (value) => (value === 'json' ? 'json' : 'pretty')),
  'logging.verbosity': to('logLevel', logLevelOf),
  metricsBindAddress: to('metricsBindAddress'),
  mode: to('proxyMode'),
  nodePortAddresses: to('nodeportAddresses'),
  oomScoreAdj: to('oomScoreAdj'),
  portRange: ignored('kube-proxy does not use it either'),
  showHiddenMetricsForVersion: ignored('no metric is hidden'),
  windowsRunAsService: ignored(windows),
};

/** Of what is below these, all is passed over for one reason. */
const sections: Readonly<Record<string, string>> = {
  featureGates: 'what they would turn on is there, or is not',
  logging: 'the log has a level and a format only',
  winkernel: windows,
};

/** As klog's: 4 and more is for debugging, 6 and more for tracing. */
export function logLevelOf(verbosity: unknown): unknown {
  const level = Number(verbosity);
  if (!Number.isInteger(level) || level < 0) return verbosity;
  return level >= 6 ? 'trace' : level >= 4 ? 'debug' : 'info';
}

export interface ConvertedConfiguration {
  readonly file: SettingsFile;
  /** A line for each field that is passed over though it says something. */
  readonly notes: readonly string[];
}

/** Whether a settings file is kube-proxy's. */
export function isKubeProxyConfiguration({ values }: SettingsFile): boolean {
  return values['kind'] === kind || String(values['apiVersion']).startsWith('kubeproxy.config.k8s.io/');
}

/** Throws SettingsError for another version, and for a mode that is not there. Values are checked with the settings. */
export function convertKubeProxyConfiguration(file: SettingsFile): ConvertedConfiguration {
  const { path, values } = file;
  const problems: SettingsProblem[] = [];
  const refuse = (field: string, what: string) =>
    problems.push({ kind: 'bad', source: path, setting: field, message: `${path}: ${field} ${what}` });
  if (values['apiVersion'] !== apiVersion)
    refuse('apiVersion', `${JSON.stringify(values['apiVersion'])}: expected "${apiVersion}"`);
  if (values['kind'] !== kind) refuse('kind', `${JSON.stringify(values['kind'])}: expected "${kind}"`);
  const mode = values['mode'];
  if (mode === 'kernelspace' || mode === 'userspace')
    refuse('mode', `"${mode}": expected one of nftables, iptables, ipvs`);
  if (problems.length > 0) throw new SettingsError(problems);

  const known = { ...fields, ...modeFields(mode === 'iptables' || mode === 'ipvs' ? mode : 'nftables') };
  const settings: Record<string, unknown> = {};
  const names: Record<string, string> = {};
  const notes: string[] = [];
  for (const [field, value] of leaves(values)) {
    if (field === 'apiVersion' || field === 'kind' || isSilent(field, value)) continue;
    const use = useOf(field, known);
    if (use.kind === 'ignored') {
      notes.push(`${path}: ${field} is passed over: ${use.why}`);
      continue;
    }
    settings[use.name] = use.convert === undefined ? value : use.convert(value);
    names[use.name] = field;
  }
  return { file: { path, values: settings, fields: names }, notes };
}

function useOf(field: string, known: Readonly<Record<string, Use>>): Use {
  const use = Object.hasOwn(known, field) ? known[field] : undefined;
  if (use !== undefined) return use;
  const section = field.split('.')[0] ?? '';
  const why = Object.hasOwn(sections, section) ? sections[section] : undefined;
  return ignored(why ?? 'there is no such field');
}

/** Fields with their paths; lists are values. */
function* leaves(values: object, before = ''): Generator<readonly [string, unknown]> {
  for (const [name, value] of Object.entries(values)) {
    const field = before === '' ? name : `${before}.${name}`;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) yield* leaves(value, field);
    else yield [field, value];
  }
}

/** Pointers in kube-proxy's type: there 0 says something, elsewhere it stands for the default. */
const pointers = new Set([
  'conntrack.maxPerCore',
  'conntrack.min',
  'conntrack.tcpCloseWaitTimeout',
  'conntrack.tcpEstablishedTimeout',
  'iptables.masqueradeBit',
  'nftables.masqueradeBit',
  'iptables.localhostNodePorts',
  'oomScoreAdj',
  'logging.verbosity',
]);

/** What the file holds only because all fields were written out: it means the default. */
function isSilent(field: string, value: unknown): boolean {
  if (value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0))
    return true;
  if (pointers.has(field)) return false;
  return value === 0 || value === '0' || value === '0s' || value === false;
}

/** The settings in kube-proxy's form: for /configz and --write-config-to. */
export function kubeProxyConfiguration(settings: ProxySettings): Readonly<Record<string, unknown>> {
  const period = (milliseconds: number | undefined) => goDuration(milliseconds ?? 0);
  const { proxyMode: mode } = settings;
  const { min, max } = givenPeriods(settings);
  const periods = { minSyncPeriod: period(min), syncPeriod: period(max) };
  const noPeriods = { minSyncPeriod: '0s', syncPeriod: '0s' };
  const masquerade = {
    masqueradeAll: settings.masqueradeAll,
    masqueradeBit: settings.iptablesMasqueradeBit,
  };
  const noMasquerade = { masqueradeAll: false, masqueradeBit: null };
  const bind = (one: { readonly host: string; readonly port: number } | null) =>
    one === null ? '' : one.host.includes(':') ? `[${one.host}]:${one.port}` : `${one.host}:${one.port}`;
  return {
    apiVersion,
    kind,
    bindAddress: settings.bindAddress.toString(),
    bindAddressHardFail: settings.bindAddressHardFail,
    clientConnection: {
      acceptContentTypes: '',
      burst: 0,
      contentType: '',
      kubeconfig: settings.kubeconfig ?? settings.kubeconfigFile ?? '',
      qps: 0,
    },
    clusterCIDR: settings.clusterCidr.join(','),
    conntrack: {
      maxPerCore: settings.conntrackMaxPerCore,
      min: settings.conntrackMin,
      tcpBeLiberal: settings.conntrackTcpBeLiberal,
      tcpCloseWaitTimeout: goDuration(settings.conntrackTcpTimeoutCloseWait),
      tcpEstablishedTimeout: goDuration(settings.conntrackTcpTimeoutEstablished),
      udpStreamTimeout: goDuration(settings.conntrackUdpTimeoutStream),
      udpTimeout: goDuration(settings.conntrackUdpTimeout),
    },
    detectLocal: {
      bridgeInterface: settings.podBridgeInterface ?? '',
      interfaceNamePrefix: settings.podInterfaceNamePrefix ?? '',
    },
    detectLocalMode: settings.detectLocalMode,
    healthzBindAddress: bind(settings.healthzBindAddress),
    hostnameOverride: settings.hostnameOverride ?? '',
    iptables: {
      ...(mode === 'nftables' ? noMasquerade : masquerade),
      ...(mode === 'iptables' ? periods : noPeriods),
      localhostNodePorts: mode === 'iptables' ? settings.iptablesLocalhostNodeports : null,
    },
    ipvs: {
      ...(mode === 'ipvs' ? periods : noPeriods),
      excludeCIDRs: mode === 'ipvs' ? settings.ipvsExcludeCidrs.map(String) : [],
      scheduler: mode === 'ipvs' ? settings.ipvsScheduler : '',
      strictARP: mode === 'ipvs' && settings.ipvsStrictArp,
      tcpFinTimeout: goDuration(mode === 'ipvs' ? settings.ipvsTcpfinTimeout : 0),
      tcpTimeout: goDuration(mode === 'ipvs' ? settings.ipvsTcpTimeout : 0),
      udpTimeout: goDuration(mode === 'ipvs' ? settings.ipvsUdpTimeout : 0),
    },
    metricsBindAddress: bind(settings.metricsBindAddress),
    mode,
    nftables: mode === 'nftables' ? { ...masquerade, ...periods } : { ...noMasquerade, ...noPeriods },
    nodePortAddresses: settings.nodeportAddresses.map((one) =>
      one.kind === 'prefix' ? one.prefix.toString() : one.kind,
    ),
    oomScoreAdj: settings.oomScoreAdj,
  };
}

/** As Go prints time.Duration: "1m30s", "24h0m0s", "10ms", "0s". */
export function goDuration(milliseconds: number): string {
  if (milliseconds === 0) return '0s';
  if (milliseconds < 1000) return `${milliseconds}ms`;
  const hours = Math.floor(milliseconds / 3_600_000);
  const minutes = Math.floor(milliseconds / 60_000) % 60;
  const seconds = (milliseconds % 60_000) / 1000;
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
