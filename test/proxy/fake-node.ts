// The test node with fake kernels in place of one: nf_tables and iptables, both at every hook, so that a proxy can be in either mode and
// change it.
import type { Chance } from '../../kernel/every-outcome.ts';
import { FakeIptablesKernel } from '../../kernel/iptables/fake.ts';
import { FakeNftKernel } from '../../kernel/nft/fake.ts';
import { createIptablesMode } from '../../proxy/iptables/iptables-mode.ts';
import { isOwnChain, ownTables } from '../../proxy/iptables/own-chains.ts';
import { removeChains } from '../../proxy/iptables/removal.ts';
import { createNftablesMode } from '../../proxy/nftables/nftables-mode.ts';
import type { ProxyModeName } from '../../proxy/proxy-mode.ts';
import type { NodeMode } from './node-proxy.ts';
import type { TestPacket } from './packet-row.ts';
import { addressOfLink, isOwnAddress } from './test-node.ts';
import { packetOutcomes, type RunHook, walkOnce } from './walk-packet.ts';

export interface FakeKernels {
  readonly nft: FakeNftKernel;
  readonly iptables: FakeIptablesKernel;
}

/** The same again, which change of their own. */
export function forkKernels({ nft, iptables }: FakeKernels): FakeKernels {
  return { nft: nft.fork(), iptables: iptables.fork() };
}

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
  /** Time goes on, in seconds: for lists of recent addresses. Elements of nf_tables' fake do not expire. */
  wait(seconds: number): void;
}

export function fakeNode(): FakeNode {
  const nft = new FakeNftKernel();
  const iptables = new FakeIptablesKernel();
  let now = 0;
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
    },
  };

  return {
    nft,
    iptables,
    modes,
    send: (packet, choice) => walkOnce(packet, running({ nft, iptables }, now), choosing(choice)),
    outcomes: (packet) => packetOutcomes(packet, () => running(forkKernels({ nft, iptables }), now)),
    wait(seconds) {
      now += seconds * 1000;
    },
  };
}

/** `now`: milliseconds. */
function running({ nft, iptables }: FakeKernels, now = 0): RunHook {
  return (packet, chance) => {
    const around = { ...surroundings, ...chance, now: () => now };
    const first = nft.evaluate(packet, around);
    return first.verdict === 'accept' ? iptables.evaluate(first.packet, around) : first;
  };
}

const surroundings = {
  addressType: (address: Parameters<typeof isOwnAddress>[0]) =>
    isOwnAddress(address) ? ('local' as const) : ('unicast' as const),
  addressOf: addressOfLink,
};

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
