// The proxy's modes as features for the doctor: each programs a few services into an empty namespace, as on a node. Which mode the
// node is set to is not known here.
import type { Feature, FeatureGroup, ProbeRoom } from '../agent/doctor/features/feature.ts';
import { Poller } from '../kernel/poller.ts';
import { setLoopback } from '../kernel/route/set-loopback.ts';
import { type Family, IpAddress } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import { createModeOpener } from '../proxy/open-mode.ts';
import { type ProxyModeName, proxyModes } from '../proxy/proxy-mode.ts';
import type { ProxyOptions } from '../proxy/proxy-options.ts';
import type { RuleContext } from '../proxy/rule-context.ts';
import type { Endpoint, ServicePort } from '../proxy/service-port.ts';

const groups: Readonly<Record<ProxyModeName, FeatureGroup>> = {
  nftables: 'nftables',
  iptables: 'iptables',
  ipvs: 'IPVS',
};
const families = [4, 6] as const;

export function proxyModeFeatureName(mode: ProxyModeName, family: Family): string {
  return `proxy-${mode}-ipv${family}`;
}

/** `options`: as the proxy would be opened, in whichever mode. */
export function proxyModeFeatures(options: ProxyOptions): readonly Feature[] {
  return proxyModes.flatMap((mode) =>
    families.map(
      (family): Feature => ({
        name: proxyModeFeatureName(mode, family),
        title: `services in IPv${family}`,
        group: groups[mode],
        uses: [{ kind: 'proxy-mode', name: mode }],
        remedy: 'see what else is missing here, or choose another --proxy-mode',
        probe: (room) => programServices({ ...options, mode, families: [family] }, { ...room, family }),
      }),
    ),
  );
}

async function programServices(
  options: ProxyOptions,
  { netns, signal, family }: ProbeRoom & { readonly family: Family },
): Promise<void> {
  // As on every node: in a namespace without any IPv4 address, IPVS takes no real server (inet_addr_type).
  setLoopback(netns, true);
  const poller = new Poller();
  const opener = createModeOpener({ options, netns, poller });
  try {
    const { mode } = await opener.open(family);
    try {
      const ports = new Map(samplePorts(family).map((port) => [port.key, port]));
      const report = await mode.sync({ ports, changed: 'all', context: contextOf(options, family) }, signal);
      const [failed] = report.failed.values();
      if (failed !== undefined) throw failed;
    } finally {
      mode.close();
    }
  } finally {
    opener.close();
    await poller.close();
  }
}

function contextOf({ mode, masqueradeMark }: ProxyOptions, family: Family): RuleContext {
  return {
    family,
    nodeIps: [IpAddress.parse(family === 4 ? '192.0.2.1' : '2001:db8::1')],
    nodePortIps: 'all',
    localhostNodePorts: mode === 'iptables' && family === 4,
    localDetector: { kind: 'bridge', link: 'cni0' },
    masqueradeAll: false,
    masqueradeMark,
    serviceNetworks:
      mode === 'nftables' ? [Prefix.parse(family === 4 ? '10.96.0.0/12' : 'fd00:96::/112')] : [],
    dropInvalid: mode === 'iptables',
  };
}

/** One with all that a service can have, one over UDP, and one without endpoints. */
function samplePorts(family: Family): readonly ServicePort[] {
  const address = (last: number): IpAddress =>
    IpAddress.parse(family === 4 ? `10.96.0.${last}` : `fd00:96::${last}`);
  const endpoints: readonly Endpoint[] = [1, 2].map((last) => ({
    address: IpAddress.parse(family === 4 ? `10.244.0.${last}` : `fd00:244::${last}`),
    port: 8080,
    local: last === 1,
    nodeUnknown: false,
  }));
  const base: ServicePort = {
    key: 'netloom-probe/one/tcp',
    namespace: 'netloom-probe',
    service: 'one',
    portName: '',
    protocol: 'tcp',
    family,
    clusterIp: address(1),
    port: 80,
    nodePort: 30_080,
    externalIps: [address(101)],
    loadBalancerIps: [address(102)],
    sourceRanges: [Prefix.parse(family === 4 ? '198.51.100.0/24' : '2001:db8:1::/64')],
    affinitySeconds: 60,
    healthCheckNodePort: undefined,
    internalPolicy: 'Cluster',
    externalPolicy: 'Local',
    clusterEndpoints: endpoints,
    localEndpoints: endpoints.slice(0, 1),
    hasAnyEndpoint: true,
  };
  const plain = {
    nodePort: undefined,
    externalIps: [],
    loadBalancerIps: [],
    sourceRanges: undefined,
    affinitySeconds: undefined,
    externalPolicy: 'Cluster',
    localEndpoints: [],
  } as const;
  return [
    base,
    {
      ...base,
      ...plain,
      key: 'netloom-probe/two/udp',
      service: 'two',
      protocol: 'udp',
      clusterIp: address(2),
    },
    {
      ...{ ...base, ...plain, key: 'netloom-probe/none/tcp', service: 'none', clusterIp: address(3) },
      ...{ clusterEndpoints: [], hasAnyEndpoint: false },
    },
  ];
}
