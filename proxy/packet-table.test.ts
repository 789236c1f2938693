// The packet table on fake kernels, in every mode: each state from nothing, and in long shuffled walks from any state to any other.
import { describe, expect, jest, test } from '@jest/globals';
import { failingAffinity } from '../test/proxy/check-affinity.ts';
import { failingRows, rowsFor } from '../test/proxy/check-rows.ts';
import { fakeNode } from '../test/proxy/fake-node.ts';
import { NodeProxy } from '../test/proxy/node-proxy.ts';
import { parseRow, parseRows } from '../test/proxy/packet-row.ts';
import { together } from '../test/proxy/packet-state.ts';
import { packetStates } from '../test/proxy/packet-states.ts';
import { seeded, shuffled } from '../test/proxy/shuffled.ts';
import { affineService, affinityStates } from '../test/proxy/states/affinity-states.ts';
import { localAndRemote, onlyRemote } from '../test/proxy/states/sample-slices.ts';
import { proxyModes } from './proxy-mode.ts';

// A walk is a thousand packets in some hundred states.
jest.setTimeout(60_000);

describe.each(proxyModes)('%s', (mode) => {
  test.each(packetStates.map((state) => [state.name, state] as const))('%s', async (_, state) => {
    const node = fakeNode();
    const proxy = await NodeProxy.open(node.modes[mode]);
    await proxy.enter(state);
    expect(failingRows(node, rowsFor(state, mode))).toEqual([]);
    for (const changed of [new Set<string>(), 'all'] as const)
      for (const { changes } of await proxy.again(changed)) expect(changes).toBe(0);
  });
});

/** Each visits every state in another order. */
const seeds = [1, 2, 3];

describe.each(proxyModes)('%s, from any state to any other', (mode) => {
  test.each(seeds)('walk %i', async (seed) => {
    const random = seeded(seed);
    const node = fakeNode();
    const proxy = await NodeProxy.open(node.modes[mode]);
    let before = 'nothing';
    for (const state of shuffled(packetStates, random)) {
      // Now and then as after a long silence, and as another process.
      if (random() < 0.1) await proxy.restart();
      await proxy.enter(state, { full: random() < 0.2 });
      const failing = failingRows(node, rowsFor(state, mode));
      expect({ from: before, to: state.name, failing }).toEqual({
        from: before,
        to: state.name,
        failing: [],
      });
      before = state.name;
    }
  });
});

test.each([4, 5, 6])('from any state in one mode to any other in another, walk %i', async (seed) => {
  const random = seeded(seed);
  const node = fakeNode();
  const proxy = await NodeProxy.open(node.modes.iptables);
  for (const state of shuffled(packetStates, random)) {
    const [other] = shuffled(
      proxyModes.filter((mode) => mode !== proxy.modeName),
      random,
    );
    if (other !== undefined && random() < 0.4) await proxy.restart(node.modes[other]);
    await proxy.enter(state);
    const failing = failingRows(node, rowsFor(state, proxy.modeName));
    expect({ mode: proxy.modeName, to: state.name, failing }).toEqual({
      mode: proxy.modeName,
      to: state.name,
      failing: [],
    });
  }
});

test.each(proxyModes)('%s: nothing is left of the last state after cleaning up', async (mode) => {
  const node = fakeNode();
  const proxy = await NodeProxy.open(node.modes[mode]);
  for (const state of packetStates) await proxy.enter(state);
  await proxy.cleanUp();
  // The guard of localhost stays in iptables, as kubelet's own rule.
  const rows = packetStates
    .flatMap((state) => rowsFor(state, mode))
    .filter(({ packet }) => !packet.destination.isLoopback);
  const touched = rows.filter(({ packet }) => [...node.outcomes(packet).keys()].join() !== 'none');
  expect(touched.map(({ text }) => text)).toEqual([]);
});

describe.each(proxyModes)('%s, session affinity', (mode) => {
  test.each(affinityStates.map((state) => [state.name, state] as const))('%s', async (_, state) => {
    const node = fakeNode();
    const proxy = await NodeProxy.open(node.modes[mode]);
    await proxy.enter(state);
    expect(failingAffinity(node, { rows: rowsFor(state, mode), mode })).toEqual([]);
  });

  test('a client whose endpoint went comes to another one, and stays there', async () => {
    const node = fakeNode();
    const proxy = await NodeProxy.open(node.modes[mode]);
    const row = parseRow('pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080');
    for (const choice of [0, 1]) {
      await proxy.enter({ manifests: together(affineService, localAndRemote) });
      const first = node.send(row.packet, choice);
      await proxy.enter({
        manifests: together(affineService, onlyRemote.replace('10.180.1.1]', '10.180.1.3]')),
      });
      expect(['10.180.0.1:8080', '10.180.1.1:8080']).toContain(first);
      expect([...node.outcomes(row.packet).keys()].sort()).toEqual(['10.180.1.2:8080', '10.180.1.3:8080']);
      const second = node.send(row.packet, choice);
      expect([...node.outcomes(row.packet).keys()]).toEqual([second]);
    }
  });

  test('other services and endpoints that change do not make clients move', async () => {
    const node = fakeNode();
    const proxy = await NodeProxy.open(node.modes[mode]);
    const row = parseRow('pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080');
    for (const choice of [0, 1]) {
      await proxy.enter({ manifests: together(affineService, localAndRemote) });
      const first = node.send(row.packet, choice);
      const third = localAndRemote.replace('endpoints:\n', 'endpoints:\n- { addresses: [10.180.0.0] }\n');
      await proxy.enter({ manifests: together(affineService, third) });
      expect([...node.outcomes(row.packet).keys()]).toEqual([first]);
      await proxy.enter({ manifests: together(affineService, third) }, { full: true });
      await proxy.restart();
      expect([...node.outcomes(row.packet).keys()]).toEqual([first]);
      await proxy.enter({ manifests: '' });
    }
  });
});

test.each(['iptables', 'ipvs'] as const)(
  '%s: a client is forgotten after the timeout, which every packet begins anew',
  async (mode) => {
    const node = fakeNode();
    const proxy = await NodeProxy.open(node.modes[mode]);
    const row = parseRow('pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080');
    await proxy.enter({ manifests: together(affineService, localAndRemote) });
    const first = node.send(row.packet, 1);
    for (let i = 0; i < 3; i++) {
      await node.wait(50);
      expect(node.send(row.packet, 0)).toBe(first);
    }
    await node.wait(61);
    expect(node.outcomes(row.packet).size).toBe(2);
  },
);

/** Where INPUT and FORWARD drop whatever is not accepted. */
const whereOthersDrop = {
  iptables: `
    outside 203.0.113.2 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq   # marked, so accepted
    outside 203.0.113.2 tcp 192.168.0.2:30080 -> DROP                                      # others' business
  `,
  ipvs: `
    outside 203.0.113.2 tcp 172.30.0.41:80 -> DROP                                         # others' INPUT is on the way to IPVS
    pod 10.180.0.5 tcp 198.51.100.80:80 -> DROP
    node 192.168.0.2 tcp 172.30.0.41:80 -> 10.180.0.1:8080 masq, 10.180.1.1:8080 masq
  `,
} as const;

test.each(['iptables', 'ipvs'] as const)('%s: what is ours is accepted where others drop', async (mode) => {
  const node = fakeNode();
  const proxy = await NodeProxy.open(node.modes[mode]);
  await node.iptables.access(4).restore('*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\nCOMMIT\n');
  const state = packetStates.find(
    ({ name }) => name === 'external policy Local, endpoints here and elsewhere',
  );
  await proxy.enter({ manifests: state?.manifests ?? '' });
  const rows = parseRows(`
    ${whereOthersDrop[mode]}
    outside 203.0.113.2 tcp 192.168.0.2:32000 -> none                                      # the health check
    outside 203.0.113.2 tcp 192.168.0.2:32001 -> DROP
    pod 10.180.0.1 tcp 203.0.113.2:40000 established -> none                               # answers
  `);
  expect(failingRows(node, rows)).toEqual([]);
});
