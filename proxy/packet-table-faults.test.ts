// Whether the packet table would notice a fault: every rule and every element that a mode makes is taken away in turn, and careless
// changes are made all over. What may go unnoticed is listed here with its reason, and nothing else may.
import { describe, expect, jest, test } from '@jest/globals';
import { type Breakage, broken } from '../test/proxy/breakage.ts';
import { breakages } from '../test/proxy/breakages.ts';
import { failingAffinity } from '../test/proxy/check-affinity.ts';
import { failingRows, rowsFor } from '../test/proxy/check-rows.ts';
import type { FakeKernels } from '../test/proxy/fake-kernels.ts';
import { fakeNode } from '../test/proxy/fake-node.ts';
import { everyMutant } from '../test/proxy/mutants.ts';
import { NodeProxy } from '../test/proxy/node-proxy.ts';
import type { PacketState } from '../test/proxy/packet-state.ts';
import { packetStates } from '../test/proxy/packet-states.ts';
import { type ProxyModeName, proxyModes } from './proxy-mode.ts';

jest.setTimeout(60_000);

async function kernelsIn(state: PacketState, mode: ProxyModeName): Promise<FakeKernels> {
  const node = fakeNode();
  const proxy = await NodeProxy.open(node.modes[mode]);
  await proxy.enter(state);
  return node;
}

function isNoticed(kernels: FakeKernels, state: PacketState, mode: ProxyModeName): boolean {
  const rows = rowsFor(state, mode);
  if (failingRows(kernels, rows).length > 0) return true;
  return hasAffinity(state) && failingAffinity(kernels, { rows, mode }).length > 0;
}

function hasAffinity({ manifests }: PacketState): boolean {
  return manifests.includes('sessionAffinity: ClientIP');
}

const unnoticed: Readonly<Record<ProxyModeName, readonly RegExp[]>> = {
  nftables: [
    // Only packets between two transactions come there.
    /^(guard|serve|pick-N|pick-local-N|sticky-N-N|sticky-local-N-N|classes: N:N :?):? goto discard$/,
    // Nobody is in it.
    /^guard-N: ip saddr \{ {2}\} return$/,
    // Only when the map of clients is full, or an endpoint went: packet-table.test.ts, session affinity.
    /^sticky-(local-)?N-N: meta l4proto \{ tcp, udp, sctp \} dnat ip to meta priority map @sticky-/,
    /^sticky-(local-)?N-N: meta priority & \S+ != none delete @affinity /,
    // Refused all the same, by a message of ICMP.
    /^refuse: .*reject with tcp reset$/,
  ],
  iptables: [
    // What INPUT leads to again.
    /^filter -A OUTPUT -j KUBE-FIREWALL$/,
    // Only where others drop by policy: packet-table.test.ts, "where others drop".
    /^filter -A INPUT -j KUBE-NODEPORTS$/,
    /^filter -A KUBE-FORWARD .*-j ACCEPT$/,
    /^filter -A KUBE-NODEPORTS .*-j ACCEPT$/,
    // A remark without a target.
    /^nat -A KUBE-FW-N$/,
  ],
  ipvs: [
    // Only where others drop by policy: packet-table.test.ts, "where others drop".
    /^filter -A INPUT -j KUBE-NODE-PORT$/,
    /^filter -A KUBE-NODE-PORT .*-j ACCEPT$/,
    /^filter -A FORWARD -j KUBE-FORWARD$/,
    /^filter -A KUBE-FORWARD .*-j ACCEPT$/,
    // Addresses of balancers are bound: nothing for them is forwarded.
    /^filter -A FORWARD -j KUBE-PROXY-FIREWALL$/,
    // Who sends from a balancer's own address is the node, which is asked in mangle.
    /^filter -A KUBE-SOURCE-RANGES-FIREWALL .*KUBE-LOAD-BALANCER-SOURCE-IP/,
    // Refused all the same, by a message of ICMP.
    /^filter -A KUBE-IPVS-FILTER .*--reject-with tcp-reset$/,
    // Nobody sends to services from loopback.
    /^nat -A KUBE-SERVICES -s (A|::N\/N) -j RETURN$/,
    // Keep host ports of pods away from services, which nobody has here: test/proxy/ipvs-traffic.test.ts.
    /^nat -A KUBE-(SERVICES|NODE-PORT) .*-j NETMAP /,
    // The set of pods that reach themselves says it, too.
    /^nat -A KUBE-SEP-N -s A -j KUBE-MARK-MASQ$/,
    // A remark without a target.
    /^nat -A KUBE-FW-N$/,
  ],
};

describe.each(proxyModes)('%s', (mode) => {
  test('no rule and no element can be missing without a row that says so', async () => {
    const noticed = new Set<string>();
    const seen = new Set<string>();
    for (const state of packetStates) {
      const mutants = await everyMutant(await kernelsIn(state, mode));
      for (const { kind, kernels } of mutants) {
        if (noticed.has(kind)) continue;
        seen.add(kind);
        if (isNoticed(await kernels(), state, mode)) noticed.add(kind);
      }
    }
    const missed = [...seen].filter((kind) => !noticed.has(kind));
    expect(missed.filter((kind) => !unnoticed[mode].some((excused) => excused.test(kind)))).toEqual([]);
    expect(noticed.size).toBeGreaterThan(70);
  });

  const seen = breakages[mode].filter(({ isUnseen }) => isUnseen !== true);
  test.each(seen.map((one): [string, Breakage] => [one.name, one]))('%s', async (_, breakage) => {
    for (const state of packetStates)
      if (isNoticed(await broken(await kernelsIn(state, mode), breakage), state, mode)) return;
    throw new Error('No row turned red');
  });
});
