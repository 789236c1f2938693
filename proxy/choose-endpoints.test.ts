import { describe, expect, test } from '@jest/globals';
import { chooseEndpoints } from './choose-endpoints.ts';
import { candidatesOf } from './endpoint-candidates.ts';
import { type SampleSliceEndpoint, sampleSlice } from './sample-services.ts';
import type { Endpoint } from './service-port.ts';

const unready = { ready: false, serving: false } as const;
const leaving = { ready: false, terminating: true } as const;
const gone = { ...unready, terminating: true } as const;
const here = { nodeName: 'here' } as const;
const there = { nodeName: 'there' } as const;
const a = { zoneHints: ['a'] } as const;
const b = { zoneHints: ['b'] } as const;
const forHere = { nodeHints: ['here'] } as const;
const forThere = { nodeHints: ['there'] } as const;

/** The endpoints are 10.0.0.1, 10.0.0.2 and so on; lists of what is chosen name the last number. */
type Case = readonly [
  name: string,
  endpoints: readonly Exclude<SampleSliceEndpoint, string>[],
  lists: 'cluster' | 'local' | 'both',
  expected: { cluster?: readonly number[]; local?: readonly number[]; any: boolean },
  zone?: string | 'none',
];

const cases: readonly Case[] = [
  ['no endpoints', [], 'both', { any: false }],

  // Topology by zones
  ['all hinted, one for us', [a, b, b, a], 'cluster', { cluster: [1, 4], any: true }],
  ['one for two zones', [{ zoneHints: ['b', 'a'] }, b], 'cluster', { cluster: [1], any: true }],
  ['hints for other zones only', [b, { zoneHints: ['c'] }], 'cluster', { cluster: [1, 2], any: true }],
  ['one endpoint without hint', [a, {}, b], 'cluster', { cluster: [1, 2, 3], any: true }],
  ['the node has no zone', [a, b], 'cluster', { cluster: [1, 2], any: true }, 'none'],
  [
    'an unready one needs no hint',
    [a, { ...unready }, b, { ...leaving }],
    'cluster',
    { cluster: [1], any: true },
  ],
  ['the one for us is unready', [{ ...a, ...unready }, b], 'cluster', { cluster: [2], any: true }],
  ['the one for us is leaving', [{ ...a, ...leaving }, b], 'cluster', { cluster: [2], any: true }],
  [
    'hints are not for endpoints that leave',
    [
      { ...a, ...leaving },
      { ...b, ...leaving },
    ],
    'cluster',
    { cluster: [1, 2], any: true },
  ],

  // Topology by nodes
  ['for our node', [forHere, forThere, forHere], 'cluster', { cluster: [1, 3], any: true }],
  ['for other nodes only', [forThere, forThere], 'cluster', { cluster: [1, 2], any: true }],
  [
    'node hints go before zone hints',
    [
      { ...forHere, ...b },
      { ...forThere, ...a },
    ],
    'cluster',
    { cluster: [1], any: true },
  ],
  [
    'no node hint for us: zones',
    [
      { ...forThere, ...a },
      { ...forThere, ...b },
    ],
    'cluster',
    { cluster: [1], any: true },
  ],
  [
    'one without node hint: zones',
    [
      { ...forHere, ...b },
      { nodeHints: [], ...a },
    ],
    'cluster',
    { cluster: [2], any: true },
  ],
  [
    'local endpoints are used whatever the hints',
    [
      { ...here, ...b },
      { ...there, ...a },
    ],
    'both',
    { cluster: [2], local: [1], any: true },
  ],
  [
    'only local: hints ignored',
    [
      { ...here, ...b },
      { ...there, ...a },
    ],
    'local',
    { local: [1], any: true },
  ],

  // Readiness, policy Cluster
  ['all ready', [here, there], 'cluster', { cluster: [1, 2], any: true }],
  ['some ready', [unready, there, leaving], 'cluster', { cluster: [2], any: true }],
  ['none ready, some leaving', [unready, leaving, gone, leaving], 'cluster', { cluster: [2, 4], any: true }],
  ['none serves', [unready, gone], 'cluster', { any: false }],
  [
    'serving but not ready is for nobody',
    [{ ready: false, serving: true, terminating: false }],
    'both',
    { any: false },
  ],
  [
    'ready while it terminates (publishNotReadyAddresses)',
    [{ terminating: true }, leaving],
    'cluster',
    { cluster: [1], any: true },
  ],

  // Policy Local inside, unreachable from outside
  ['one here', [here, there], 'local', { local: [1], any: true }],
  ['none here', [there, there], 'local', { any: true }],
  ['the one here is unready', [{ ...here, ...unready }, there], 'local', { any: true }],
  ['the one here is leaving', [{ ...here, ...leaving }, there], 'local', { local: [1], any: true }],
  [
    'of two here one is leaving',
    [
      { ...here, ...leaving },
      { ...here, ...{} },
    ],
    'local',
    { local: [2], any: true },
  ],
  ['the one elsewhere is leaving', [{ ...there, ...leaving }], 'local', { any: true }],
  ['none anywhere', [{ ...here, ...unready }, gone], 'local', { any: false }],

  // Both lists
  ['ready here and there', [here, there], 'both', { cluster: [1, 2], local: [1], any: true }],
  ['ready there only', [there, there], 'both', { cluster: [1, 2], any: true }],
  [
    'here leaving, there ready',
    [{ ...here, ...leaving }, there],
    'both',
    { cluster: [2], local: [1], any: true },
  ],
  [
    'here and there leaving',
    [
      { ...here, ...leaving },
      { ...there, ...leaving },
    ],
    'both',
    { cluster: [1, 2], local: [1], any: true },
  ],
  [
    'here gone, there leaving',
    [
      { ...here, ...gone },
      { ...there, ...leaving },
    ],
    'both',
    { cluster: [2], any: true },
  ],
  ['unready everywhere', [{ ...here, ...unready }, unready], 'both', { any: false }],
];

describe('endpoints are chosen as kube-proxy does', () => {
  test.each(cases)('%s', (_name, given, lists, { cluster = [], local = [], any }, zone = 'a') => {
    const endpoints = given.map((one, index) => ({ ...one, address: `10.0.0.${index + 1}` }));
    const candidates = candidatesOf([sampleSlice({ endpoints })], {
      name: '',
      protocol: 'tcp',
      nodeName: 'here',
    });
    const chosen = chooseEndpoints(candidates, {
      nodeName: 'here',
      zone: zone === 'none' ? undefined : zone,
      usesCluster: lists !== 'local',
      usesLocal: lists !== 'cluster',
    });
    const numbers = (list: readonly Endpoint[]) => list.map(({ address }) => address.bytes[3]);
    expect([numbers(chosen.clusterEndpoints), numbers(chosen.localEndpoints)]).toEqual([cluster, local]);
    expect(chosen.hasAnyEndpoint).toBe(any);
  });
});
