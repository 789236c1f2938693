// The test node with fake kernels in place of one, so that a proxy can be in any mode and change it.
import type { Chance } from '../../kernel/every-outcome.ts';
import { createIptablesMode } from '../../proxy/iptables/iptables-mode.ts';
import { isOwnChain, ownTables } from '../../proxy/iptables/own-chains.ts';
import { removeChains } from '../../proxy/iptables/removal.ts';
import { defaultIpvsChoices } from '../../proxy/ipvs/ipvs-choices.ts';
import { createIpvsMode } from '../../proxy/ipvs/ipvs-mode.ts';
import { createNftablesMode } from '../../proxy/nftables/nftables-mode.ts';
import type { ProxyModeName } from '../../proxy/proxy-mode.ts';
import { createManualClock } from '../../runtime/manual-clock.ts';
import { type FakeKernels, fakeKernels, forkKernels, running } from './fake-kernels.ts';
import { removeFakeLeftovers } from './fake-leftovers.ts';
import type { NodeMode } from './node-proxy.ts';
import type { TestPacket } from './packet-row.ts';
import { packetOutcomes, walkOnce } from './walk-packet.ts';

/** Likelihood by outcome; leaves nothing in the kernels. */
export function outcomesIn(kernels: FakeKernels, packet: TestPacket): ReadonlyMap<string, number> {
  return packetOutcomes(packet, () => running(forkKernels(kernels)));
}

/** Sends it once; of equal choices the one with this number is taken. What it leaves in the kernels stays. */
export function sendIn(kernels: FakeKernels, packet: TestPacket, choice: number): string {
  return walkOnce(packet, running(kernels), choosing(choice));
}

export interface FakeNode extends FakeKernels {
  readonly modes: Readonly<Record<ProxyModeName, NodeMode>>;
  /** Likelihood by outcome, now; leaves nothing in the kernels. */
  outcomes(packet: TestPacket): ReadonlyMap<string, number>;
  /** Sends it once; of equal choices the one with this number is taken. What it leaves in the kernels stays. */
  send(packet: TestPacket, choice: number): string;
  /** Time goes on: for lists of recent addresses, clients of IPVS and its mode. Elements of nf_tables' fake do not expire. */
  wait(seconds: number): Promise<void>;
}

export function fakeNode(): FakeNode {
  const kernels = fakeKernels();
  const { nft, iptables, ipvs, ipset, route } = kernels;
  const clock = createManualClock();
  let localnet = false;

  const modes: Readonly<Record<ProxyModeName, NodeMode>> = {
    nftables: {
      name: 'nftables',
      open: (family) =>
        createNftablesMode({
          family,
          driver: nft.driver(),
          localhost: {
            isOn: () => localnet,
            switchOn: () => {
              localnet = true;
            },
          },
        }),
      removeOthers: () => removeFakeLeftovers(kernels, 'nftables'),
    },
    iptables: {
      name: 'iptables',
      open: (family) => {
        const access = iptables.access(family);
        return createIptablesMode({
          access,
          inBatches: false,
          randomFully: true,
          allowRouteLocalnet: () => {
            localnet = true;
          },
          cleanUp: async () => {
            const options = { access, tables: ownTables, isOurs: isOwnChain, label: 'fake' };
            return (await removeChains({ ...options, signal: new AbortController().signal })).words;
          },
        });
      },
      removeOthers: () => removeFakeLeftovers(kernels, 'iptables'),
    },
    ipvs: {
      name: 'ipvs',
      open: (family) =>
        createIpvsMode({
          family,
          ipvs: ipvs.access(),
          ipset: ipset.access(),
          access: iptables.access(family),
          route,
          inBatches: false,
          randomFully: true,
          choices: defaultIpvsChoices,
          pause: async () => undefined,
          clock,
        }),
      removeOthers: () => removeFakeLeftovers(kernels, 'ipvs'),
    },
  };

  return {
    ...kernels,
    modes,
    send: (packet, choice) => walkOnce(packet, running(kernels, clock.now()), choosing(choice)),
    outcomes: (packet) => packetOutcomes(packet, () => running(forkKernels(kernels), clock.now())),
    wait: (seconds) => clock.advance(seconds * 1000),
  };
}

/** Takes the endpoint of this number: drawn at once in nftables, the one that is hit after so many misses in iptables. */
function choosing(choice: number): Chance {
  let misses = 0;
  return {
    random: (modulus) => choice % modulus,
    happens: () => {
      misses += 1;
      return misses > choice;
    },
  };
}
