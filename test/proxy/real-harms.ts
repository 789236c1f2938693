// What others may do to the rules of a mode on a real kernel, all of which a look at everything puts right.
import { execFileSync } from 'node:child_process';
import { openIpset } from '../../kernel/ipset/driver.ts';
import { openIpvs } from '../../kernel/ipvs/driver.ts';
import type { Netns } from '../../kernel/netns.ts';
import type { RealModeName } from './real-modes.ts';
import { setsWithEntries } from './set-entries.ts';

export interface RealHarm {
  readonly what: string;
  readonly run: () => void;
  /** The mode notices soon, without a look at everything. */
  readonly isSeen: boolean;
}

const commands: Readonly<Record<RealModeName, readonly string[]>> = {
  nftables: [
    'nft delete table ip netloom-proxy',
    'nft flush chain ip netloom-proxy nat-postrouting',
    'nft flush map ip netloom-proxy endpoints',
    'nft flush ruleset',
  ],
  'iptables-nft': ['iptables-nft -t nat -F', 'iptables-nft -t nat -F KUBE-SERVICES', 'nft flush ruleset'],
  'iptables-legacy': ['iptables-legacy -t nat -F', 'iptables-legacy -t nat -F KUBE-POSTROUTING'],
  ipvs: [
    'ip link delete kube-ipvs0',
    'ip address flush dev kube-ipvs0',
    'iptables-nft -t nat -F KUBE-SERVICES',
    'nft flush ruleset',
  ],
};

export function realHarms(name: RealModeName, netns: Netns): readonly RealHarm[] {
  const programs = commands[name].map((what) => ({
    what,
    run: () => void execFileSync('nsenter', [`--net=${netns.path}`, ...what.split(' ')]),
    isSeen: name !== 'iptables-legacy',
  }));
  return name === 'ipvs' ? [...programs, ...ipvsHarms(netns)] : programs;
}

function ipvsHarms(netns: Netns): readonly RealHarm[] {
  return [
    {
      what: 'virtual servers are flushed',
      isSeen: true,
      run: () => {
        const ipvs = openIpvs({ netns });
        for (const family of [4, 6] as const)
          ipvs.apply(ipvs.servers(family).map((server) => ({ kind: 'server-delete', server })));
        ipvs.close();
      },
    },
    {
      what: 'real servers get nothing new',
      isSeen: false,
      run: () => {
        const ipvs = openIpvs({ netns });
        for (const server of ipvs.servers(4))
          ipvs.apply(
            ipvs
              .realServers(server)
              .map((real) => ({ kind: 'real-change', server, real: { ...real, weight: 0 } })),
          );
        ipvs.close();
      },
    },
    {
      what: 'sets are emptied',
      isSeen: false,
      run: () => {
        const ipset = openIpset({ netns });
        for (const { set, entries } of setsWithEntries(ipset))
          ipset.apply(entries.map((entry) => ({ kind: 'entry-delete', set, entry })));
        ipset.close();
      },
    },
  ];
}
