// The kinds of links that Netloom makes, each tried by making one.

import { openRouteDriver } from '../../../kernel/route/driver.ts';
import type { Link, LinkDetail } from '../../../kernel/route/objects.ts';
import { IpAddress } from '../../../net/address.ts';
import type { Feature, ProbeRoom, Use } from './feature.ts';

const node: Use = { kind: 'node' };

export const linkFeatures: readonly Feature[] = [
  kind({ name: 'veth', title: 'veth pairs', uses: [node], detail: { kind: 'veth', peer: { name: 'peer' } } }),
  kind({ name: 'bridge', title: 'bridges', uses: [node], detail: { kind: 'bridge' } }),
  {
    ...kind({
      name: 'bridge-vlan',
      title: 'bridges with VLANs',
      uses: [{ kind: 'some', name: 'networks with VLANs' }],
      detail: { kind: 'bridge', vlanFiltering: true },
    }),
    modules: ['bridge'],
    remedy: 'take a kernel with CONFIG_BRIDGE_VLAN_FILTERING',
    probe(room) {
      addLinks(room, [{ name: 'probe', detail: { kind: 'bridge', vlanFiltering: true } }]);
      using route = opened(room);
      const detail = route.driver.read().links.get('probe')?.detail;
      // A kernel without it takes the option and forgets it.
      if (detail?.kind !== 'bridge' || detail.vlanFiltering !== true)
        throw new Error('Cannot switch on VLANs on a bridge: the kernel leaves them off');
    },
  },
  kind({
    name: 'vxlan',
    title: 'VXLAN devices',
    uses: [{ kind: 'backend', name: 'vxlan' }],
    detail: { kind: 'vxlan', vni: 1, port: 8472, learning: false },
  }),
  kind({
    name: 'ifb',
    title: 'IFB devices',
    uses: [{ kind: 'some', name: 'pods with bandwidth limits' }],
    detail: { kind: 'ifb' },
  }),
  kind({
    name: 'dummy',
    title: 'dummy devices',
    uses: [{ kind: 'proxy-mode', name: 'ipvs' }],
    detail: { kind: 'dummy' },
  }),
  kind({
    name: 'ipip',
    title: 'IPIP tunnels',
    uses: [{ kind: 'backend', name: 'ipip' }],
    // Without addresses it would be the tunnel that the module makes by itself.
    detail: { kind: 'ipip', local: IpAddress.parse('192.0.2.1'), remote: IpAddress.parse('192.0.2.2') },
  }),
  kind({
    name: 'wireguard',
    title: 'WireGuard devices',
    uses: [{ kind: 'backend', name: 'wireguard' }],
    detail: { kind: 'wireguard' },
  }),
  kind({
    name: 'tun',
    title: 'TUN devices',
    uses: [{ kind: 'backend', name: 'udp' }],
    detail: { kind: 'tun' },
  }),
];

function kind({
  detail,
  ...feature
}: Pick<Feature, 'name' | 'title' | 'uses'> & { readonly detail: LinkDetail }): Feature {
  return {
    ...feature,
    group: 'Links',
    modules: [detail.kind],
    probe: (room) => addLinks(room, [{ name: 'probe', detail }]),
  };
}

/** Throws the first refusal. */
export function addLinks(room: ProbeRoom, links: readonly Link[]): void {
  using route = opened(room);
  const results = route.driver.apply(links.map((link) => ({ kind: 'link-add', link })));
  const failed = results.find(({ error }) => error !== undefined);
  if (failed?.error !== undefined) throw failed.error;
}

function opened({ netns }: ProbeRoom) {
  const driver = openRouteDriver({ netns });
  return { driver, [Symbol.dispose]: () => driver.close() };
}
