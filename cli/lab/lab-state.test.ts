import { expect, test } from '@jest/globals';
import { withoutPod, withPod, withProcess } from './lab-record.ts';
import { decodeLabState, encodeLabState } from './lab-state.ts';
import { sampleState } from './sample-lab.ts';

test('what is written is read back', () => {
  const state = sampleState();
  expect(decodeLabState(encodeLabState(state), 'lab.json')).toEqual(state);
});

test.each([
  ['half of a file', encodeLabState(sampleState()).slice(0, 100), 'not JSON'],
  ['another version', '{"version": 3}', 'version'],
  ['a process without its start', '{"version": 2, "processes": [{"name": "x", "pid": 1}]}', 'startTime'],
])('%s is an error that names the file', (_, text, why) => {
  const read = () => decodeLabState(text, '/run/x/lab.json');
  expect(read).toThrow('Cannot read the lab\'s state "/run/x/lab.json"');
  expect(read).toThrow(why);
});

test('the file of a lab that an older Netloom made is understood: it had IPv4 alone', () => {
  const { networks, nodes, pods, outside, ...rest } = sampleState();
  const [network] = networks;
  if (network === undefined) throw new Error('the sample has a network');
  const { gateway, internet, pods: podNetwork, services: serviceNetwork, loadBalancers } = network;
  const old = {
    ...rest,
    version: 1,
    podNetwork,
    serviceNetwork,
    loadBalancerNetwork: loadBalancers,
    outside: { ...outside, gateway, internet },
    nodes: nodes.map(({ addresses: [address], ...node }) => ({ ...node, address })),
    pods: [
      ...pods.map(({ addresses: [address], ...pod }) => ({ ...pod, address })),
      { name: 'web', node: 'n1', netns: 'netloom-default-web', labels: {} },
    ],
  };
  expect(decodeLabState(JSON.stringify(old), 'lab.json')).toEqual({
    ...sampleState(),
    pods: [...pods, { name: 'web', node: 'n1', netns: 'netloom-default-web', labels: {}, addresses: [] }],
  });
});

test('pods and processes are replaced by their name, never doubled', () => {
  const state = sampleState();
  const moved = {
    name: 'pod-1a',
    node: 'n2',
    netns: 'netloom-default-pod-1a',
    addresses: ['10.244.2.9'],
    labels: {},
  };
  const changed = withPod(withPod(state, moved), {
    name: 'web',
    node: 'n1',
    netns: 'netloom-default-web',
    addresses: [],
    labels: {},
  });
  expect(changed.pods.map(({ name, node }) => `${name} ${node}`)).toEqual([
    'pod-1a n2',
    'pod-1b n1',
    'pod-2a n2',
    'web n1',
  ]);
  expect(withoutPod(changed, 'pod-1a').pods).toHaveLength(3);
  const restarted = withProcess(state, { name: 'agent n1', pid: 99, startTime: 1 });
  expect(restarted.processes).toEqual([
    { name: 'agent n2', pid: 12, startTime: 1001 },
    { name: 'agent n1', pid: 99, startTime: 1 },
  ]);
});
