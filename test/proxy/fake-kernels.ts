// The kernels of the fake node: nf_tables, iptables, IPVS, sets and links, each in memory. A packet meets them where they really stand.
import type { HookPart } from '../../kernel/hook-part.ts';
import { FakeIpsetKernel } from '../../kernel/ipset/fake.ts';
import { FakeIptablesKernel } from '../../kernel/iptables/fake.ts';
import { FakeIpvsKernel } from '../../kernel/ipvs/fake.ts';
import { FakeNftKernel } from '../../kernel/nft/fake.ts';
import { createFakeRouteDriver, type FakeRouteDriver } from '../../kernel/route/fake.ts';
import type { IpAddress } from '../../net/address.ts';
import { serviceLinkName } from '../../proxy/ipvs/service-link.ts';
import { addressOfLink, isOwnAddress, ownAddresses } from './test-node.ts';
import type { RunKernels } from './walk-packet.ts';

export interface FakeKernels {
  readonly nft: FakeNftKernel;
  readonly iptables: FakeIptablesKernel;
  readonly ipvs: FakeIpvsKernel;
  readonly ipset: FakeIpsetKernel;
  /** Only with what the proxy puts there: the node's own links and addresses are test-node.ts. */
  readonly route: FakeRouteDriver;
}

export function fakeKernels(): FakeKernels {
  const ipset: FakeIpsetKernel = new FakeIpsetKernel({ references: (name) => iptables.asking(name) });
  const iptables = new FakeIptablesKernel({ sets: ipset });
  return {
    nft: new FakeNftKernel(),
    iptables,
    ipvs: new FakeIpvsKernel(),
    ipset,
    route: createFakeRouteDriver(),
  };
}

/** The same again, which change of their own. */
export function forkKernels({ nft, ipvs, route, ...before }: FakeKernels): FakeKernels {
  const ipset: FakeIpsetKernel = before.ipset.fork({ references: (name) => iptables.asking(name) });
  const iptables = before.iptables.fork({ sets: ipset });
  return {
    nft: nft.fork(),
    iptables,
    ipvs: ipvs.fork(),
    ipset,
    route: createFakeRouteDriver(route.read()),
  };
}

/** How packets go through them. `now`: milliseconds. */
export function running({ nft, iptables, ipvs, route }: FakeKernels, now = 0): RunKernels {
  const bound = route.addressesOn(serviceLinkName).map(({ prefix }) => prefix.address);
  const isLocal = (address: IpAddress) => isOwnAddress(address) || bound.some((one) => one.equals(address));
  const surroundings = {
    addressType: (address: IpAddress) => (isLocal(address) ? ('local' as const) : ('unicast' as const)),
    addressOf: addressOfLink,
    now: () => now,
  };
  return {
    localAddresses: [...ownAddresses, ...bound],
    hook(packet, chance, part?: HookPart) {
      const around = { ...surroundings, ...chance, part };
      const first = nft.evaluate(packet, around);
      return first.verdict === 'accept' ? iptables.evaluate(first.packet, around) : first;
    },
    // As the mode's opener sets the sysctl.
    ipvs: (packet, { random }) =>
      ipvs.evaluate(packet, { random, now: () => now, expireQuiescentTemplate: true }),
  };
}
