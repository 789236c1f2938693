// A node with nothing wrong, for tests of the doctor's checks.
import type { Route } from '../../kernel/route/objects.ts';
import { Prefix } from '../../net/prefix.ts';
import { hostLinkName } from '../wiring/attachment.ts';
import type { NodeFacts } from './node-facts.ts';

export const sampleAttachment = { network: 'cbr0', containerId: 'one', ifname: 'eth0' };

export const sampleFacts: NodeFacts = {
  now: 100 * 60_000,
  survey: { attachments: [], ownerless: [] },
  spoilt: [],
  links: [
    { name: 'eth0', detail: { kind: 'other', type: '' } },
    { name: 'cni0', detail: { kind: 'bridge' }, alias: 'netloom' },
    { name: hostLinkName(sampleAttachment), detail: { kind: 'veth' } },
    { name: 'veth01234567', detail: { kind: 'veth' } },
    { name: 'ifb0', detail: { kind: 'ifb' } },
  ],
  claimedLinks: new Set([hostLinkName(sampleAttachment)]),
  usedLinks: new Set([hostLinkName(sampleAttachment)]),
  strayRules: [],
  leftFiles: [],
  queue: [],
  conflists: {
    directory: '/etc/cni/net.d',
    own: '10-netloom.conflist',
    names: ['10-netloom.conflist', '99-a.conf'],
  },
  forwarding: {
    podSubnets: [Prefix.parse('10.244.1.0/24'), Prefix.parse('fd00:1::/64')],
    masquerade: 'nftables',
    filters: [
      { family: 4, variant: 'nft', hasOurs: false, forwardPolicy: 'ACCEPT', rules: [] },
      { family: 6, variant: 'nft', hasOurs: false, forwardPolicy: 'ACCEPT', rules: [] },
    ],
    dropping: [],
    sysctls: new Map([
      ['net/ipv4/ip_forward', '1'],
      ['net/ipv6/conf/all/forwarding', '1'],
    ]),
  },
  surroundings: {
    bridge: 'cni0',
    networks: [Prefix.parse('10.244.0.0/16'), Prefix.parse('fd00::/48')],
    mtu: 1450,
    addresses: [
      { link: 'eth0', prefix: Prefix.parse('192.0.2.11/24') },
      { link: 'cni0', prefix: Prefix.parse('10.244.1.1/24') },
    ],
    routes: [sampleRoute('0.0.0.0/0', 'eth0'), sampleRoute('10.244.1.0/24', 'cni0')],
    sysctls: new Map([['net/bridge/bridge-nf-call-iptables', '1']]),
    hasProxy: true,
    store: {
      name: '/leases',
      problems: [],
      leases: [{ name: 'n2', renewedAt: 0 }],
      access: [],
      mount: undefined,
    },
  },
};

export function sampleRoute(destination: string, link: string): Route {
  return {
    destination: Prefix.parse(destination),
    table: 254,
    priority: 0,
    protocol: 3,
    type: 'unicast',
    hops: [{ link }],
  };
}
